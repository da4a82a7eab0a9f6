import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CheckpointStorage,
  fileCheckpoints,
  forEach,
  Job,
  type JobEvent,
  memoryCheckpoints,
  lmdbState,
  type PieceName,
  valueState,
} from '../../src/index.ts';
import { stateBackends } from '../support/disk-states.ts';
import { killing, runStory, type StoryOptions } from '../support/run-story.ts';
import { storageOver } from '../support/storage-over.ts';
import { tickingSource } from '../support/ticking-source.ts';

const count = 4_000;
const keys = 1_000;

interface Seen {
  readonly key: number;
  readonly all: readonly number[];
}

//  ticks[0..1] ─reliable─▶ lists[0..1] ─▶ last ─▶ out
/** Collects the records of a key in a list, which it changes in place, and keeps the one before the last beside. */
function collectByKey() {
  const job = Job.create('collect by key', { mode: 'streaming', parallelism: 2 });
  const out: (Seen & { readonly before: number | undefined })[] = [];
  job
    .source('ticks', tickingSource(count))
    .keyBy((n) => n % keys, { exchange: 'reliable' })
    .aggregate(
      {
        create: (): number[] => [],
        add: (list, n) => {
          list.push(n);
          return list;
        },
        result: (list, key): Seen => ({ key, all: [...list] }),
      },
      { uid: 'lists' },
    )
    .keyBy(({ key }) => key, { exchange: 'pipelined' })
    .process<{ last: Seen; before: number | undefined }, Seen & { readonly before: number | undefined }>(
      {
        onRecord: (seen, state) => state.set({ last: seen, before: state.get()?.last.all.length }),
        onEnd: (state, emit) => {
          const { last, before } = state.get() as { last: Seen; before: number | undefined };
          emit({ ...last, before });
        },
      },
      { uid: 'last' },
    )
    .sink(
      'out',
      forEach((seen) => void out.push(seen)),
    );
  return { job, results: () => [...out].sort((a, b) => a.key - b.key) };
}

const expected = Array.from({ length: keys }, (_, key) => ({
  key,
  all: Array.from({ length: count / keys }, (_, index) => key + index * keys),
  before: count / keys - 1,
}));

const inOrder = ({ results }: ReturnType<typeof collectByKey>) =>
  results().map((seen) => ({ ...seen, all: [...seen.all].sort((a, b) => a - b) }));

type Completed = Extract<JobEvent, { type: 'checkpoint.completed' }>;

const completedIn = (events: readonly JobEvent[]): Completed[] =>
  events.filter((event): event is Completed => event.type === 'checkpoint.completed');

/** A storage that names what is written and read. */
function watched(storage: CheckpointStorage): {
  readonly storage: CheckpointStorage;
  readonly written: PieceName[];
  readonly mostReads: () => number;
} {
  const written: PieceName[] = [];
  let [reads, most] = [0, 0];
  const counted = async <Value>(value: Promise<Value>): Promise<Value> => {
    most = Math.max(most, ++reads);
    try {
      return await value;
    } finally {
      reads--;
    }
  };
  return {
    written,
    mostReads: () => most,
    storage: storageOver(storage, {
      write: (piece, chunks) => {
        written.push(piece);
        return storage.write(piece, chunks);
      },
      readChunk: (location, offset) => counted(storage.readChunk(location, offset)),
    }),
  };
}

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kintsugi-states-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Of 1,000 keys a few are in memory, or all. */
const backendOf = (where: (typeof stateBackends)[number]) =>
  where === 'on disk' ? { stateBackend: lmdbState({ directory: join(directory, 'disk'), cacheBytes: 100_000 }) } : {};

/** The files of keyed states are gone with their run. */
const expectNoStates = (where: (typeof stateBackends)[number]): void => {
  if (where === 'on disk') expect(readdirSync(join(directory, 'disk'))).toEqual([]);
};

describe.each(stateBackends)('keyed states that are too large for messages, %s', (where) => {
  it.each<[string, number]>([
    ['lists', 60],
    ['last', 100],
    ['ticks', 200],
  ])('are written and read again: %s is killed, and every record counts once', async (vertex, skip) => {
    const job = collectByKey();
    const { storage, written, mostReads } = watched(memoryCheckpoints());
    const end = await runStory(job.job, {
      checkpoints: { intervalMs: 20, storage, ...backendOf(where) },
      faults: killing(vertex, { skip }),
    });
    expect(end.unfired).toEqual([]);
    expect(end.events.some(({ type }) => type === 'checkpoint.restored')).toBe(true);
    expect(inOrder(job)).toEqual(expected);
    expect(written.length).toBeGreaterThan(4);
    expect(mostReads()).toBeLessThanOrEqual(4);
    expectNoStates(where);
  });

  it.each<[string, () => StoryOptions]>([
    [
      'files',
      () => ({
        checkpoints: { intervalMs: 20, storage: fileCheckpoints(join(directory, 'files')), ...backendOf(where) },
      }),
    ],
    [
      'messages, as no other thread reaches the memory',
      () => ({ checkpoints: { intervalMs: 20, ...backendOf(where) } }),
    ],
  ])('over workers, in %s: one is killed, and every record counts once', async (_where, options) => {
    const job = collectByKey();
    const end = await runStory(job.job, { kind: 'over workers', ...options(), faults: killing('last', { skip: 100 }) });
    expect(end.unfired).toEqual([]);
    expect(end.events.some(({ type }) => type === 'checkpoint.restored')).toBe(true);
    expect(inOrder(job)).toEqual(expected);
    expectNoStates(where);
  });

  it('are written in part once they were written: what did not change is referred to', async () => {
    const job = Job.create('few change', { mode: 'streaming' });
    job
      .source('ticks', tickingSource(count))
      .keyBy((n) => (n < 2_000 ? n : n % 10), { exchange: 'reliable' })
      .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { emit: 'final' })
      .sink(
        'out',
        forEach(() => {}),
      );
    const end = await runStory(job, { checkpoints: { intervalMs: 20, ...backendOf(where) } });
    const last = completedIn(end.events).at(-1) as Completed;
    expect(last.referencedBytes).toBeGreaterThan(10_000);
    expect(last.bytes - last.referencedBytes).toBeLessThan(3_000);
  });
});

it.each<[string, number, (typeof stateBackends)[number]]>([
  ['once', 30, 'in memory'],
  ['once', 100, 'in memory'],
  ['once', 100, 'on disk'],
  ['fired', 30, 'in memory'],
  ['fired', 30, 'on disk'],
])('timers survive: %s is killed, and each fires once (%i, %s)', async (vertex, skip, where) => {
  const job = Job.create('timers', { mode: 'streaming' });
  const fired: { readonly key: number; readonly count: number }[] = [];
  job
    .source('ticks', tickingSource(count))
    .keyBy((n) => n % 500, { exchange: 'reliable' })
    .process(
      {
        states: { first: valueState<number>() },
        onRecord: (n, context) => {
          if (context.states.first.get() !== undefined) return;
          context.states.first.set(n);
          context.setTimer(context.nowMs + 100);
        },
        onTimer: (_atMs, { key, states }, emit: (out: { key: number; first: number | undefined }) => void) =>
          emit({ key, first: states.first.get() }),
      },
      { uid: 'once' },
    )
    .keyBy(({ key }) => key, { exchange: 'reliable' })
    .aggregate(
      { create: () => 0, add: (sum) => sum + 1, result: (sum, key) => ({ key, count: sum }) },
      { uid: 'fired', emit: 'final' },
    )
    .sink(
      'out',
      forEach((one) => void fired.push(one)),
    );
  const checkpoints = { intervalMs: 20, ...backendOf(where) };
  const end = await runStory(job, { checkpoints, faults: killing(vertex, { skip }) });
  expect(end.unfired).toEqual([]);
  expect(end.events.some(({ type }) => type === 'checkpoint.restored')).toBe(true);
  expect(fired.sort((a, b) => a.key - b.key)).toEqual(Array.from({ length: 500 }, (_, key) => ({ key, count: 1 })));
});
