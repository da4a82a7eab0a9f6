import { collect, fromArray, Job, valueState } from '../../src/index.ts';
import { KeyTimers } from '../../src/operators/fused/key-timers.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';

afterEach(() => jest.restoreAllMocks());

it('a record that fails leaves the timers of its key as they were, once each', async () => {
  const added = jest.spyOn(KeyTimers.prototype, 'add');
  const job = Job.create('timers', { mode: 'streaming', parallelism: 1 });
  const out = collect<string>();
  job
    .source('numbers', fromArray(Array.from({ length: 100 }, (_, n) => n)))
    .keyBy(() => 'all')
    .process(
      {
        states: { last: valueState<number>() },
        onRecord: (n, { nowMs, states, setTimer, clearTimer }) => {
          if (n === 0) setTimer(nowMs + 5);
          else clearTimer(nowMs + 5);
          states.last.set(n);
          if (n > 0) throw new Error('no');
        },
        onTimer: (_atMs, { states }, emit: (out: string) => void) => emit(`timer after ${states.last.get()}`),
        onEnd: ({ states }, emit) => emit(`end after ${states.last.get()}`),
      },
      { uid: 'sums', onError: 'skip', maxErrors: Infinity },
    )
    .sink('out', out);
  const environment = virtualEnvironment();
  await environment.drive(job.run({ environment }).result);
  expect(out.records).toEqual(['end after 0']);
  expect(added.mock.calls.map(([, key]) => key)).toEqual(['all']);
});

it.each([
  ['at another time', (n: number) => n],
  ['at the same time', () => 0],
])('a timer that is put off with each record, %s, takes no room for each', async (_, laterBy) => {
  const added = jest.spyOn(KeyTimers.prototype, 'add');
  const job = Job.create('timers', { mode: 'streaming', parallelism: 1 });
  const out = collect<string>();
  const farMs = 1_000_000;
  job
    .source('numbers', fromArray(Array.from({ length: 20_000 }, (_, n) => n)))
    .keyBy((n) => n % 3)
    .process(
      {
        states: { dueMs: valueState<number>() },
        onRecord: (n, { nowMs, states: { dueMs }, setTimer, clearTimer }) => {
          const before = dueMs.get();
          if (before !== undefined) clearTimer(before);
          dueMs.set(nowMs + farMs + laterBy(n));
          setTimer(dueMs.get() as number);
        },
        onTimer: () => {},
        onEnd: ({ key }, emit: (out: string) => void) => emit(`${key}`),
      },
      { uid: 'sums' },
    )
    .sink('out', out);
  const environment = virtualEnvironment();
  await environment.drive(job.run({ environment, batchSize: 16 }).result);
  expect(out.records).toEqual(['0', '1', '2']);
  const [timers] = added.mock.contexts;
  expect(added).toHaveBeenCalledTimes(20_000);
  let left = 0;
  while (timers?.takeDue(Number.POSITIVE_INFINITY) !== undefined) left++;
  expect(left).toBeLessThan(1_100);
});
