import type { JobEvent } from '../../actors/job-event.ts';
import type { Clock } from '../../environment.ts';
import { causeWithCode } from '../../errors/cause-chain.ts';
import type { Executors } from '../../executors/executors.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';
import type { ExecutionVertexId, JobVertexId } from '../../ids.ts';
import type { JobRun } from '../../run/job-run.ts';
import { insideOf } from '../../run/run-inside.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { CheckpointRules } from './checkpoint-rules.ts';
import type { DrawnCheckpoints } from './drawn-checkpoints.ts';
import { missingStates } from './missing-states.ts';
import { checkpointMoments, type CheckpointMoment, type DrawnCheckpointFault, Moments, OwnTimers } from './moments.ts';
import { SimulatedStorage } from './simulated-storage.ts';
import { StoredFilesRule } from './stored-files.ts';

/** The operations of the storage one after the other, at most, that may hold up a checkpoint. */
const mostOperations = 30;

/** How long somebody waits for a task that reads its state, in ms. */
const patienceMs = 100;

/** What a strike hits: a run, and its executors once they have started. */
interface Struck {
  readonly run: JobRun;
  readonly executors: Executors | undefined;
}

/** The checkpoints of a simulated run: their storage, what goes wrong with them, and their rules. */
export class SimulatedCheckpoints {
  readonly moments: Moments;
  readonly #drawn: DrawnCheckpoints;
  #stuck: (file: string) => void = () => {};
  readonly storage: SimulatedStorage;
  readonly timers: OwnTimers;
  readonly #files: StoredFilesRule;

  /** @param moments those of the run that this one continues */
  constructor(drawn: DrawnCheckpoints, clock: Clock, random: SeededRandom, moments = new Moments()) {
    this.#drawn = drawn;
    this.moments = moments;
    this.timers = new OwnTimers(clock);
    const { latencyMs, slowMs, isShared } = drawn;
    const { timers } = this;
    const stuck = (file: string): void => this.#stuck(file);
    this.storage = new SimulatedStorage({ timers, random, moments, latencyMs, slowMs, isShared, stuck });
    this.#files = new StoredFilesRule(this.storage, drawn.settings);
  }

  /** Number of armed timers that are not the run's. */
  get timerCount(): number {
    return this.timers.count;
  }

  /** Passes the moments of a run that its events tell, and lets faults strike it. */
  watch(graph: ExecutionGraph, random: SeededRandom, struck: () => Struck): void {
    const { run } = struck();
    this.moments.strike = ({ effect, vertex, subtask }) => {
      const index = graph.jobGraph.vertexIndexById.get(vertex as JobVertexId);
      // A run at another parallelism may not have it.
      if (index === undefined || subtask >= (graph.jobGraph.vertices[index]?.parallelism ?? 0)) return;
      const task = graph.vertexAt(index, subtask);
      // On a turn of its own, before or after whatever else is on its way.
      this.timers.after(random.pick([0, 0, 1, 3]), () => this.#strike(effect, task, struck()));
    };
    this.#stuck = (file) => this.timers.after(patienceMs, () => this.#restart(file, graph, struck()));
    run.events$.subscribe(({ type }) => {
      if (type === 'checkpoint.completed') this.#files.completed();
      if (momentsOfEvents.has(type)) this.moments.pass(type as CheckpointMoment);
    });
  }

  /** Only whoever watches a job can know that a state is read without end: they restart the task. */
  #restart(file: string, graph: ExecutionGraph, { run }: Struck): void {
    const [, vertex, subtask] = /^\d+-(.+)\.(\d+)(?:%23\d+)?\.state$/.exec(file) ?? [];
    const index = graph.jobGraph.vertexIndexById.get(decodeURIComponent(vertex ?? '') as JobVertexId);
    if (index === undefined || run.status !== 'running') return;
    insideOf(run).controls.restartTask(graph.vertexAt(index, Number(subtask)));
  }

  #strike(effect: DrawnCheckpointFault['effect'], task: ExecutionVertexId, { run, executors }: Struck): void {
    if (run.status !== 'running') return;
    const executor = executors?.executorOf(task);
    if (effect === 'task fails') insideOf(run).controls.failTask(task);
    else if (executor !== undefined) executors?.kill(executor, 'it was drawn');
  }

  /**
   * Whether a run rightly failed: no checkpoint was left that could be read, because they were damaged; or a state that could not be
   * captured was one too many, which a restart does not cure.
   */
  mayFailWith(failure: Error | undefined): boolean {
    const isDamaged = this.storage.damagedCount > 0 || this.moments.fired.some(({ effect }) => damages.has(effect));
    const isDeclined = this.moments.fired.some(({ effect }) => effect === 'declines');
    return (
      (isDamaged && causeWithCode(failure, 'NO_CHECKPOINT_LEFT') !== undefined) ||
      (isDeclined && causeWithCode(failure, 'CHECKPOINTS_FAILED') !== undefined)
    );
  }

  /** What is wrong with the checkpoints of a run that has ended. */
  problems(
    run: JobRun,
    events: readonly JobEvent[],
    graph: ExecutionGraph,
    regions: PipelinedRegions,
    { continues = false }: { readonly continues?: boolean } = {},
  ): string[] {
    const { latencyMs, settings } = this.#drawn;
    const fired = new Set(this.moments.fired.map(({ effect }) => effect));
    const held = (fired.has('is slow') ? this.#drawn.slowMs : 0) + (fired.has('never ends') ? settings.timeoutMs : 0);
    const rules = new CheckpointRules(graph, regions, this.#drawn, mostOperations * latencyMs + held, { continues });
    return [
      ...rules.violations(events, run),
      ...missingStates(events, graph, regions),
      ...this.#files.violations(this.moments.fired),
    ];
  }
}

const momentsOfEvents: ReadonlySet<string> = new Set([
  checkpointMoments.triggered,
  checkpointMoments.completed,
  checkpointMoments.failed,
  checkpointMoments.restored,
]);

const damages: ReadonlySet<DrawnCheckpointFault['effect']> = new Set(['is torn', 'has a bit flipped', 'is lost']);
