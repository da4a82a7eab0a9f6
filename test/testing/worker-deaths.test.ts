import { Job, range, type Sink } from '../../src/index.ts';
import { LocalLink } from '../../src/actors/local-link.ts';
import { planJob } from '../../src/api/job-planner.ts';
import type { Executors } from '../../src/executors/executors.ts';
import { runJob } from '../../src/run/run-job.ts';
import type { ExecutorDeath } from '../../src/testing/checkpoints/late-commits.ts';
import { MemorySpillStore, virtualEnvironment } from '../../src/testing/index.ts';
import { cloning } from '../../src/testing/workers/worker-link.ts';
import { SimulatedWorkers } from '../../src/testing/workers/simulated-workers.ts';

const nowhere: Sink<unknown> = {
  name: 'nowhere',
  guarantee: 'exactly-once',
  open: () => ({ write: () => {}, commit: () => {}, abort: () => {} }),
};
const endsAfterMs = 200;

describe('simulated workers', () => {
  it('K7: tell when one dies, and what it was given, before it is lost', async () => {
    const environment = virtualEnvironment();
    const { clock } = environment;
    const job = Job.create('deaths');
    job
      .source('one', range(0, 1))
      .mapAsync(() => new Promise((resolve) => void clock.setTimeout(() => resolve(1), 5_000)))
      .sink('out', nowhere);
    const deaths: ExecutorDeath[] = [];
    let delayMs = 0;
    let executors: Executors | undefined;
    const link = cloning(new LocalLink(clock).link);
    const run = runJob(
      planJob(job),
      { environment },
      {
        executors: (parts) => {
          executors = new SimulatedWorkers(parts, {
            count: 1,
            links: { line: link, services: link, records: link },
            delayMs: () => delayMs,
            spillStoreOf: () => new MemorySpillStore(clock, { faults: environment.faults }),
            died: (death) => void deaths.push(death),
          });
          return executors;
        },
      },
    );
    let lostMs = 0;
    run.events$.subscribe((event) => {
      if (event.type === 'executor.lost') lostMs = event.atMs;
    });
    clock.setTimeout(() => {
      delayMs = endsAfterMs;
      for (const name of executors?.names ?? []) executors?.kill(name, 'as the test says');
    }, 1_000);
    await environment.drive(run.result.catch(() => {}));
    expect(deaths[0]).toEqual({ atMs: 1_000 + endsAfterMs, attempts: [{ task: 'one[0]', attempt: 0 }] });
    expect(lostMs).toBe(1_000 + 2 * endsAfterMs);
  });
});
