import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckpointStorage } from '../../src/checkpoints/checkpoint-storage.ts';
import {
  collect,
  csvFile,
  Job,
  type JobEvent,
  type JobRunOptions,
  jsonLinesFile,
  memoryCheckpoints,
  noRestart,
  parquetFile,
  type Sink,
  type Source,
  toCsvFile,
  toJsonLinesFile,
  toParquetFile,
} from '../../src/index.ts';
import { type FaultPlan, faultPlan } from '../../src/testing/index.ts';
import { readSubtasks } from '../connectors/subtasks.ts';
import { isLong } from '../support/draws.ts';
import { killing, runStory, type StoryEnd, type StoryKind, storyKinds } from '../support/run-story.ts';
import { tickingSource } from '../support/ticking-source.ts';

const count = 200;
const parallelism = 2;

interface Row {
  readonly n: number;
}

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sinks-'));
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

interface TestedSink {
  readonly sink: Sink<Row>;
  /** What each subtask wrote, in order. */
  readonly read: () => Promise<readonly Row[]>;
  /** The files. */
  readonly files: () => string[];
}

const file = (extension: string, sinkOf: (path: string) => Sink<Row>, sourceOf: (path: string) => Source<unknown>) => ({
  name: extension,
  open: (): TestedSink => {
    const path = join(scratch, 'out', `rows.${extension}`);
    return {
      sink: sinkOf(path),
      read: async () => (await readSubtasks(sourceOf(path))).flat() as Row[],
      files: () => readdirSync(join(scratch, 'out')),
    };
  },
});

const sinks = [
  file('jsonl', toJsonLinesFile, jsonLinesFile),
  file(
    'csv',
    (path) => toCsvFile(path, { columns: ['n'] }),
    (path) => csvFile(path, { parse: ({ n }) => ({ n: Number(n) }) }),
  ),
  file('parquet', toParquetFile, parquetFile),
  // Its parts go on over checkpoints.
  file(
    'csv.gz',
    (path) => toCsvFile(path, { columns: ['n'], rollBytes: 400, rollIntervalMs: 12 }),
    (path) => csvFile(path, { parse: ({ n }) => ({ n: Number(n) }) }),
  ),
  {
    name: 'collect',
    open: (): TestedSink => {
      const collected = collect<Row>();
      return { sink: collected, read: async () => collected.records, files: () => [] };
    },
  },
] as const;

/** The numbers of both subtasks, each in order. */
const expected = [0, 1].flatMap((subtask) =>
  Array.from({ length: count / parallelism }, (_, index) => index * parallelism + subtask),
);

/** Fault points that a sink reaches. */
const points = {
  /** Its checkpoint is complete. */
  beforeCommit: 'sink.before-commit',
  /** It is in place, but nobody has heard of it. */
  afterCommit: 'sink.after-commit',
  open: 'sink.open',
} as const;

/** A sink at whose fault points a test strikes. Subtask 0 of each attempt counts. */
function struck(sink: Sink<Row>, faults: FaultPlan): Sink<Row> {
  return {
    ...sink,
    open: async (context, from) => {
      if (from !== undefined) faults.reach(points.open, { subtask: context.subtask });
      return sink.open(context, from);
    },
    commitPrepared: async (prepared) => {
      faults.reach(points.beforeCommit, {});
      await sink.commitPrepared?.(prepared);
      faults.reach(points.afterCommit, {});
    },
  };
}

/** How the checkpoint ends during which a task is killed. */
type End = 'stored' | 'refused';

/** A storage that kills a task while it writes the manifest of its third checkpoint. */
function killingStorage(faults: FaultPlan, vertex: string, end: End): CheckpointStorage {
  const storage = memoryCheckpoints();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let commits = 0;
  return {
    ...methodsOf(storage),
    commit: async (manifest) => {
      if (++commits === 3) {
        killing(vertex, { skip: 0 }, faults);
        while (faults.fired('task.batch') === 0) await turn();
        for (let turns = 0; turns < 20; turns++) await turn();
        if (end === 'refused') throw new Error('the disk is full');
      }
      await storage.commit(manifest);
    },
  };
}

function methodsOf(storage: CheckpointStorage): CheckpointStorage {
  return {
    description: storage.description,
    address: storage.address,
    write: (...args) => storage.write(...args),
    read: (location) => storage.read(location),
    readChunk: (location, offset) => storage.readChunk(location, offset),
    commit: (manifest) => storage.commit(manifest),
    find: (scope) => storage.find(scope),
    lastNumber: (scope) => storage.lastNumber(scope),
    discard: (scope, checkpoint) => storage.discard(scope, checkpoint),
    sweep: (scope, before) => storage.sweep(scope, before),
    remove: (scope) => storage.remove(scope),
  };
}

const ofType = (events: readonly JobEvent[], type: JobEvent['type']): JobEvent[] =>
  events.filter((event) => event.type === type);

/** Where the sink is: in a task of its own behind a result that is read again, or in that of the source. */
const shapes = { reliable: 'out', pipelined: 'ticks' } as const;

type Shape = keyof typeof shapes;

interface Story {
  readonly shape?: Shape;
  readonly faults?: FaultPlan;
  readonly storage?: CheckpointStorage;
  readonly strike?: Parameters<typeof runStory>[2];
  readonly options?: JobRunOptions;
}

/** Runs ticks ─▶ out with checkpoints, and everything else as it is by default. */
async function write(
  kind: StoryKind,
  sink: Sink<Row>,
  { shape = 'reliable', faults = faultPlan(), storage, strike, options }: Story = {},
): Promise<StoryEnd> {
  const job = Job.create('write', { mode: 'streaming', parallelism });
  job
    .source('ticks', tickingSource(count, 4))
    .map((n) => ({ n }))
    .forward({ exchange: shape })
    .sink('out', struck(sink, faults));
  const checkpoints = { intervalMs: 5, ...(storage && { storage }) };
  return runStory(job, { kind, faults, checkpoints, resultsOfLostExecutors: 'lost', ...options }, strike);
}

type Strike = (faults: FaultPlan, vertex: string) => Pick<Story, 'storage' | 'strike'>;

const armed =
  (arm: (faults: FaultPlan, vertex: string) => unknown): Strike =>
  (faults, vertex) => {
    arm(faults, vertex);
    return {};
  };

const strikes: [when: string, strike: Strike][] = [
  ['between two checkpoints', armed((faults, vertex) => killing(vertex, { skip: 15 }, faults))],
  [
    'between the barrier and the completion, which fails',
    (faults, vertex) => ({ storage: killingStorage(faults, vertex, 'refused') }),
  ],
  [
    'between the barrier and the completion, which follows',
    (faults, vertex) => ({ storage: killingStorage(faults, vertex, 'stored') }),
  ],
  ['between the completion and the commit', armed((faults) => faults.fail(points.beforeCommit, { skip: 2 }))],
  ['between the commit and its answer', armed((faults) => faults.fail(points.afterCommit, { skip: 3 }))],
  [
    'and again while it is restored, before it commits',
    armed((faults, vertex) => {
      // First, because the other one throws.
      faults.call('task.batch', () => faults.fail(points.beforeCommit), {
        when: (place) => place['vertex'] === vertex && place['subtask'] === 0,
        skip: 15,
      });
      killing(vertex, { skip: 15 }, faults);
    }),
  ],
  [
    'and again while it is restored, once it has committed',
    armed((faults, vertex) => {
      killing(vertex, { skip: 15 }, faults);
      faults.fail(points.open);
    }),
  ],
  [
    'twice, the second time before another checkpoint is complete',
    armed((faults, vertex) => killing(vertex, { skip: 15, times: 2 }, faults)),
  ],
  [
    'twice, with checkpoints in between',
    armed((faults, vertex) => {
      killing(vertex, { skip: 10 }, faults);
      killing(vertex, { skip: 20 }, faults);
    }),
  ],
  [
    'at its end',
    armed((faults, vertex) => faults.fail('task.finish', { when: (place) => place['vertex'] === vertex })),
  ],
  [
    'with its executor, between the completion and the commit',
    (faults, vertex) => ({
      strike: ({ loseExecutorOf }) =>
        void faults.call(points.beforeCommit, () => loseExecutorOf(`${vertex}[0]`), { skip: 4 }),
    }),
  ],
];

describe.each(storyKinds)('with checkpoints, %s', (kind) => {
  describe.each(sinks)('$name', ({ name, open }) => {
    it('has every record once, and nothing restarts, without a failure', async () => {
      const { sink, read, files } = open();
      const end = await write(kind, sink);
      expect(ofType(end.events, 'checkpoint.failed')).toEqual([]);
      expect(ofType(end.events, 'checkpoint.completed').length).toBeGreaterThan(2);
      expect([end.ranAgain, end.attempts]).toEqual([{}, { ticks: 1, out: 1 }]);
      expect((await read()).map(({ n }) => n)).toEqual(expected);
      if (name !== 'collect') expect(files().length).toBeGreaterThan(parallelism);
    });

    // The formats of files differ in what they put into a part, not in when.
    const told: Shape[] = name === 'jsonl' || name === 'collect' ? ['reliable', 'pipelined'] : [];
    const struckWhen = isLong || told.length > 0 ? strikes : strikes.filter((_, index) => index % 3 === 0);
    for (const shape of kind === 'over workers' || told.length > 0 ? told : (['reliable'] as const)) {
      const vertex = shapes[shape];
      it.each(struckWhen)(
        `${shape}: has every record once, and in order, if its task is killed %s`,
        async (_, strike) => {
          const { sink, read, files } = open();
          const faults = faultPlan();
          const end = await write(kind, sink, { shape, faults, ...strike(faults, vertex) });
          expect(end.unfired).toEqual([]);
          expect(ofType(end.events, 'checkpoint.restored').length).toBeGreaterThan(0);
          expect((await read()).map(({ n }) => n)).toEqual(expected);
          expect(files().filter((file) => file.startsWith('.'))).toEqual([]);
        },
      );
    }
  });
});

it('a run with a state directory that ends for good keeps what is pending; the next one has every record once', async () => {
  const { sink, read, files } = (sinks[0] as (typeof sinks)[0]).open();
  const faults = faultPlan();
  faults.fail(points.beforeCommit, { skip: 2 });
  const options = { stateDirectory: join(scratch, 'state'), restartBackoff: noRestart() };
  await expect(write('in one data plane', sink, { faults, options })).rejects.toMatchObject({ code: 'JOB_FAILED' });
  expect(files()).toContain('.rows.jsonl.pending');
  await write('in one data plane', sink, { options });
  expect((await read()).map(({ n }) => n)).toEqual(expected);
  expect(files().filter((name) => name.startsWith('.'))).toEqual([]);
});

describe('a pending part that somebody deletes before it is committed', () => {
  const hidden = (): string => join(scratch, 'hidden.jsonl');
  const pendings = (): string => join(scratch, 'out', '.rows.jsonl.pending');

  /** Hides the part of a subtask, and tells its path and the time at which that was done. */
  function hiding(faults: FaultPlan): { path: string } {
    const told = { path: '' };
    faults.call(
      points.beforeCommit,
      () => {
        const [name] = readdirSync(pendings());
        told.path = join(pendings(), name as string);
        renameSync(told.path, hidden());
      },
      { skip: 6 },
    );
    return told;
  }

  it('makes its checkpoint unreadable: the one before it is used, and each record is there once', async () => {
    const { sink, read } = sinks[0].open() as TestedSink;
    const faults = faultPlan();
    const told = hiding(faults);
    const options = { checkpoints: { intervalMs: 5, retained: 2 } };
    const { events } = await write('in one data plane', sink, { faults, options });
    const [lost] = ofType(events, 'checkpoint.unreadable');
    expect(lost).toMatchObject({
      instead: expect.any(Number),
      cause: {
        code: 'CHECKPOINT_UNREADABLE',
        location: told.path,
        message: expect.stringMatching(/Checkpoint file .*: the \d+ records .*rows-.* that were prepared .* are gone/),
      },
    });
    expect((await read()).map(({ n }) => n)).toEqual(expected);
  });

  it('without one before it, fails the job; once the file is put back, the next run commits it', async () => {
    const { sink, read } = sinks[0].open() as TestedSink;
    const faults = faultPlan();
    const told = hiding(faults);
    const options = { stateDirectory: join(scratch, 'state') };
    const failed = write('in one data plane', sink, { faults, options });
    await expect(failed).rejects.toMatchObject({ code: 'JOB_FAILED', cause: { code: 'NO_CHECKPOINT_LEFT' } });
    await expect(failed).rejects.toThrow(told.path);
    mkdirSync(pendings(), { recursive: true });
    renameSync(hidden(), told.path);
    const { events } = await write('in one data plane', sink, { options });
    expect(ofType(events, 'checkpoint.restored')).not.toEqual([]);
    expect((await read()).map(({ n }) => n)).toEqual(expected);
  });
});
