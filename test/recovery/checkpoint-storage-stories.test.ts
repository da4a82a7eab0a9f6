import type { CheckpointStorage } from '../../src/checkpoints/checkpoint-storage.ts';
import { forEach, Job, type JobEvent, memoryCheckpoints, type Sink } from '../../src/index.ts';
import { faultPlan } from '../../src/testing/index.ts';
import { killing, runStory } from '../support/run-story.ts';
import { storageOver } from '../support/storage-over.ts';
import { tickingSource } from '../support/ticking-source.ts';

const count = 400;

const never = <Value>(): Promise<Value> => new Promise(() => {});

//  ticks[0..1] ─pipelined─▶ sums[0..1] ─▶ out
function sumUp() {
  const job = Job.create('sum up', { mode: 'streaming', parallelism: 2 });
  const out: number[] = [];
  job
    .source('ticks', tickingSource(count))
    .keyBy((n) => n % 10)
    .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { uid: 'sums', emit: 'final' })
    .sink(
      'out',
      forEach((sum) => void out.push(sum)),
    );
  return { job, total: () => out.reduce((sum, n) => sum + n, 0) };
}

const expected = (count * (count - 1)) / 2;

const of = <Type extends JobEvent['type']>(events: readonly JobEvent[], type: Type) =>
  events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);

async function filesOf(storage: CheckpointStorage, scopes: ReadonlySet<string>): Promise<number[]> {
  return (await Promise.all([...scopes].map((scope) => storage.lastNumber(scope)))).flatMap((number) => number ?? []);
}

describe('a storage of checkpoints', () => {
  it('that never answers whether one is stored holds up no restart for longer than the timeout', async () => {
    const { job, total } = sumUp();
    const memory = memoryCheckpoints();
    let commits = 0;
    const storage = storageOver(memory, {
      commit: (manifest) => (++commits === 2 ? never() : memory.commit(manifest)),
    });
    const end = await runStory(job, {
      checkpoints: { intervalMs: 3, timeoutMs: 200, storage },
      faults: killing('sums', { skip: 10 }),
    });
    expect(end.unfired).toEqual([]);
    expect(total()).toBe(expected);
    expect(of(end.events, 'checkpoint.failed').map(({ checkpoint, reason }) => [checkpoint, reason])).toContainEqual([
      2,
      'storing',
    ]);
    expect(of(end.events, 'checkpoint.restored').map(({ checkpoint }) => checkpoint)).toEqual([1]);
  });

  it('that stores one too late, when it was given up: it is removed', async () => {
    const { job, total } = sumUp();
    const memory = memoryCheckpoints();
    let commits = 0;
    const late: { commit?: () => Promise<void> } = {};
    const discarded: number[] = [];
    const storage = storageOver(memory, {
      commit: async (manifest) => {
        if (++commits === 2) await new Promise<void>((resolve) => (late.commit = async () => resolve()));
        await memory.commit(manifest);
      },
      discard: (scope, checkpoint) => {
        discarded.push(checkpoint);
        return memory.discard(scope, checkpoint);
      },
    });
    const end = await runStory(job, {
      checkpoints: { intervalMs: 3, timeoutMs: 8, storage, tolerableFailures: Infinity },
      inspect: () => void (commits >= 4 && late.commit?.()),
    });
    expect(total()).toBe(expected);
    expect(discarded.filter((checkpoint) => checkpoint === 2)).toHaveLength(2);
    expect(of(end.events, 'checkpoint.completed').map(({ checkpoint }) => checkpoint)).not.toContain(2);
  });

  it('that never removes what it should holds up no checkpoint for longer than the timeout', async () => {
    const { job, total } = sumUp();
    const storage = storageOver(memoryCheckpoints(), { discard: () => never() });
    const { events } = await runStory(job, { checkpoints: { intervalMs: 2, timeoutMs: 5, storage } });
    expect(total()).toBe(expected);
    expect(of(events, 'checkpoint.completed').length).toBeGreaterThan(4);
  });

  it.each(['finished', 'failed'] as const)('is empty when a run without a state directory has %s', async (how) => {
    const { job } = sumUp();
    const memory = memoryCheckpoints();
    const scopes = new Set<string>();
    const storage = storageOver(memory, {
      commit: (manifest) => {
        scopes.add(manifest.scope);
        return memory.commit(manifest);
      },
    });
    const faults = faultPlan();
    if (how === 'failed') faults.fail('task.end', { times: Number.POSITIVE_INFINITY });
    const ended = runStory(job, { checkpoints: { intervalMs: 3, storage }, faults });
    if (how === 'failed') await expect(ended).rejects.toThrow('task.end');
    else await ended;
    expect(scopes.size).toBeGreaterThan(0);
    expect(await filesOf(memory, scopes)).toEqual([]);
  });
});

describe('a region that has finished', () => {
  /** Takes eight records each millisecond. @param written called with the number of batches so far */
  const slowSink = (out: Set<number>, written: (batches: number) => void): Sink<number> => {
    let batches = 0;
    return {
      name: 'slow',
      guarantee: 'at-least-once',
      open: ({ environment: { clock } }) => ({
        write: (records) => {
          for (const record of records) out.add(record);
          written(++batches);
          return new Promise<void>((resolve) => void clock.setTimeout(resolve, 1));
        },
        commit: () => {},
        abort: () => {},
      }),
    };
  };

  //  ticks[0..1] ─pipelined─▶ sums[0..1] ─reliable─▶ out[0], which has read a part when the executor is lost with all results
  it('and whose results are lost before they are read loses no record: no checkpoint passes what is unread', async () => {
    const job = Job.create('behind', { mode: 'streaming', parallelism: 2 });
    const out = new Set<number>();
    let lose = (): void => {};
    job
      .source('ticks', tickingSource(400))
      .keyBy((n) => n % 200)
      .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { uid: 'sums', emit: 'final' })
      .rebalance({ exchange: 'reliable' })
      .map((n) => n, { uid: 'read', parallelism: 1 })
      .sink(
        'out',
        slowSink(out, (batches) => {
          if (batches === 12) lose();
        }),
      );
    const end = await runStory(
      job,
      { checkpoints: { intervalMs: 3 }, resultsOfLostExecutors: 'lost', executors: 1 },
      ({ loseExecutorOf }) => {
        lose = () => loseExecutorOf('read[0]');
      },
    );
    expect([...out].sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, key) => key + key + 200));
    expect(of(end.events, 'executor.lost')).toHaveLength(1);
    expect(of(end.events, 'checkpoint.restored').length).toBeGreaterThan(0);
  });
});
