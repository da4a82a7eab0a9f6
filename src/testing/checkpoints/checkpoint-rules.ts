import type { JobEvent } from '../../actors/job-event.ts';
import { type StreamingComponents, streamingComponents } from '../../checkpoints/streaming-components.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';
import type { JobStatus } from '../../actors/protocol/states.ts';
import type { CheckpointId, RegionId } from '../../ids.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { DrawnCheckpoints } from './drawn-checkpoints.ts';

type EventOf<Type extends JobEvent['type']> = Extract<JobEvent, { readonly type: Type }>;

interface Component {
  /** Those under way; whether a region of it has stopped running since. */
  readonly pending: Map<CheckpointId, { readonly kind: 'checkpoint' | 'savepoint'; isDisturbed: boolean }>;
  /** Those from which it can restart. */
  retained: CheckpointId[];
  /** Those of an input that is produced anew. */
  readonly outdated: Set<CheckpointId>;
  /** The latest that could not be read. */
  unreadable: CheckpointId | undefined;
  newest: number;
  completedMs: number;
  readonly running: Set<RegionId>;
  readonly finished: Set<RegionId>;
  /** Since when it could be checkpointed and nothing was under way; undefined if it could not, or something was. */
  idleSinceMs: number | undefined;
  completed: number;
  failed: number;
  restored: number;
}

/**
 * The rules of checkpoints, by the events of a run:
 *
 * - K1 The numbers of a component's checkpoints grow. Each ends once; not more are under way than may be, and none begins
 *   within the pause.
 * - K2 A checkpoint is aborted for a failover only if a region of its own component has stopped running.
 * - K3 A region continues from the latest completed checkpoint of its component that can be read. A savepoint is none, unless the
 *   run is to stop with it: its sinks commit. None is under way in a component when a region of it begins: it would complete with the states of
 *   an attempt from before. One of an input that was produced anew since is never used. If none is left, the job fails.
 * - K4 While a component runs, checkpoints go on at their interval, whatever becomes of other components.
 * - K5 The reports of the run count what happened.
 */
export class CheckpointRules {
  readonly #components: StreamingComponents;
  readonly #settings: DrawnCheckpoints['settings'];
  /** Whether savepoints are checkpoints of the run too. */
  readonly #doesStop: boolean;
  readonly #longestMs: number;
  readonly #states = new Map<number, Component>();
  readonly #found: string[] = [];
  /** Problems unless the job fails. */
  readonly #unlessFailed: string[] = [];
  #status: JobStatus | undefined;
  /** Those from which it can continue at its beginning. */
  readonly #first: readonly CheckpointId[];

  /** @param slackMs how long the storage may hold up a checkpoint, at most */
  constructor(
    graph: ExecutionGraph,
    regions: PipelinedRegions,
    { settings, savepoint }: Pick<DrawnCheckpoints, 'settings' | 'savepoint'>,
    slackMs: number,
    { continues = false }: { readonly continues?: boolean } = {},
  ) {
    // The states of a savepoint become checkpoint 1 of the run.
    this.#first = continues ? [1 as CheckpointId] : [];
    this.#components = streamingComponents(graph, regions);
    this.#settings = settings;
    this.#doesStop = savepoint?.stops === true;
    this.#longestMs = 2 * settings.intervalMs + settings.minPauseMs + slackMs;
  }

  violations(events: readonly JobEvent[], run: Pick<JobRun, 'receipt' | 'checkpoints'>): string[] {
    for (const [index, event] of events.entries()) {
      const complain: Complain = (rule, problem, mayFail = false) => {
        (mayFail ? this.#unlessFailed : this.#found).push(`${rule} at event ${index}: ${problem}`);
      };
      if ('atMs' in event) this.#waitFor(event.atMs, complain);
      this.#next(event, complain);
    }
    // A process that dies has not ended its job: the next one has to fail.
    if (this.#status === 'finished' || this.#status === 'canceled') this.#found.push(...this.#unlessFailed);
    return [...this.#found, ...this.#miscounted(run)];
  }

  #next(event: JobEvent, complain: Complain): void {
    switch (event.type) {
      case 'region.stateChanged':
        return this.#regionChanged(event, complain);
      case 'job.statusChanged':
        this.#status = event.status;
        if (event.status !== 'running') for (const state of this.#states.values()) state.idleSinceMs = undefined;
        return;
      case 'checkpoint.triggered':
        return this.#triggered(event, complain);
      case 'checkpoint.completed':
        return this.#completed(event, complain);
      case 'checkpoint.failed':
        return this.#failed(event, complain);
      case 'checkpoint.restored':
        return this.#restored(event, complain);
      case 'checkpoint.outdated':
        this.#of(event.component).outdated.add(event.checkpoint);
        return;
      case 'checkpoint.unreadable': {
        const state = this.#of(event.component);
        state.retained = state.retained.filter((id) => id !== event.checkpoint);
        state.unreadable = event.checkpoint;
        return;
      }
      default:
    }
  }

  #regionChanged({ region, state, atMs }: EventOf<'region.stateChanged'>, complain: Complain): void {
    const component = this.#components.componentOf(region);
    const of = this.#of(component.id);
    if (state === 'deploying' && of.pending.size > 0) {
      complain('K3', `region ${region} begins while checkpoint ${[...of.pending.keys()].join(', ')} is under way`);
    }
    of.running.delete(region);
    of.finished.delete(region);
    if (state === 'running') of.running.add(region);
    else if (state === 'finished') of.finished.add(region);
    else for (const pending of of.pending.values()) pending.isDisturbed = true;
    const isRunning =
      of.running.size > 0 &&
      of.running.size + of.finished.size === component.regions.length &&
      !component.writesCompleteResults;
    if (!isRunning) of.idleSinceMs = undefined;
    else if (of.pending.size === 0) of.idleSinceMs ??= atMs;
  }

  #triggered({ component, checkpoint, kind, atMs }: EventOf<'checkpoint.triggered'>, complain: Complain): void {
    const of = this.#of(component);
    const { maxConcurrent, minPauseMs } = this.#settings;
    if (checkpoint <= of.newest) complain('K1', `checkpoint ${checkpoint} follows ${of.newest}`);
    of.newest = checkpoint;
    of.pending.set(checkpoint, { kind, isDisturbed: false });
    const besides = [...of.pending.values()].filter((one) => one.kind === 'checkpoint').length;
    // Savepoints are taken when they are wanted.
    if (kind === 'checkpoint' && besides > maxConcurrent) complain('K1', `${besides} checkpoints are under way`);
    if (kind === 'checkpoint' && atMs < of.completedMs + minPauseMs)
      complain('K1', `checkpoint ${checkpoint} begins within the pause`);
    of.idleSinceMs = undefined;
  }

  #completed({ component, checkpoint, kind, atMs }: EventOf<'checkpoint.completed'>, complain: Complain): void {
    const of = this.#of(component);
    if (!of.pending.delete(checkpoint)) complain('K1', `checkpoint ${checkpoint} completes, and was not under way`);
    of.completed++;
    if (kind === 'checkpoint') of.completedMs = atMs;
    if (kind === 'checkpoint' || this.#doesStop)
      of.retained = [...of.retained, checkpoint].sort((a, b) => a - b).slice(-this.#settings.retained);
    this.#ended(of, component, atMs);
  }

  #failed({ component, checkpoint, reason, atMs }: EventOf<'checkpoint.failed'>, complain: Complain): void {
    const of = this.#of(component);
    of.failed++;
    const pending = checkpoint === undefined ? undefined : of.pending.get(checkpoint);
    if (checkpoint !== undefined) of.pending.delete(checkpoint);
    if (reason === 'failover' && pending?.isDisturbed === false) {
      complain('K2', `checkpoint ${checkpoint} of component ${component} is aborted, and none of its regions restarts`);
    }
    this.#ended(of, component, atMs);
  }

  #restored({ component, checkpoint, region }: EventOf<'checkpoint.restored'>, complain: Complain): void {
    const of = this.#of(component);
    of.restored++;
    const latest = of.retained.filter((id) => !of.outdated.has(id)).at(-1);
    if (checkpoint === latest) return;
    // None is left: the job is about to fail, and regions that already have their slots may begin.
    const isLast = latest === undefined && checkpoint === of.unreadable;
    complain('K3', `region ${region} continues from checkpoint ${checkpoint}, not ${latest}`, isLast);
  }

  #ended(of: Component, component: number, atMs: number): void {
    const { regions } = this.#componentOf(component);
    const isRunning = of.running.size > 0 && of.running.size + of.finished.size === regions.length;
    if (isRunning && of.pending.size === 0) of.idleSinceMs = atMs;
  }

  /** K4. */
  #waitFor(nowMs: number, complain: Complain): void {
    for (const [component, of] of this.#states) {
      if (of.idleSinceMs === undefined || nowMs - of.idleSinceMs <= this.#longestMs) continue;
      complain(
        'K4',
        `component ${component} runs since ${of.idleSinceMs} ms, and begins no checkpoint until ${nowMs} ms`,
      );
      of.idleSinceMs = undefined;
    }
  }

  #miscounted(run: Pick<JobRun, 'receipt' | 'checkpoints'>): string[] {
    const total = { completed: 0, failed: 0, restored: 0 };
    const found: string[] = [];
    for (const [component, { completed, failed, restored }] of this.#states) {
      const told = run.checkpoints().find((one) => one.component === component);
      const [happened, reported] = [{ completed, failed, restored }, countsOf(told)].map((counts) =>
        JSON.stringify(counts),
      );
      if (happened !== reported) found.push(`K5: component ${component} reports ${reported}, and had ${happened}`);
      total.completed += completed;
      total.failed += failed;
      total.restored += restored;
    }
    const [happened, reported] = [total, countsOf(run.receipt().checkpoints)].map((counts) => JSON.stringify(counts));
    if (happened !== reported) found.push(`K5: the receipt has ${reported}, and there were ${happened}`);
    return found;
  }

  #componentOf(id: number): StreamingComponents['list'][number] {
    return this.#components.list[id] as StreamingComponents['list'][number];
  }

  #of(component: number): Component {
    let state = this.#states.get(component);
    if (state === undefined) {
      state = {
        ...{
          pending: new Map(),
          retained: [...this.#first],
          outdated: new Set(),
          unreadable: undefined,
          newest: this.#first.length,
          completedMs: -Infinity,
        },
        ...{ running: new Set(), finished: new Set(), idleSinceMs: undefined },
        ...{ completed: 0, failed: 0, restored: 0 },
      };
      this.#states.set(component, state);
    }
    return state;
  }
}

type Complain = (rule: string, problem: string, mayFail?: boolean) => void;

function countsOf({
  completed = 0,
  failed = 0,
  restored = 0,
}: {
  completed?: number;
  failed?: number;
  restored?: number;
} = {}) {
  return { completed, failed, restored };
}
