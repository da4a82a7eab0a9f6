import { Job, noRecord, noRestart, range, type Sink, type Source } from '../../src/index.ts';
import type { SinkWriter } from '../../src/operators/sink.ts';
import { faultPlan, virtualEnvironment } from '../../src/testing/index.ts';

type Fn = (n: number) => unknown;

const failing =
  (at: number, fn: Fn = (n) => n): Fn =>
  (n) => {
    if (n === at) throw new Error(`no ${n}`);
    return fn(n);
  };
describe('a task from a source that has records at hand to a sink that takes single ones', () => {
  /** Numbers from 0 to 99. It waits before each tenth one, and notes in `calls` how it was asked. */
  function numbers(calls: string[]): Source<number> {
    return {
      name: 'numbers',
      maxParallelism: 1,
      deterministic: true,
      open: (_context, _plan, from = 0) => {
        let [at, isReady] = [from as number, false];
        return {
          position: () => at,
          next: () => {
            if (at % 10 === 0 && !isReady) return noRecord;
            isReady = false;
            return at < 100 ? at++ : noRecord;
          },
          read: async () => {
            calls.push(`read at ${at}`);
            await Promise.resolve();
            isReady = true;
            return at < 100 ? [] : null;
          },
          close: () => {},
        };
      },
    };
  }

  function noting(told: string[], over: Partial<SinkWriter<number>> = {}): Sink<number> {
    return {
      name: 'noting',
      guarantee: 'at-least-once',
      open: () => ({
        write: (records) => void told.push(`batch ${records.join(' ')}`),
        writeOne: (record) => void told.push(`${record}`),
        commit: () => void told.push('commit'),
        abort: () => void told.push('abort'),
        ...over,
      }),
    };
  }

  it('takes each record once, and reads only where the source has to wait or is at its end', async () => {
    const environment = virtualEnvironment();
    const [calls, told]: [string[], string[]] = [[], []];
    const job = Job.create('direct');
    job
      .source('numbers', numbers(calls))
      .map((n) => n + 1)
      .sink('out', noting(told));
    const { receipt } = await environment.drive(job.run({ environment }).result);
    expect(told).toEqual([...Array.from({ length: 100 }, (_, n) => `${n + 1}`), 'commit']);
    expect(calls).toEqual(Array.from({ length: 11 }, (_, n) => `read at ${n * 10}`));
    expect(receipt.records.read).toBe(100);
  });

  it('names its fault points as if it took batches, and counts the records', async () => {
    const faults = faultPlan();
    const environment = virtualEnvironment({ faults });
    const places: unknown[] = [];
    faults.fail('task.batch', {
      when: ({ batches, records }) => {
        places.push([batches, records]);
        return false;
      },
    });
    const job = Job.create('direct');
    job.source('numbers', range(0, 100)).sink('out', noting([]));
    await environment.drive(job.run({ environment, batchSize: 40 }).result);
    expect(places).toEqual([
      [0, 0],
      [1, 16],
      [2, 56],
      [3, 96],
    ]);
  });

  it('blames the record by its place in the source', async () => {
    const environment = virtualEnvironment();
    const told: string[] = [];
    const job = Job.create('direct');
    job
      .source('numbers', range(0, 100))
      .filter((n) => n % 2 === 1)
      .map(failing(51) as (n: number) => number, { uid: 'check' })
      .sink('out', noting(told));
    const run = job.run({ environment, restartBackoff: noRestart() });
    await expect(environment.drive(run.result)).rejects.toMatchObject({
      place: { operator: 'check', record: { position: 'range(0, 100), record 51', picture: '51' } },
    });
    expect(told).toEqual([...Array.from({ length: 25 }, (_, n) => `${2 * n + 1}`), 'abort']);
  });

  it('waits for the promise of a record before it hands on the next', async () => {
    const environment = virtualEnvironment();
    const told: string[] = [];
    let under = 0;
    const slowly = async (what: string): Promise<void> => {
      expect(++under).toBe(1);
      await new Promise<void>((resolve) => environment.clock.setTimeout(resolve, 5));
      told.push(what);
      under--;
    };
    const job = Job.create('direct');
    const over = { writeOne: (n: number) => slowly(`${n}`), write: (ns: readonly number[]) => slowly(ns.join(' ')) };
    job.source('numbers', range(0, 60)).sink('out', noting(told, over));
    await environment.drive(job.run({ environment }).result);
    expect(told.filter((what) => what !== 'commit').flatMap((what) => what.split(' ').map(Number))).toEqual(
      Array.from({ length: 60 }, (_, n) => n),
    );
  });

  it('ST1: takes nothing while a writer has no room', async () => {
    const environment = virtualEnvironment();
    const taken: number[] = [];
    const job = Job.create('direct');
    job
      .source('numbers', range(0, 1_000))
      .map((n) => {
        taken.push(n);
        return n;
      })
      .rebalance()
      .sink('out', noting([], { write: () => new Promise<never>(() => {}), writeOne: undefined }));
    const run = job.run({ environment, batchSize: 10 });
    await environment.settle();
    environment.advance(100);
    await environment.settle();
    // A batch being written, two that were asked for, four that wait, and what was on its way.
    expect(taken.length).toBeLessThan(100);
    await environment.drive(run.cancel());
  });
});
