import type { CheckpointStorage } from '../checkpoints/checkpoint-storage.ts';
import { causeWithCode } from '../errors/cause-chain.ts';
import { toError } from '../errors/thrown-value.ts';
import type { Logger } from '../environment.ts';
import type { Executors } from '../executors/executors.ts';
import { LocalDataPlane } from '../executors/local-data-plane.ts';
import { fixedDelay } from '../failover/backoffs/fixed-delay.ts';
import { noRestart } from '../failover/backoffs/no-restart.ts';
import { restartAll } from '../failover/strategies/restart-all.ts';
import { restartIndividual } from '../failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../failover/strategies/restart-pipelined-region.ts';
import { givenOf } from '../options.ts';
import type { LmdbState } from '../operators/state/disk/lmdb-state.ts';
import type { JobPlan } from '../run/job-plan.ts';
import type { JobReceipt } from '../run/folds/job-receipt.ts';
import { jobShape } from '../run/folds/job-shape.ts';
import { foldEvent, runFolds } from '../run/folds/run-folds.ts';
import type { JobRun } from '../run/job-run.ts';
import { defaultExceptionHistorySize, type JobRunOptions } from '../run/run-options.ts';
import { runJob, type RunSeams } from '../run/run-job.ts';
import type { ExecutorDeath } from './checkpoints/late-commits.ts';
import type { SimulatedCheckpoints } from './checkpoints/simulated-checkpoints.ts';
import type { SimulatedSavepoint } from './checkpoints/simulated-savepoint.ts';
import { type DrawnRun, type DrawnShape, sparedRestarts } from './drawn-run.ts';
import { JobHistory, unrecorded } from './job-history.ts';
import type { MemorySpillStore } from './storage/memory-spill-store.ts';
import type { SpillStore } from '../partitions/storage/spill-store.ts';
import { roughLink } from './rough-link.ts';
import { seededRandom } from './seeded-random.ts';
import { slowTasks } from './speculation/slowed-tasks.ts';
import { drawnWorkers } from './workers/drawn-workers.ts';
import type { VirtualEnvironment } from './virtual-environment.ts';

/** Run options that a simulation can fix instead of drawing them. */
export type GivenRunOptions = Pick<
  JobRunOptions,
  | 'failoverStrategy'
  | 'restartBackoff'
  | 'quarantine'
  | 'failureClassifiers'
  | 'failureEnrichers'
  | 'decisionDeadlineMs'
  | 'batchSize'
  | 'memoryBudgetBytes'
  | 'memoryOverflow'
  | 'diskBudgetBytes'
  | 'diskOverflow'
  | 'keepResults'
  | 'slots'
  | 'executors'
>;

/** The parts of a simulated run that are not drawn. */
export interface UndrawnOptions {
  /** Run options to fix instead of drawing them, such as a custom strategy. */
  readonly options?: GivenRunOptions | undefined;
  /** Called with each run as it starts; first with the undisturbed run, unless it is cached. */
  readonly watch?: ((run: JobRun) => void) | undefined;
  /** Default: nothing is logged. */
  readonly logger?: Logger | undefined;
}

/**
 * The number of restarts that a region may take: more than any correct run with that many faults needs, and few enough
 * that a job that can never finish (its disk is too small) does not take most of the time.
 */
function restartLimit(faults: number): number {
  return sparedRestarts + 3 * faults;
}

function faultCount({ faults, checkpointFaults }: DrawnRun): number {
  return faults.length + checkpointFaults.length;
}

/** After more failures for want of disk than these a job is taken to need more than its budget, and is cancelled. */
export function toleratedWants(drawn: DrawnShape | DrawnRun): number {
  return Math.floor(restartLimit(isDisturbed(drawn) ? faultCount(drawn) : 0) / 2);
}

/** Whether the disk budget was too small. */
export function isWant(error: Error): boolean {
  return causeWithCode(error, 'DISK_BUDGET_EXCEEDED') !== undefined;
}

/** The parts of a run that its simulation has made. */
interface SimulatedParts {
  /** Called before the run begins. */
  readonly started?: (executors: Executors) => void;
  readonly checkpoints?: Pick<SimulatedCheckpoints, 'storage' | 'timerCount'> | undefined;
  readonly savepoint?: SimulatedSavepoint | undefined;
  /** Whether it continues from the savepoint. */
  readonly continues?: boolean;
  /** Another process continues it, or it continues that of another one. */
  readonly stateDirectory?: string | undefined;
  /** Where tasks keep keyed states. Default: in memory. */
  readonly stateBackend?: LmdbState | undefined;
  /** Called with the run as it starts. */
  readonly running?: (run: JobRun) => void;
}

/** The end of a simulated run. */
export interface SimulatedEnd {
  readonly run: JobRun;
  readonly history: JobHistory;
  /** Of workers. */
  readonly deaths: readonly ExecutorDeath[];
  readonly receipt: JobReceipt;
  readonly failure: Error | undefined;
  /** Timers and files that the run left behind at its end. */
  readonly leftovers: readonly string[];
  /** Where its own reports differ from the folds over its events. */
  readonly unrecorded: readonly string[];
}

/** Runs a plan as drawn, on virtual time. */
export async function runSimulated(
  plan: JobPlan,
  environment: VirtualEnvironment,
  drawn: DrawnShape | DrawnRun,
  spillStore: MemorySpillStore,
  { options = {}, watch }: UndrawnOptions,
  parts: SimulatedParts = {},
): Promise<SimulatedEnd> {
  const {
    started = () => {},
    checkpoints,
    savepoint,
    continues = false,
    stateDirectory,
    stateBackend,
    running,
  } = parts;
  const history = new JobHistory();
  const deaths: ExecutorDeath[] = [];
  const run = runJob(
    plan,
    {
      ...drawnOptions(drawn, checkpoints?.storage.storage, stateBackend),
      ...{ ...givenOf(options), environment },
      stateDirectory,
      ...(continues && { fromSavepoint: savepoint?.directory }),
    },
    {
      cluster: ({ executors }) => started(executors),
      ...{ ...seamsOf(drawn, spillStore, deaths), ...(savepoint && { savepoints: savepoint }) },
    },
  );
  const recorded = runFolds(jobShape(plan), { exceptionHistorySize: defaultExceptionHistorySize });
  let wants = 0;
  run.events$.subscribe((event) => {
    history.add(event);
    foldEvent(recorded, event);
    // It waits a second of its time for the disk after each restart, as often as its regions may restart.
    if (event.type === 'task.failed' && isWant(event.cause) && ++wants === toleratedWants(drawn) + 1) void run.cancel();
  });
  if (drawn.slowness !== undefined) slowTasks(run, drawn.slowness, seededRandom(drawn.seed).fork('slow tasks'));
  running?.(run);
  watch?.(run);
  let failure: Error | undefined;
  try {
    await environment.drive(run.result, { what: `job "${plan.name}"`, limitMs: 60 * 60 * 1_000 });
  } catch (error) {
    failure = toError(error);
  }
  await nextTurn(environment);
  const timerCount = environment.clock.timerCount - (checkpoints?.timerCount ?? 0);
  const filesLeft = [...spillStore.files.keys()];
  await spillStore.dispose();
  const leftovers = [
    ...(timerCount > 0 ? [`it ended and left ${timerCount} timers armed`] : []),
    ...filesLeft.map((name) => `it ended and left the spill file ${name}`),
  ];
  const receipt = run.receipt();
  return { run, history, deaths, receipt, failure, leftovers, unrecorded: unrecorded(run, recorded) };
}

/** The parts of a run that are not as users have them. The files of its results stay until its end is looked at. */
function seamsOf(drawn: DrawnShape | DrawnRun, spillStore: MemorySpillStore, deaths: ExecutorDeath[]): RunSeams {
  const store: SpillStore = { create: (id) => spillStore.create(id), dispose: () => Promise.resolve() };
  const maxSteps = drawnSteps(drawn);
  const outages = outagesOf(drawn);
  const died = (death: ExecutorDeath): void => void deaths.push(death);
  if (drawn.areWorkers) {
    return { executors: (parts) => drawnWorkers(parts, drawn, { outages, spillStore: store, maxSteps, died }) };
  }
  return {
    ...(drawn.messages === 'rough' && {
      link: (clock) => roughLink(clock, seededRandom(drawn.seed).fork('messages'), outages),
      // A machine that the master has given up does not know yet, and goes on for a while.
      lose: (end, clock) => void clock.setTimeout(end, drawn.seed % 3 === 0 ? 0 : (drawn.seed % 7) * 100),
    }),
    dataPlane: (given, resolved) => new LocalDataPlane(given, { ...resolved, spillStore: store, maxSteps }),
  };
}

function drawnOptions(
  drawn: DrawnShape | DrawnRun,
  storage: CheckpointStorage | undefined,
  stateBackend: LmdbState | undefined,
): JobRunOptions {
  return {
    failoverStrategy: strategies[drawn.failoverStrategy](),
    // A job that fails without faults must be reported at once; more restarts than faults are a fault of the engine.
    restartBackoff: isDisturbed(drawn)
      ? fixedDelay({ maxAttempts: restartLimit(faultCount(drawn) + 2 * drawn.outages), delayMs: drawn.delayMs })
      : noRestart(),
    batchSize: drawn.batchSize,
    memoryBudgetBytes: drawn.memoryBudgetBytes,
    memoryOverflow: drawn.memoryOverflow,
    diskBudgetBytes: drawn.diskBudgetBytes,
    diskOverflow: drawn.diskOverflow,
    diskWaitTimeoutMs: 1_000,
    keepResults: drawn.keepResults,
    checkpoints: drawn.checkpoints && { ...drawn.checkpoints.settings, storage, stateBackend },
    speculation: drawn.slowness?.speculation,
    executors: drawn.executors,
    slots: drawn.slots,
    ...(outagesOf(drawn) > 0 && { heartbeat: { intervalMs: 50, timeoutMs: 250, failedSends: 3 } }),
  };
}

/** Draws how many steps a task takes before it lets others run. */
function drawnSteps({ seed, maxSteps }: DrawnShape): () => number {
  const interleaving = seededRandom(seed).fork('interleaving');
  return () => interleaving.integer(0, maxSteps);
}

/** The undisturbed run has none. */
function outagesOf(drawn: DrawnShape | DrawnRun): number {
  return isDisturbed(drawn) ? drawn.outages : 0;
}

function isDisturbed(drawn: DrawnShape | DrawnRun): drawn is DrawnRun {
  return 'faults' in drawn;
}

/** Lets work run that was scheduled at the end of the run. */
function nextTurn(environment: VirtualEnvironment): Promise<void> {
  return environment.drive(new Promise<void>((resolve) => environment.clock.setImmediate(resolve)));
}

const strategies = { restartPipelinedRegion, restartAll, restartIndividual };
