import { toError } from '../errors/thrown-value.ts';
import type { Logger } from '../environment.ts';
import type { LocalExecutors } from '../executors/local-executors.ts';
import { LocalDataPlane } from '../executors/local-data-plane.ts';
import { fixedDelay } from '../failover/backoffs/fixed-delay.ts';
import { noRestart } from '../failover/backoffs/no-restart.ts';
import { restartAll } from '../failover/strategies/restart-all.ts';
import { restartIndividual } from '../failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../failover/strategies/restart-pipelined-region.ts';
import { givenOf } from '../options.ts';
import type { JobPlan } from '../run/job-plan.ts';
import type { JobReceipt } from '../run/folds/job-receipt.ts';
import type { JobRun } from '../run/job-run.ts';
import type { JobRunOptions } from '../run/run-options.ts';
import { runJob } from '../run/run-job.ts';
import type { DrawnRun, DrawnShape } from './drawn-run.ts';
import { JobHistory } from './job-history.ts';
import type { MemorySpillStore } from './memory-spill-store.ts';
import { roughLink } from './rough-link.ts';
import { seededRandom } from './seeded-random.ts';
import type { VirtualEnvironment } from './virtual-environment.ts';

/** Run options that a simulation takes as they are given, instead of drawing them. */
export type GivenRunOptions = Pick<
  JobRunOptions,
  | 'failoverStrategy'
  | 'restartBackoff'
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

/** What of a simulated run is not drawn. */
export interface UndrawnOptions {
  /** Run options that are not drawn, such as a strategy of your own. What is given here is not drawn. */
  readonly options?: GivenRunOptions | undefined;
  /** Hears of each run as it starts, to watch it: first of the undisturbed one, unless that is known. */
  readonly watch?: ((run: JobRun) => void) | undefined;
  /** Default: nothing is logged. */
  readonly logger?: Logger | undefined;
}

/** More than any drawn run needs that is right. */
export const mostRestarts = 50;

/** How a simulated run ended. */
export interface SimulatedEnd {
  readonly history: JobHistory;
  readonly receipt: JobReceipt;
  readonly failure: Error | undefined;
  /** What the run left behind although it had ended. */
  readonly leftovers: readonly string[];
}

/** Runs a plan as it was drawn, on virtual time. `started` hears of the executors before anything runs. */
export async function runSimulated(
  plan: JobPlan,
  environment: VirtualEnvironment,
  drawn: DrawnShape | DrawnRun,
  spillStore: MemorySpillStore,
  { options = {}, watch }: UndrawnOptions,
  started: (executors: LocalExecutors) => void = () => {},
): Promise<SimulatedEnd> {
  const history = new JobHistory();
  let filesLeft: readonly string[] = [];
  const run = runJob(
    plan,
    { ...drawnOptions(drawn), ...givenOf(options), environment },
    {
      cluster: ({ executors }) => started(executors),
      ...(drawn.messages === 'rough' && {
        link: (clock) => roughLink(clock, seededRandom(drawn.seed).fork('messages')),
      }),
      dataPlane: (given, resolved) =>
        new LocalDataPlane(given, {
          ...resolved,
          spillStore: {
            create: (id) => spillStore.create(id),
            dispose: () => {
              filesLeft = [...spillStore.files.keys()];
              return spillStore.dispose();
            },
          },
          maxSteps: drawnSteps(drawn),
        }),
    },
  );
  run.events$.subscribe((event) => history.add(event));
  watch?.(run);
  let failure: Error | undefined;
  try {
    await environment.drive(run.result, { what: `job "${plan.name}"`, limitMs: 60 * 60 * 1_000 });
  } catch (error) {
    failure = toError(error);
  }
  await nextTurn(environment);
  const { timerCount } = environment.clock;
  const leftovers = [
    ...(timerCount > 0 ? [`it ended and left ${timerCount} timers armed`] : []),
    ...filesLeft.map((name) => `it ended and left the spill file ${name}`),
  ];
  return { history, receipt: run.receipt(), failure, leftovers };
}

function drawnOptions(drawn: DrawnShape | DrawnRun): JobRunOptions {
  return {
    failoverStrategy: strategies[drawn.failoverStrategy](),
    // A job that fails by itself is told at once; more restarts than faults are a fault of the engine.
    restartBackoff: isDisturbed(drawn)
      ? fixedDelay({ maxAttempts: mostRestarts, delayMs: drawn.delayMs })
      : noRestart(),
    batchSize: drawn.batchSize,
    memoryBudgetBytes: drawn.memoryBudgetBytes,
    memoryOverflow: drawn.memoryOverflow,
    diskBudgetBytes: drawn.diskBudgetBytes,
    diskOverflow: drawn.diskOverflow,
    diskWaitTimeoutMs: 1_000,
    keepResults: drawn.keepResults,
    executors: drawn.executors,
    slots: drawn.slots,
  };
}

/** How many steps a task takes until it lets others run: each time another number. */
function drawnSteps({ seed, maxSteps }: DrawnShape): () => number {
  const interleaving = seededRandom(seed).fork('interleaving');
  return () => interleaving.integer(0, maxSteps);
}

function isDisturbed(drawn: DrawnShape | DrawnRun): drawn is DrawnRun {
  return 'faults' in drawn;
}

/** Lets what was scheduled at the end of the run go on. */
function nextTurn(environment: VirtualEnvironment): Promise<void> {
  return environment.drive(new Promise<void>((resolve) => environment.clock.setImmediate(resolve)));
}

const strategies = { restartPipelinedRegion, restartAll, restartIndividual };
