import { planJob } from '../../../src/api/job-planner.ts';
import { runJob } from '../../../src/run/run-job.ts';
import { ExecutionGraph } from '../../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../../src/graph/pipelined-region.ts';
import { fixedDelay, JobCanceledError, type Sink } from '../../../src/index.ts';
import { JobHistory, seededRandom, virtualEnvironment } from '../../../src/testing/index.ts';
import { deleteFiles } from '../changing-file.ts';
import { drawJob } from '../drawn/drawn-job.ts';
import { type DrawnSize, optionOf } from '../drawn/drawn-size.ts';
import { eachSeed } from '../each-seed.ts';

/** Counts the ends of its writers; reports the use of one after its end. */
class Ledger {
  opened = 0;
  committed = 0;
  aborted = 0;
  readonly misuses: string[] = [];

  readonly sink: Sink<unknown> = {
    name: 'ledger',
    guarantee: 'at-least-once',
    open: () => {
      this.opened++;
      let hasEnded = false;
      const end = (how: 'committed' | 'aborted'): void => {
        if (hasEnded) this.misuses.push(`${how} twice`);
        hasEnded = true;
        this[how]++;
      };
      return {
        write: () => {
          if (hasEnded) this.misuses.push('written to after its end');
        },
        commit: () => end('committed'),
        abort: () => end('aborted'),
      };
    },
  };
}

/** Runs a drawn job with one or two drawn failures, and cancels it at a drawn moment. */
async function canceledRun(seed: number, size: DrawnSize) {
  const random = seededRandom(seed).fork('cancel');
  const { name, mode, parallelism, steps } = drawJob(seed, size);
  const ledger = new Ledger();
  const plan = planJob({
    name,
    mode,
    parallelism,
    steps: steps.map((node) =>
      node.step.kind === 'sink' ? { ...node, step: { kind: 'sink', sink: ledger.sink } } : node,
    ),
  });
  const environment = virtualEnvironment({ seed, order: 'shuffled' });
  for (let fault = random.integer(0, 2); fault > 0; fault--) {
    environment.faults.fail(random.pick(['task.deploy', 'task.open', 'task.batch', 'task.finish']), {
      skip: random.integer(0, 20),
    });
  }
  const controller = new AbortController();
  const run = runJob(plan, {
    environment,
    batchSize: random.pick([1, 7, 64]),
    memoryBudgetBytes: random.pick([0, Number.POSITIVE_INFINITY]),
    restartBackoff: fixedDelay({ maxAttempts: 50, delayMs: random.pick([0, 100]) }),
    signal: controller.signal,
  });
  const history = new JobHistory();
  run.events$.subscribe((event) => history.add(event));
  let callbacks = random.integer(0, random.pick([3, 20, 60, 250]));
  // Some jobs end earlier.
  await environment.runUntil(() => callbacks-- <= 0 || run.status === 'finished');
  const statusBefore = run.status;
  const cancel = random.pick([
    () => void run.cancel(),
    () => void run.stop(new Error('enough')),
    () => controller.abort(new Error('enough')),
    () => void run[Symbol.asyncDispose](),
  ]);
  cancel();
  if (random.chance(0.2)) cancel();
  const error = await environment.drive(
    run.result.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  await environment.drive(new Promise<void>((resolve) => environment.clock.setImmediate(resolve)));
  const graph = new ExecutionGraph(plan.jobGraph);
  return {
    run,
    statusBefore,
    error,
    ledger,
    environment,
    violations: history.violations(graph, pipelinedRegions(graph)),
  };
}

/** What is wrong with a canceled run: it ends as canceled, with every task ended and every writer closed, once. */
function problemsOf({ run, statusBefore, error, ledger, environment, violations }: CanceledRun): string[] {
  const status = statusBefore === 'finished' ? 'finished' : 'canceled';
  const { running, canceling } = run.snapshot().tasks;
  const openWriters = ledger.opened - ledger.committed - ledger.aborted;
  const { timerCount } = environment.clock;
  return [
    ...(run.status === status ? [] : [`it ended as ${run.status}, not ${status}`]),
    ...(error instanceof JobCanceledError === (status === 'canceled') ? [] : [`its result was ${String(error)}`]),
    ...(openWriters === 0 ? [] : [`${openWriters} writers were left open`]),
    ...(timerCount === 0 ? [] : [`${timerCount} timers were left armed`]),
    ...(running + canceling === 0 ? [] : [`${running} tasks run, ${canceling} are canceling`]),
    ...ledger.misuses.map((misuse) => `a writer was ${misuse}`),
    ...violations,
  ];
}

type CanceledRun = Awaited<ReturnType<typeof canceledRun>>;

/** Totals over drawn jobs that are canceled at drawn moments. */
export interface CanceledSummary {
  readonly passed: number;
  /** Failed runs, by seed. */
  readonly failures: readonly string[];
  /** Runs by their status when they were canceled. */
  readonly initializing: number;
  readonly running: number;
  readonly finished: number;
}

/** Cancels `count` drawn jobs, from seed `first` on. @param tell gets failures and progress */
export async function runCanceled(
  first: number,
  count: number,
  tell: (line: string) => void,
  size: DrawnSize,
): Promise<CanceledSummary> {
  const statuses = { initializing: 0, running: 0, finished: 0 };
  const failures = await eachSeed(
    { first, count, what: 'canceled jobs', tell, repeat: `--canceled${optionOf(size)}` },
    async (seed) => {
      const run = await canceledRun(seed, size);
      const { statusBefore } = run;
      if (statusBefore in statuses) statuses[statusBefore as keyof typeof statuses]++;
      return problemsOf(run);
    },
  );
  deleteFiles();
  return { passed: count - failures.length, failures, ...statuses };
}
