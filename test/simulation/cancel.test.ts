import { planJob } from '../../src/api/job-planner.ts';
import { runJob } from '../../src/run/run-job.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import { fixedDelay, JobCanceledError, type Sink } from '../../src/index.ts';
import { JobHistory, seededRandom, virtualEnvironment } from '../../src/testing/index.ts';
import { isLong } from '../support/draws.ts';
import { deleteFiles } from './changing-file.ts';
import { drawJob } from './drawn-job.ts';

afterAll(deleteFiles);

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
async function canceledRun(seed: number) {
  const random = seededRandom(seed).fork('cancel');
  const { name, mode, parallelism, steps } = drawJob(seed);
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

describe('a job that is canceled at any moment', () => {
  const firsts = isLong ? [1, 101, 201, 301, 401] : [1, 101];
  const statuses = new Map<string, number>();

  it.each(firsts)(
    'seeds from %i on: ends as canceled, with every task ended and every writer closed, once',
    async (first) => {
      for (let seed = first; seed < first + 100; seed++) {
        const { run, statusBefore, error, ledger, environment, violations } = await canceledRun(seed);
        statuses.set(statusBefore, (statuses.get(statusBefore) ?? 0) + 1);
        const found = {
          seed,
          status: run.status,
          isCanceledError: error instanceof JobCanceledError,
          openWriters: ledger.opened - ledger.committed - ledger.aborted,
          misuses: ledger.misuses,
          timers: environment.clock.timerCount,
          violations,
          tasks: run.snapshot().tasks.running + run.snapshot().tasks.canceling,
        };
        const isCanceled = statusBefore !== 'finished';
        expect(found).toEqual({
          seed,
          status: isCanceled ? 'canceled' : 'finished',
          isCanceledError: isCanceled,
          openWriters: 0,
          misuses: [],
          timers: 0,
          violations: [],
          tasks: 0,
        });
      }
    },
  );

  it('cancellation met every phase of a job', () => {
    expect(statuses.get('initializing')).toBeGreaterThan(0);
    expect(statuses.get('running')).toBeGreaterThan(30 * firsts.length);
    expect(statuses.get('finished')).toBeGreaterThan(4 * firsts.length);
  });
});
