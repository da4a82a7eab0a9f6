import type { JobEvent } from '../actors/job-event.ts';
import { type ExecutionState, executionStates, isTerminalJobStatus } from '../actors/protocol/states.ts';
import type { ExecutionVertexId, FailoverId, RegionId } from '../ids.ts';
import { restartedRegions } from '../run/folds/restarted-regions.ts';
import type { RunInside } from '../run/run-inside.ts';
import { CheckpointMeter } from './checkpoint-meter.ts';
import { causeClassOf } from './cause-class.ts';
import type { JobTotals } from './job-totals.ts';
import { RegionLabels } from './region-labels.ts';
import type { Series } from './series.ts';
import { WorkMeter } from './work-meter.ts';

const stateIndex = Object.fromEntries(executionStates.map((state, index) => [state, index])) as Record<
  ExecutionState,
  number
>;

/** What a run adds to the metrics of its job: a fold over its events, and what is asked of it when they are read. */
export class RunMeter {
  readonly #inside: RunInside;
  readonly #job: string;
  readonly #totals: JobTotals;
  readonly #hasTaskLabel: boolean;
  readonly #work: WorkMeter;
  readonly #checkpoints: CheckpointMeter;
  readonly #regions: RegionLabels;
  /** By index of the job vertex and of the state: tasks in it. */
  readonly #tasks: Int32Array;
  /** By task: the index of its state + 1, or 0. */
  readonly #stateByTask: Uint8Array;
  readonly #quarantined: Set<RegionId>;
  /** The classes of causes of failures that are not decided. */
  readonly #causes = new Map<FailoverId, string>();
  #status: string;

  constructor(inside: RunInside, status: string, job: string, totals: JobTotals, hasTaskLabel: boolean) {
    this.#inside = inside;
    this.#status = status;
    this.#job = job;
    this.#totals = totals;
    this.#hasTaskLabel = hasTaskLabel;
    this.#work = new WorkMeter(inside.shape.graph, job, totals);
    this.#checkpoints = new CheckpointMeter(job, totals);
    this.#regions = new RegionLabels(inside.shape);
    const { graph, regions } = inside.shape;
    this.#quarantined = new Set();
    for (let region = 0 as RegionId; region < regions.count; region++) {
      if (inside.regionStateOf(region) === 'quarantined') this.#quarantined.add(region);
    }
    this.#tasks = new Int32Array(graph.jobGraph.vertices.length * executionStates.length);
    this.#stateByTask = new Uint8Array(graph.vertexCount);
    for (let task = 0; task < graph.vertexCount; task++) {
      const { state } = inside.taskOf(task as ExecutionVertexId);
      if (state !== undefined) this.#enter(task, state);
    }
  }

  next(event: JobEvent): void {
    switch (event.type) {
      case 'job.statusChanged':
        this.#status = event.status;
        if (isTerminalJobStatus(event.status)) this.#count('kintsugi_runs_ended_total', [event.status]);
        return;
      case 'task.stateChanged':
        this.#enter(event.vertex, event.state);
        if (event.state === 'finished') this.#work.finished(event.vertex);
        return;
      case 'task.ended':
        this.#work.ended(event);
        return;
      case 'region.quarantined':
        this.#quarantined.add(event.region);
        return this.#count('kintsugi_quarantines_total', [
          this.#totals.labelOf('region', this.#regions.of(event.region)),
        ]);
      case 'region.released':
        this.#quarantined.delete(event.region);
        return;
      case 'checkpoint.completed':
      case 'checkpoint.failed':
      case 'checkpoint.restored':
        return this.#checkpoints.next(event);
      case 'partition.lost':
        return this.#count('kintsugi_results_lost_total', []);
      case 'task.speculated':
        return this.#count('kintsugi_speculations_total', ['begun']);
      case 'speculation.decided':
        if (event.why === 'finished first' && event.attempt > event.instead)
          this.#count('kintsugi_speculations_total', ['finished_first']);
        return;
      case 'executor.lost':
        return this.#count('kintsugi_executors_lost_total', []);
      case 'failover.completed':
        if (hasRecovered(event)) this.#totals.recovery.add(event.durationMs / 1_000);
        return;
      case 'task.failed':
      case 'failover.decided':
      case 'failover.refused':
        return this.#nextFailover(event);
      default:
    }
  }

  /** Adds what is true now to `gauges`, and what running tasks have done since to the totals. O(running tasks) */
  read(gauges: Series): void {
    this.#work.read(this.#inside.moving());
    const job = this.#job;
    gauges.add('kintsugi_runs', [job, this.#status], 1);
    gauges.add('kintsugi_regions_quarantined', [job], this.#quarantined.size);
    for (const [at, count] of this.#tasks.entries()) {
      const state = at % executionStates.length;
      const vertex = this.#work.vertexLabel((at - state) / executionStates.length);
      gauges.add('kintsugi_tasks', [job, vertex, executionStates[state] as ExecutionState], count);
    }
    const behindMs = this.#checkpoints.oldestMs(this.#inside.environment.clock.now());
    if (behindMs !== undefined) gauges.add('kintsugi_checkpoint_age_seconds', [job], behindMs / 1_000);
    this.#readExecutors(gauges);
    this.#readStorage(gauges);
  }

  #readExecutors(gauges: Series): void {
    let longestMs: number | undefined;
    for (const { state, slots, usedSlots, silentMs } of this.#inside.executors()) {
      gauges.add('kintsugi_executors', [this.#job, state], 1);
      gauges.add('kintsugi_slots', [this.#job, 'used'], usedSlots);
      if (silentMs !== undefined) longestMs = Math.max(longestMs ?? 0, silentMs);
      // One that drains takes no more tasks.
      if (slots === Infinity || state !== 'registered') continue;
      gauges.add('kintsugi_slots', [this.#job, 'free'], Math.max(0, slots - usedSlots));
    }
    if (longestMs !== undefined) {
      gauges.add('kintsugi_executor_heartbeat_age_seconds', [this.#job], longestMs / 1_000);
    }
  }

  /** The run is over. */
  end(): void {
    this.#work.read(this.#inside.moving());
  }

  #readStorage(gauges: Series): void {
    const job = this.#job;
    const { memoryBudgetBytes, diskBudgetBytes } = this.#inside;
    let [memory, disk] = [0, 0];
    for (const use of this.#inside.storage()) {
      const vertices = [use.source, use.target].map((vertex) => this.#totals.labelOf('vertex', vertex));
      const labels = [job, ...vertices, use.exchange];
      gauges.add('kintsugi_exchange_results', labels, use.results);
      gauges.add('kintsugi_exchange_held_records', labels, use.records);
      gauges.add('kintsugi_exchange_held_bytes', [...labels, 'memory'], use.memoryBytes);
      gauges.add('kintsugi_exchange_held_bytes', [...labels, 'disk'], use.diskBytes);
      memory += use.memoryBytes;
      disk += use.diskBytes;
    }
    gauges.add('kintsugi_memory_bytes', [job], memory);
    gauges.add('kintsugi_disk_bytes', [job], disk);
    if (memoryBudgetBytes !== Infinity) gauges.add('kintsugi_memory_budget_bytes', [job], memoryBudgetBytes);
    if (diskBudgetBytes !== Infinity) gauges.add('kintsugi_disk_budget_bytes', [job], diskBudgetBytes);
  }

  #nextFailover(event: Extract<JobEvent, { type: 'task.failed' | 'failover.decided' | 'failover.refused' }>): void {
    const { failover } = event;
    if (event.type === 'task.failed') {
      const cause = this.#totals.labelOf('cause', causeClassOf(event.cause));
      this.#causes.set(failover, cause);
      const region = (event.task === undefined ? undefined : this.#regions.ofTask(event.task)) ?? 'the job';
      const task = this.#hasTaskLabel ? [this.#totals.labelOf('task', event.task ?? 'the job')] : [];
      const labels = [this.#totals.labelOf('region', region), cause, event.classification, ...task];
      this.#count('kintsugi_task_failures_total', labels);
      return;
    }
    const cause = this.#causes.get(failover) ?? 'Error';
    this.#causes.delete(failover);
    if (event.type === 'failover.refused') return this.#count('kintsugi_restarts_refused_total', []);
    for (const region of restartedRegions(event)) {
      const label = this.#totals.labelOf('region', this.#regions.of(region));
      this.#count('kintsugi_region_restarts_total', [label, cause]);
    }
    this.#count('kintsugi_tasks_restarted_total', [], event.taskCount);
    for (const { records, bytes } of event.reused) {
      this.#count('kintsugi_reused_records_total', [], records);
      this.#count('kintsugi_reused_bytes_total', [], bytes);
    }
  }

  #enter(task: number, state: ExecutionState): void {
    const first = this.#inside.shape.graph.jobVertexIndexOf(task as ExecutionVertexId) * executionStates.length;
    const before = this.#stateByTask[task] ?? 0;
    const after = stateIndex[state];
    if (before > 0) this.#change(first + before - 1, -1);
    this.#change(first + after, 1);
    this.#stateByTask[task] = after + 1;
  }

  #change(at: number, by: number): void {
    this.#tasks[at] = (this.#tasks[at] ?? 0) + by;
  }

  #count(metric: Parameters<Series['add']>[0], labels: readonly string[], by = 1): void {
    this.#totals.counters.add(metric, [this.#job, ...labels], by);
  }
}

/** Whether anything runs again: not if all of it is quarantined or held up. */
export function hasRecovered({ regions }: Extract<JobEvent, { type: 'failover.completed' }>): boolean {
  return regions.length > 0;
}
