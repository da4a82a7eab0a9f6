import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import {
  collect,
  type DataStream,
  fixedDelay,
  forEach,
  Job,
  noRestart,
  range,
  type RecordContext,
  type RecordPosition,
  type Sink,
  taskFaultPoints,
  toNodeWritable,
  toWebWritable,
} from '../../src/index.ts';
import { faultPlan } from '../../src/testing/index.ts';
import { killing, runStory } from '../support/run-story.ts';
import { tickingSource } from '../support/ticking-source.ts';

const count = 500;
const expected = Array.from({ length: count }, (_, n) => n).filter((n) => n % 3 !== 0);

/** What a destination was told, in order. */
interface Told {
  readonly attempt: number;
  readonly position: RecordPosition;
  readonly record: number;
}

type Tell = (record: number, context: RecordContext) => Told;
const tellOf: Tell = (record, { attempt, position }) => ({ attempt, position, record });

/** Sinks that hand on the position of each record. */
const sinks: Readonly<Record<string, (told: Told[]) => Sink<number>>> = {
  forEach: (told) =>
    forEach((n, context) => {
      told.push(tellOf(n, context));
    }),
  'forEach, with a promise': (told) =>
    forEach(async (n, context) => {
      await Promise.resolve();
      told.push(tellOf(n, context));
    }),
  toNodeWritable: (told) =>
    toNodeWritable<number>(
      () =>
        new Writable({
          objectMode: true,
          highWaterMark: 2,
          write: (chunk: Told, _encoding, done) => {
            told.push(chunk);
            void Promise.resolve().then(() => done());
          },
        }),
      { toChunk: tellOf },
    ),
  toWebWritable: (told) =>
    toWebWritable(() => new WritableStream<Told>({ write: (chunk) => void told.push(chunk) }), { toChunk: tellOf }),
};

describe.each(Object.entries(sinks))('a restarted sink %s gets the same positions', (_, sinkOf) => {
  it.each<[what: string, exchange: 'pipelined' | 'reliable' | undefined]>([
    ['behind its source', undefined],
    ['behind one channel', 'pipelined'],
    ['behind one channel that is kept', 'reliable'],
  ])('%s', async (_what, exchange) => {
    const told: Told[] = [];
    const job = Job.create('mails', { parallelism: 2 });
    const numbers = job.source('numbers', range(0, count));
    const placed = exchange === undefined ? numbers : numbers.map((n) => n, { exchange });
    placed.filter((n) => n % 3 !== 0, { uid: 'due' }).sink('send', sinkOf(told));
    const faults = faultPlan();
    faults.fail(taskFaultPoints.batch, {
      when: ({ vertex, attempt, records }) =>
        (vertex !== 'numbers') === (exchange !== undefined) && attempt === 0 && Number(records) >= 60,
      times: 2,
    });
    const { unfired } = await runStory(job, {
      faults,
      batchSize: 20,
      restartBackoff: fixedDelay({ delayMs: 1, maxAttempts: 9 }),
    });
    expect(unfired).toEqual([]);
    const again = told.filter(({ attempt }) => attempt > 0);
    expect(again.length).toBeGreaterThan(0);
    expect(again.length).toBeLessThan(told.length);
    const byKey = new Map(told.map(({ position, record }) => [position.key, record]));
    expect([...byKey.values()].sort((a, b) => a - b)).toEqual(expected);
    for (const { position, record } of told) expect(byKey.get(position.key)).toBe(record);
  });
});

/** Streams that write later than they accept: what they have accepted is lost with them. */
const slowStreams: typeof sinks = {
  'toNodeWritable, slow': (told) =>
    toNodeWritable<number>(
      ({ environment: { clock } }) => {
        let isDestroyed = false;
        return new Writable({
          ...{ objectMode: true, highWaterMark: 100 },
          write: (chunk: Told, _encoding, done) => {
            clock.setTimeout(() => {
              if (!isDestroyed) told.push(chunk);
              done();
            }, 1);
          },
          destroy: (_error, done) => {
            isDestroyed = true;
            done(null);
          },
        });
      },
      { toChunk: tellOf },
    ),
  'toWebWritable, slow': (told) =>
    toWebWritable(
      ({ environment: { clock } }) => {
        let isAborted = false;
        const write = (chunk: Told): Promise<void> =>
          new Promise((resolve) => {
            clock.setTimeout(() => {
              if (!isAborted) told.push(chunk);
              resolve();
            }, 1);
          });
        const abort = (): void => {
          isAborted = true;
        };
        return new WritableStream<Told>({ write, abort }, { highWaterMark: 100 });
      },
      { toChunk: tellOf },
    ),
};

describe.each(Object.entries({ ...sinks, ...slowStreams }))(
  'a sink %s that continues from a checkpoint gets the same positions',
  (_, sinkOf) => {
    it.each<[what: string, exchange: 'reliable' | undefined]>([
      ['in the task of its source', undefined],
      ['behind one channel that is kept', 'reliable'],
    ])('%s', async (_what, exchange) => {
      const told: Told[] = [];
      const job = Job.create('mails', { parallelism: 2, mode: 'streaming' });
      const numbers = job.source('numbers', tickingSource(count, 4));
      const placed = exchange === undefined ? numbers : numbers.map((n) => n, { exchange });
      placed.filter((n) => n % 3 !== 0, { uid: 'due' }).sink('send', sinkOf(told));
      const { unfired } = await runStory(job, {
        faults: killing(exchange === undefined ? 'numbers' : 'map-1', { skip: 30 }),
        checkpoints: { intervalMs: 10 },
      });
      expect(unfired).toEqual([]);
      const byKey = new Map(told.map(({ position, record }) => [position.key, record]));
      expect([...byKey.values()].sort((a, b) => a - b)).toEqual(expected);
      for (const { position, record } of told) expect(byKey.get(position.key)).toBe(record);
      // It did not begin anew.
      const again = told.filter(({ position, attempt }) => attempt > 0 && position.number === 0);
      expect(again).toEqual([]);
    });
  },
);

it('a run that continues an earlier one gives the same positions', async () => {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'kintsugi-positions-'));
  const told: Told[] = [];
  const send = async (isDown: boolean): Promise<unknown> => {
    const job = Job.create('mails', { parallelism: 2 });
    job
      .source('numbers', range(0, count))
      .filter((n) => n % 3 !== 0)
      .sink(
        'send',
        forEach((n, context) => {
          if (isDown && told.length > 100) throw new Error('the server is down');
          told.push(tellOf(n, context));
        }),
      );
    return runStory(job, { stateDirectory, batchSize: 20, restartBackoff: noRestart() });
  };
  try {
    await expect(send(true)).rejects.toMatchObject({ code: 'JOB_FAILED' });
    const before = told.splice(0);
    await send(false);
    const again = new Map(told.map(({ position, record }) => [position.key, record]));
    expect([...again.values()].sort((a, b) => a - b)).toEqual(expected);
    for (const { position, record } of before) expect(again.get(position.key)).toBe(record);
  } finally {
    rmSync(stateDirectory, { recursive: true, force: true });
  }
});

it('a position names job, sink, subtask and number; its key can be an HTTP header', async () => {
  const positions: RecordPosition[] = [];
  const job = Job.create('Briefe/Größe');
  job
    .source('texts', range(0, 2))
    .rebalance()
    .sink(
      'send it',
      forEach((_, { position }) => void positions.push(position)),
    );
  await runStory(job);
  expect(positions).toEqual([
    { job: 'Briefe/Größe', sink: 'send it', subtask: 0, number: 0, key: 'Briefe%2FGr%C3%B6%C3%9Fe/send%20it/0/0' },
    { job: 'Briefe/Größe', sink: 'send it', subtask: 0, number: 1, key: 'Briefe%2FGr%C3%B6%C3%9Fe/send%20it/0/1' },
  ]);
});

it('a chunk that cannot be made fails the task at its record', async () => {
  const job = Job.create('chunks');
  const toChunk = (n: number): string => {
    if (n === 7) throw new TypeError('no chunk');
    return `${n}`;
  };
  job.source('numbers', range(0, 20)).sink(
    'out',
    toNodeWritable(() => new Writable({ write: (_c, _e, done) => done() }), { toChunk }),
  );
  await expect(runStory(job, { restartBackoff: fixedDelay({ delayMs: 1, maxAttempts: 0 }) })).rejects.toMatchObject({
    place: { operator: 'out', record: { picture: '7' } },
  });
});

describe('there is no position where it would name another record the next time', () => {
  const options = { uid: 'ask' };
  it.each<[what: string, place: (stream: DataStream<number>) => DataStream<number>, why: string | undefined]>([
    [
      'behind several producers',
      (stream) => stream.rebalance().map((n) => n, options),
      'the channels of "ask" are read in the order of arrival',
    ],
    [
      'behind a consumer of several producers',
      (stream) =>
        stream
          .rebalance()
          .map((n) => n, options)
          .map((n) => n, { exchange: 'reliable' }),
      'the channels of "ask" are read in the order of arrival',
    ],
    [
      'behind fewer consumers than producers',
      (stream) => stream.map((n) => n, { ...options, parallelism: 1 }),
      'the channels of "ask" are read in the order of arrival',
    ],
    [
      'behind two streams',
      (stream) => stream.union(stream.map((n) => n)).map((n) => n, options),
      'the channels of "ask" are read in the order of arrival',
    ],
    [
      'behind answers in any order',
      (stream) => stream.mapAsync(async (n) => n, { ...options, ordered: false }),
      '"ask" hands on its answers in the order of their arrival (`ordered: false`)',
    ],
    [
      'behind an operator that rejects records',
      (stream) => stream.mapAsync(async (n) => n, { ...options, onError: 'skip' }),
      '"ask" may reject other records the next time (`onError`)',
    ],
    [
      'behind an RxJS operator',
      (stream) => stream.through((numbers$) => numbers$, options),
      '"ask" runs an RxJS operator that is not declared deterministic',
    ],
    ['but behind answers in order', (stream) => stream.mapAsync(async (n) => n, options), undefined],
    [
      'but behind what is declared deterministic',
      (stream) => stream.through((numbers$) => numbers$, { ...options, deterministic: true }),
      undefined,
    ],
  ])('%s', async (_, place, why) => {
    const job = Job.create('unsteady', { parallelism: 2 });
    const keys: string[] = [];
    place(job.source('numbers', range(0, 4))).sink(
      'send',
      forEach((_n, { position }) => void keys.push(position.key)),
    );
    const ended = runStory(job);
    if (why === undefined) {
      await ended;
      expect(new Set(keys).size).toBe(4);
    } else {
      await expect(ended).rejects.toMatchObject({ cause: { code: 'POSITION_NOT_STABLE', sink: 'send', why } });
      expect(keys).toEqual([]);
    }
  });

  it('behind a source that cannot be read again', async () => {
    const job = Job.create('live');
    job.source('feed', range(0, 4), { replayable: false, deterministic: false }).sink(
      'send',
      forEach((_n, { position }) => position),
    );
    await expect(runStory(job)).rejects.toMatchObject({ cause: { why: '"feed" cannot be read again' } });
  });

  it('for dead letters', async () => {
    const job = Job.create('letters');
    const fail = (): never => {
      throw new TypeError('no');
    };
    const deadLetter = forEach((_letter: unknown, { position }) => position);
    job.source('numbers', range(0, 4)).map(fail, { uid: 'ask', onError: { deadLetter } }).sink('out', collect());
    await expect(runStory(job)).rejects.toMatchObject({ cause: { code: 'POSITION_NOT_STABLE' } });
  });
});
