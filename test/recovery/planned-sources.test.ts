import { collect, Job, type Source } from '../../src/index.ts';
import { faultPlan, simulate } from '../../src/testing/index.ts';
import { runStory } from '../support/run-story.ts';

/** Numbers up to a limit that grows with each check, so subtasks that checked by themselves would disagree. */
function growing(failures = 0) {
  const limits: number[] = [];
  let failuresLeft = failures;
  const source: Source<number, { readonly limit: number }> = {
    name: 'growing',
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    plan: () => {
      if (failuresLeft-- > 0) throw new Error('the server is away');
      const limit = 50 * (limits.length + 1);
      limits.push(limit);
      return { limit };
    },
    open: ({ subtask, parallelism }, plan) => {
      let next = subtask;
      return {
        read: () => {
          if (next >= (plan?.limit ?? 0)) return null;
          next += parallelism;
          return [next - parallelism];
        },
        close: () => {},
      };
    },
  };
  const output = collect<number>();
  const job = Job.create('growing', { parallelism: 3 });
  job.source('numbers', source).sink('out', output);
  return { job, limits, records: () => output.records.toSorted((a, b) => a - b) };
}

const upTo = (limit: number): number[] => Array.from({ length: limit }, (_, number) => number);

it('a run plans once, however often its tasks start, and the next run plans again', async () => {
  const { job, limits, records } = growing();
  for (const limit of [50, 100]) {
    const faults = faultPlan();
    const fault = faults.fail('task.batch', { times: 2, skip: 5, when: ({ subtask }) => subtask === 1 });
    await runStory(job, { faults, batchSize: 1 });
    expect(fault.fired).toBe(2);
    expect(records()).toEqual(upTo(limit));
  }
  expect(limits).toEqual([50, 100]);
});

it('a failed plan is a failure of the task, which a restart may cure', async () => {
  const { job, limits, records } = growing(1);
  const { attempts } = await runStory(job);
  expect(attempts).toEqual({ numbers: 2 });
  expect(records()).toEqual(upTo(50));
  expect(limits).toEqual([50]);
});

it('simulated runs plan too', async () => {
  const { job, limits } = growing();
  const outcome = (records: readonly unknown[]) => [records.length % 50];
  for (let seed = 0; seed < 10; seed++) await simulate(job, { seed, outcome });
  expect(limits).toHaveLength(11);
});
