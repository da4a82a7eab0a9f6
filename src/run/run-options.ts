import { resolve } from 'node:path';
import type { AnyActorLogic, InspectionEvent } from 'xstate';
import type { HeartbeatSettings } from '../actors/protocol/heartbeat.ts';
import { checkEnvironment, type Environment, systemEnvironment } from '../environment.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { exponentialDelay } from '../failover/backoffs/exponential-delay.ts';
import { type BackoffScope, checkBackoffScope } from '../failover/backoffs/backoff-scope.ts';
import type { FailoverRule, FailureEnricher } from '../failover/failover-strategy.ts';
import type { FailureClassifier } from '../failover/failure-classifier.ts';
import { checkQuarantine, type Quarantine } from '../failover/quarantine.ts';
import type { RestartBackoffRule } from '../failover/backoffs/restart-backoff.ts';
import { restartPipelinedRegion } from '../failover/strategies/restart-pipelined-region.ts';
import type { MemoryOverflow } from '../graph/exchange-settings.ts';
import { type KeepResults, checkKeepResults, type KeepInRun } from '../graph/keep-results.ts';
import { failoverStrategyMachine } from '../machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../machines/strategies/restart-backoff-machine.ts';
import type { DiskOverflow } from '../partitions/retained/disk-room.ts';
import {
  type CheckpointOptions,
  type ResolvedCheckpoints,
  resolveCheckpoints,
} from './checkpoints/checkpoints-option.ts';
import { type ChosenSavepoint, resolveSavepoint, type SavepointOptions } from './savepoints/savepoint-option.ts';
import { type ExecutorsOption, resolveExecutors } from './executors/executors-option.ts';
import { type HeartbeatOptions, resolveHeartbeat } from './executors/heartbeat-option.ts';
import { type RunRecordingOptions, type ResolvedRecordOptions, resolveRecord } from './record-option.ts';
import {
  type ResolvedSpeculation,
  resolveSpeculation,
  type SpeculationOptions,
} from './executors/speculation-option.ts';
import { hasMethods, propertyOf } from '../foreign-value.ts';
import { budget, checkOptions, count, milliseconds, type OptionNames } from '../options.ts';

/**
 * Options of a run. Every option has a default: `job.run()` runs the job in this process and recovers from failures.
 */
export interface JobRunOptions extends SavepointOptions {
  /**
   * Decides which regions restart after a failure: a rule (`restartPipelinedRegion()`, the default; `restartAll()`;
   * `restartIndividual()`; a custom function) or a machine made with `failoverStrategySetup`.
   */
  readonly failoverStrategy?: FailoverRule | AnyActorLogic | undefined;
  /**
   * Decides whether and when they restart: `exponentialDelay()`, `fixedDelay()`, `failureRate()`, `noRestart()`, a
   * custom rule, or a machine made with `restartBackoffSetup`. Default: `exponentialDelay()`.
   */
  readonly restartBackoff?: RestartBackoffRule | AnyActorLogic | undefined;
  /**
   * Which failures share a restart budget: those of a `region` (default), those of the `job`, or those to which a function
   * gives the same name, such as a tenant's.
   */
  readonly backoffScope?: BackoffScope | undefined;
  /**
   * Quarantines a region at failure `afterFailures` within `withinMs`: it does not restart before `run.release(region)`,
   * and the job goes on without it, to end with a `JobIncompleteError`. Default: none; the backoff alone decides.
   */
  readonly quarantine?: Quarantine | undefined;
  /** Classify failures, asked in order before the built-in classifier. */
  readonly failureClassifiers?: readonly FailureClassifier[] | undefined;
  /** Label failures in events and history; do not affect the recovery. */
  readonly failureEnrichers?: readonly FailureEnricher[] | undefined;
  /** How long a strategy or backoff may take to decide, in ms. Default 10 000. */
  readonly decisionDeadlineMs?: number | undefined;
  /** Slots per executor: a task that runs takes one, alone or with others of its slot sharing group. Default: no limit. */
  readonly slots?: number | undefined;
  /**
   * Where tasks run: a number of task executors in this process, or `workers({ count })` for executors in worker threads.
   * A task that cannot be canceled takes down the tasks of its executor. Default 1.
   */
  readonly executors?: ExecutorsOption | undefined;
  /**
   * How the master and its executors watch each other. Default: they do if executors are worker threads; those of this
   * process share the master's thread, and would be silent only together with it.
   */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /**
   * Gives a task that takes much longer than the others of its vertex a second attempt on another executor; the first of
   * them to finish counts. For tasks whose work may be done twice: see the page about executors. Default false.
   */
  readonly speculation?: boolean | SpeculationOptions | undefined;
  /** How long a region waits for slots before it fails, in ms. Default 300 000. */
  readonly slotRequestTimeoutMs?: number | undefined;
  /** How long a canceled task may take to end before its executor is quarantined, in ms. Default 30 000. */
  readonly cancellationTimeoutMs?: number | undefined;
  /** Maximum records per batch. Default 1 024. */
  readonly batchSize?: number | undefined;
  /**
   * Maximum estimated bytes per batch: large records make shorter batches, and a larger record travels alone. A few
   * batches wait between two tasks. Default 1 MiB.
   */
  readonly batchBytes?: number | undefined;
  /** Maximum bytes of results that `blocking` and `memory` exchanges hold in memory, per run. Default 256 MiB. */
  readonly memoryBudgetBytes?: number | undefined;
  /**
   * What happens to a result of a `memory` exchange past the budget: `drop` (default) drops the oldest batches that
   * were read, so that a failed consumer restarts its producer too; `spill` writes the rest to disk. Results of
   * `blocking` exchanges always spill.
   */
  readonly memoryOverflow?: MemoryOverflow | undefined;
  /**
   * How long retained results are kept: `until-consumers-finish` (default), `{ ttlMs }` longer, or `until-job-ends`.
   * Keeping them longer spares their producers when a finished consumer has to restart, and costs memory or disk.
   */
  readonly keepResults?: KeepInRun | undefined;
  /** Maximum bytes that results hold on disk, per run. Default: no limit. */
  readonly diskBudgetBytes?: number | undefined;
  /**
   * What happens when the disk budget is used up. `back-pressure` (default): the producer waits until results are
   * released. `drop-releasable`: kept results that all their consumers have read are released, quickest to recompute
   * first; if there are none, the job fails. `fail`: the job fails at once.
   */
  readonly diskOverflow?: DiskOverflow | undefined;
  /** How long a producer waits for disk space before its task fails, in ms. Default 300 000. */
  readonly diskWaitTimeoutMs?: number | undefined;
  /**
   * Directory for spilled results; each run creates its own directory in it. Default: the system's temporary directory.
   */
  readonly spillDirectory?: string | undefined;
  /**
   * Directory in which the run keeps what a later run of the same job needs to continue: after a failure, a
   * cancellation or a crash, run the job again with the same directory. One run at a time owns it. Default: none; nothing
   * outlives the process.
   */
  readonly stateDirectory?: string | undefined;
  /**
   * Whether the run continues an earlier one in `stateDirectory`: `auto` (default), if there is one; `require`, or fails;
   * `never`: nothing from before is used, remembered answers included.
   */
  readonly resume?: ResumePolicy | undefined;
  /** Runs everything again although nothing has changed; remembered answers are still used. Default false. */
  readonly rerun?: boolean | undefined;
  /** Checkpoints of the streaming parts of the job. Default: none; a restarted region begins anew. */
  readonly checkpoints?: CheckpointOptions | undefined;
  /** Number of failures in `failures`. Default 16. */
  readonly exceptionHistorySize?: number | undefined;
  /** Cancels the job when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Receives XState's inspection events of all actors of the run, which form one tree: a function, or an observer such
   * as the `inspect` of `@statelyai/inspect`. Costly: about doubles the cost of a transition.
   */
  readonly inspect?: ((event: InspectionEvent) => void) | InspectionObserver | undefined;
  /**
   * Records the run in a file (`run.jsonl`): its events, the states of its actors, samples. The inspector opens it later,
   * also that of a process that was killed. Bounded, without likely secrets. Default: no recording.
   */
  readonly record?: string | RunRecordingOptions | undefined;
  /** Clock, randomness, logger, fault points. Default: those of the system. */
  readonly environment?: Environment | undefined;
}

/** Whether a run continues an earlier one. */
export type ResumePolicy = 'auto' | 'require' | 'never';

/** Observes the actors of a run. Gets neither error nor completion, because it may observe several runs. */
export interface InspectionObserver {
  next?: ((event: InspectionEvent) => void) | undefined;
}

/** The options of a run with every default filled in. */
export interface ResolvedRunOptions {
  readonly failoverStrategy: AnyActorLogic;
  /** What `failoverStrategy` was made of. */
  readonly failoverRule: FailoverRule | 'default' | 'machine';
  readonly restartBackoff: AnyActorLogic;
  readonly backoffScope: BackoffScope;
  readonly quarantine: Quarantine | undefined;
  readonly failureClassifiers: readonly FailureClassifier[];
  readonly failureEnrichers: readonly FailureEnricher[];
  readonly decisionDeadlineMs: number;
  readonly slots: number;
  readonly executors: ExecutorsOption;
  readonly heartbeat: HeartbeatSettings | undefined;
  readonly speculation: ResolvedSpeculation | undefined;
  readonly slotRequestTimeoutMs: number;
  readonly cancellationTimeoutMs: number;
  readonly batchSize: number;
  readonly batchBytes: number;
  readonly memoryBudgetBytes: number;
  readonly memoryOverflow: MemoryOverflow;
  readonly keepResults: KeepResults;
  readonly diskBudgetBytes: number;
  readonly diskOverflow: DiskOverflow;
  readonly diskWaitTimeoutMs: number;
  readonly spillDirectory: string | undefined;
  readonly stateDirectory: string | undefined;
  readonly resume: ResumePolicy;
  readonly rerun: boolean;
  readonly checkpoints: ResolvedCheckpoints | undefined;
  readonly savepoint: ChosenSavepoint | undefined;
  readonly exceptionHistorySize: number;
  readonly signal: AbortSignal | undefined;
  readonly inspect: ((event: InspectionEvent) => void) | undefined;
  readonly record: ResolvedRecordOptions | undefined;
  readonly environment: Environment;
}

/** Default of `exceptionHistorySize`. */
export const defaultExceptionHistorySize = 16;

/** The names of all options of a run. */
export const runOptionNames: OptionNames<JobRunOptions> = {
  failoverStrategy: true,
  restartBackoff: true,
  backoffScope: true,
  quarantine: true,
  failureClassifiers: true,
  failureEnrichers: true,
  decisionDeadlineMs: true,
  slots: true,
  executors: true,
  heartbeat: true,
  speculation: true,
  slotRequestTimeoutMs: true,
  cancellationTimeoutMs: true,
  batchSize: true,
  batchBytes: true,
  memoryBudgetBytes: true,
  memoryOverflow: true,
  keepResults: true,
  diskBudgetBytes: true,
  diskOverflow: true,
  diskWaitTimeoutMs: true,
  spillDirectory: true,
  stateDirectory: true,
  resume: true,
  rerun: true,
  checkpoints: true,
  ...{ fromSavepoint: true, allowRemovedState: true },
  exceptionHistorySize: true,
  signal: true,
  inspect: true,
  record: true,
  environment: true,
};

/** Made once, because XState computes each machine that is made anew. */
const defaultStrategy = failoverStrategyMachine(restartPipelinedRegion());
const defaultBackoff = restartBackoffMachine(exponentialDelay());

/**
 * Fills in the defaults and checks every option.
 * @throws InvalidArgumentError for the first invalid option
 */
export function resolveRunOptions(options: JobRunOptions): ResolvedRunOptions {
  checkOptions('run', options, runOptionNames);
  const strategy = options.failoverStrategy ?? defaultStrategy;
  const backoff = options.restartBackoff ?? defaultBackoff;
  const { environment = systemEnvironment() } = options;
  const executors = resolveExecutors(options.executors);
  checkEnvironment(environment);
  return {
    failoverStrategy:
      typeof strategy === 'function' ? failoverStrategyMachine(strategy) : actorLogic('failoverStrategy', strategy),
    failoverRule:
      options.failoverStrategy === undefined ? 'default' : typeof strategy === 'function' ? strategy : 'machine',
    restartBackoff: isRule(backoff) ? restartBackoffMachine(backoff) : actorLogic('restartBackoff', backoff),
    backoffScope: checkBackoffScope(options.backoffScope),
    quarantine: checkQuarantine(options.quarantine),
    failureClassifiers: functions('failureClassifiers', options.failureClassifiers),
    failureEnrichers: functions('failureEnrichers', options.failureEnrichers),
    decisionDeadlineMs: milliseconds('decisionDeadlineMs', options.decisionDeadlineMs, 10_000),
    slots: count('slots', options.slots, Number.POSITIVE_INFINITY),
    executors,
    heartbeat: resolveHeartbeat(options.heartbeat ?? (typeof executors === 'number' ? undefined : {})),
    speculation: resolveSpeculation(options.speculation),
    slotRequestTimeoutMs: milliseconds('slotRequestTimeoutMs', options.slotRequestTimeoutMs, 300_000),
    cancellationTimeoutMs: milliseconds('cancellationTimeoutMs', options.cancellationTimeoutMs, 30_000),
    batchSize: count('batchSize', options.batchSize, 1_024, 1 << 20),
    batchBytes: count('batchBytes', options.batchBytes, 1 << 20, 1 << 30),
    memoryBudgetBytes: budget('memoryBudgetBytes', options.memoryBudgetBytes, 256 * 1_024 * 1_024),
    memoryOverflow: oneOf('memoryOverflow', options.memoryOverflow, ['drop', 'spill']),
    keepResults: checkKeepResults('keepResults', options.keepResults ?? 'until-consumers-finish'),
    diskBudgetBytes: budget('diskBudgetBytes', options.diskBudgetBytes, Number.POSITIVE_INFINITY),
    diskOverflow: oneOf('diskOverflow', options.diskOverflow, ['back-pressure', 'drop-releasable', 'fail']),
    diskWaitTimeoutMs: milliseconds('diskWaitTimeoutMs', options.diskWaitTimeoutMs, 300_000),
    spillDirectory: directory('spillDirectory', options.spillDirectory),
    ...durability(options),
    checkpoints: resolveCheckpoints(options.checkpoints),
    savepoint: resolveSavepoint(options, options.checkpoints !== undefined),
    exceptionHistorySize: count(
      'exceptionHistorySize',
      options.exceptionHistorySize,
      defaultExceptionHistorySize,
      100_000,
    ),
    signal: abortSignal(options.signal),
    inspect: inspector(options.inspect),
    record: resolveRecord(options.record),
    environment,
  };
}

/** @throws InvalidArgumentError also for options that need a state directory */
function durability({ stateDirectory, resume, rerun }: JobRunOptions) {
  const policy = oneOf('resume', resume, ['auto', 'require', 'never']);
  if (rerun !== undefined && typeof rerun !== 'boolean')
    throw new InvalidArgumentError('rerun', rerun, 'true or false');
  if (stateDirectory === undefined && (policy === 'require' || rerun === true)) {
    const option = rerun === true ? 'rerun' : 'resume';
    throw new InvalidArgumentError(option, rerun === true ? rerun : policy, 'given together with stateDirectory');
  }
  return { stateDirectory: directory('stateDirectory', stateDirectory), resume: policy, rerun: rerun ?? false };
}

function abortSignal(given: AbortSignal | undefined): AbortSignal | undefined {
  if (given === undefined || typeof propertyOf(given, 'aborted') === 'boolean') return given;
  throw new InvalidArgumentError('signal', given, 'an AbortSignal (`controller.signal`)');
}

function isRule(backoff: unknown): backoff is RestartBackoffRule {
  return propertyOf(backoff, 'onFailure') !== undefined;
}

function actorLogic(option: string, given: unknown): AnyActorLogic {
  if (hasMethods(given, 'transition', 'getInitialSnapshot')) return given as AnyActorLogic;
  throw new InvalidArgumentError(option, given, 'a rule, or a machine or other actor logic of XState');
}

function inspector(given: JobRunOptions['inspect']): ResolvedRunOptions['inspect'] {
  if (given === undefined || typeof given === 'function') return given;
  if (hasMethods(given, 'next')) return (event) => given.next?.(event);
  throw new InvalidArgumentError('inspect', given, 'a function, or an observer with a method next');
}

/** An absolute path: the user's code may change the working directory. */
function directory(option: string, given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && given !== '' && !given.includes('\0')) return resolve(given);
  throw new InvalidArgumentError(option, given, 'the path of a directory');
}

/** One of the given words; the first by default. */
function oneOf<Word extends string>(option: string, given: Word | undefined, words: readonly [Word, ...Word[]]): Word {
  const value = given ?? words[0];
  if (!words.includes(value))
    throw new InvalidArgumentError(option, value, words.map((word) => `"${word}"`).join(' or '));
  return value;
}

/** An array of functions; none by default. */
function functions<Fn>(option: string, given: readonly Fn[] | undefined): readonly Fn[] {
  if (given !== undefined && !Array.isArray(given))
    throw new InvalidArgumentError(option, given, 'an array of functions');
  for (const item of given ?? []) {
    if (typeof item !== 'function') throw new InvalidArgumentError(option, item, 'functions');
  }
  return given ?? [];
}
