import type { Observable } from 'rxjs';
import type { AnyActorRef, InspectionEvent } from 'xstate';
import type { ActorWatcher } from '../actors/actor-host.ts';
import type { JobEvent } from '../actors/job-event.ts';
import type { ExecutionState, RegionState } from '../actors/protocol/states.ts';
import type { Environment } from '../environment.ts';
import type { ExecutorObserver } from '../executors/executors.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import type { FailoverRule } from '../failover/failover-strategy.ts';
import type { RecoveryView } from '../failover/restart-proposal.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, RegionId, RunId, PartitionId } from '../ids.ts';
import type { MovingCounts } from '../operators/task/task-parts.ts';
import type { PresentExecutor } from './executors/present-executors.ts';
import type { JobShape } from './folds/job-shape.ts';
import type { JobPlan } from './job-plan.ts';
import type { RunControls } from './run-controls.ts';
import type { JobRun } from './job-run.ts';
import type { ResolvedRecordOptions } from './record-option.ts';
import type { StorageUse } from './storage-use.ts';

/** A result in an executor, and what it takes. */
export interface HeldStatistics {
  readonly partition: PartitionId;
  readonly records: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly sinceMs: number;
}

/**
 * The inside of a run, for what watches and steers it: recordings, the inspector, metrics. Reading it changes nothing,
 * and a run that is not watched pays nothing for it.
 */
export interface RunInside {
  readonly run: RunId;
  readonly plan: JobPlan;
  readonly shape: JobShape;
  /** Its timers end with the run. */
  readonly environment: Environment;
  /** In bytes; Infinity for no limit. */
  readonly memoryBudgetBytes: number;
  readonly diskBudgetBytes: number;
  /** How the run is to be recorded in a file; undefined if it is not. */
  readonly record: ResolvedRecordOptions | undefined;
  /** What decides what restarts: a rule of the user, the default rule, or a machine. */
  readonly failoverRule: FailoverRule | 'default' | 'machine';
  /** Which results can be read now, and which regions have begun. */
  readonly recovery: RecoveryView & { attemptOf(vertex: ExecutionVertexId): AttemptNumber };
  /**
   * The job's events in order, from now on; completes when the job has ended. A subscriber that throws is reported by
   * `observer.failed` and not called again.
   */
  readonly events$: Observable<JobEvent>;
  /** What happened before and is kept: the events of executors and of the latest failovers. */
  pastEvents(): readonly JobEvent[];
  /**
   * Observes XState's inspection events of the actors of this process, which form one system, until the returned
   * function is called. Costs as much as `inspect` of `job.run`. An observer that throws is reported once.
   */
  inspect(observer: (event: InspectionEvent) => void): () => void;
  /**
   * Follows the actors of this process, except regions and executions, whose states are events of the job, until the
   * returned function is called. Costs little. A watcher must not throw.
   */
  watch(watcher: ActorWatcher): () => void;
  /** Observes the actors of executors in other threads, which form systems of their own, as `Executors` says. */
  observeExecutors(observer: ExecutorObserver): () => void;
  /** Reports that an executor has said something to an observer that is not valid: by `message.invalid`. */
  messageInvalid(executor: ExecutorId, found: { readonly message: string; readonly problem: string }): void;
  /** The actors of this process that exist now, parents first; without those of failovers, which end soon. O(tasks and results) */
  actors(): Iterable<AnyActorRef>;
  /** The present attempt of a task; its state is undefined before the job has begun. */
  taskOf(vertex: ExecutionVertexId): { readonly attempt: AttemptNumber; readonly state: ExecutionState | undefined };
  /** The present state of a region; undefined before the job has begun. */
  regionStateOf(region: RegionId): RegionState | undefined;
  /** Counts of running attempts, by task. */
  moving(): Iterable<readonly [vertex: ExecutionVertexId, counts: MovingCounts]>;
  /** Current use of memory and disk by results, by exchange. O(results) */
  storage(): readonly StorageUse[];
  /** Steers the run: restarts on request, and faults on purpose. */
  readonly controls: RunControls;
  /** The results in the executors, one by one; statistics are computed as they are asked for. */
  held(): Iterable<HeldStatistics>;
  /** The executors that are not lost. O(tasks and results) */
  executors(): Iterable<PresentExecutor>;
  /** Reports, once per observer, that an observer of the run failed: by `observer.failed`, on a later turn. */
  observerFailed(observer: string, cause: Error): void;
}

const insides = new WeakMap<JobRun, RunInside>();

/** For the composition root. */
export function registerInside(run: JobRun, inside: RunInside): void {
  insides.set(run, inside);
}

/**
 * The inside of a run of this process.
 * @throws InvalidArgumentError if it is not the handle of a run
 */
export function insideOf(run: JobRun): RunInside {
  const inside = insides.get(run);
  if (inside === undefined) throw new InvalidArgumentError('run', run, 'what job.run() returned');
  return inside;
}
