import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  explain,
  type Exchange,
  fileCheckpoints,
  Job,
  type JobEvent,
  listState,
  type StateDeclarations,
  valueState,
} from '../../src/index.ts';
import { readLog } from '../../src/journal/journal-log.ts';
import { encodeRecord, encodeRecords } from '../../src/journal/record-header.ts';
import { decodeEntry, encodeEntry, runJournalFormat } from '../../src/journal/run/run-entry-codec.ts';
import type { RunEntry } from '../../src/journal/run/run-entry.ts';
import { FileJournalStorage } from '../../src/partitions/storage/file-journal-storage.ts';
import { readBooks } from '../../src/run/durable/state-directory.ts';
import { seededRandom } from '../../src/testing/index.ts';
import { AbandonedRuns, tickingSource, transactionalSink, type World } from '../support/abandoned-run.ts';

const count = 400;

interface Sum {
  readonly digit: number;
  readonly sum: number;
}

//  ticks[0..1] ─exchange─▶ sums[0..1] ─▶ out
const sumUp =
  (exchange: Exchange, { version = 1, repeats = true }: { version?: number; repeats?: boolean } = {}) =>
  (world: World<Sum>): Job => {
    const job = Job.create('sum up', { mode: 'streaming', parallelism: 2 });
    job
      .source('ticks', tickingSource(count), { version: 1 })
      .map((n) => world.read(n) * 3, { uid: 'triple', version })
      .keyBy((n) => n % 10, { exchange })
      .aggregate(
        {
          create: () => ({ sum: 0 }),
          add: ({ sum }, n) => ({ sum: sum + n }),
          result: ({ sum }, digit) => ({ digit, sum }),
        },
        { uid: 'sums', emit: 'final' },
      )
      .sink('out', { ...transactionalSink(world), redo: repeats ? 'repeats' : 'replaces' }, { version: 1 });
    return job;
  };

const expected = Array.from({ length: 10 }, (_, digit) => {
  let sum = 0;
  for (let n = 0; n < count; n++) if ((n * 3) % 10 === digit) sum += n * 3;
  return { digit, sum };
});

const sorted = (records: readonly Sum[]) => [...records].sort((a, b) => a.digit - b.digit);

const of = <Type extends JobEvent['type']>(events: readonly JobEvent[], type: Type) =>
  events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);

const checkpoints = { intervalMs: 5 };

describe('a keyed stream whose process dies', () => {
  it.each<Exchange>(['pipelined', 'memory', 'reliable'])(
    'over %s: the next run continues from the latest checkpoint, and every record counts once',
    async (exchange) => {
      using runs = new AbandonedRuns(sumUp(exchange), { checkpoints });
      await runs.runUntil({ ms: 23 });
      const { events, receipt } = await runs.run();
      expect(sorted(runs.world.transacted)).toEqual(expected);
      expect(of(events, 'checkpoint.restored').length).toBeGreaterThan(0);
      expect(runs.world.reads.get(0)).toBe(1);
      expect(receipt.toString()).toMatch(/4 tasks behind ticks\[0\] continue from checkpoint \d+ of /);
    },
  );

  it.each(Array.from({ length: 8 }, (_, seed) => seed))(
    'any number of times, at any instant, with failures: every record counts once (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const exchange = random.pick<Exchange>(['pipelined', 'memory', 'reliable']);
      using runs = new AbandonedRuns(sumUp(exchange), {
        checkpoints: { ...checkpoints, intervalMs: random.integer(2, 9) },
      });
      for (let deaths = random.integer(1, 4); deaths > 0; deaths--) {
        await runs.runUntil({ ms: random.integer(1, 30) });
      }
      await runs.run();
      expect(sorted(runs.world.transacted)).toEqual(expected);
    },
  );

  it('of a checkpoint that is complete, but whose transactions are not committed, it commits them', async () => {
    using runs = new AbandonedRuns(sumUp('pipelined'), { checkpoints });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 3);
    const { events } = await runs.run();
    expect(of(events, 'checkpoint.restored').map(({ checkpoint }) => checkpoint)).toEqual([3]);
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  it('JC3: the numbers of checkpoints go on', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
    const { events } = await runs.runUntil({ ms: 23 });
    const next = await runs.run();
    const [first] = of(next.events, 'checkpoint.triggered');
    const before = of(next.events, 'checkpoint.restored')[0]?.checkpoint as number;
    expect(of(events, 'checkpoint.completed').length).toBeGreaterThan(0);
    expect(first?.checkpoint).toBeGreaterThan(before);
  });
});

/** As an earlier version would have written them. */
function withoutNumbers(entries: readonly RunEntry[]): RunEntry[] {
  const isNumbered = ({ type }: RunEntry): boolean => type === 'checkpoints.numbered';
  const [numbered] = entries.filter(isNumbered) as Extract<RunEntry, { readonly after: number }>[];
  const place = numbered?.after ?? 0;
  return entries
    .filter((entry) => !isNumbered(entry))
    .map((entry) => (entry.type !== 'run.began' && entry.after > place ? { ...entry, after: entry.after - 1 } : entry));
}

describe('JC3: the number of a checkpoint that was never stored', () => {
  const triggered = ({ events }: { readonly events: readonly JobEvent[] }): number[] =>
    of(events, 'checkpoint.triggered').map(({ checkpoint }) => checkpoint);

  it.each<Exchange>(['pipelined', 'reliable'])('is not used by the next process (%s)', async (exchange) => {
    using runs = new AbandonedRuns(sumUp(exchange), { checkpoints });
    const numbers: (number | undefined)[] = [];
    for (let process = 0; process < 3; process++) {
      await runs.runUntil((event) => event.type === 'checkpoint.triggered');
      expect(checkpointFiles(runs.stateDirectory)).toEqual([]);
      numbers.push(readBooks(runs.stateDirectory)?.lastCheckpoint);
    }
    const next = triggered(await runs.run());
    expect(numbers).toEqual([100, 200, 300]);
    expect(next[0]).toBe(301);
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  it('is not known from a journal of format 2, which is continued, and goes on in format 4', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 2);
    const storage = new FileJournalStorage(runs.stateDirectory);
    const entries = readLog(storage, 'journal', runJournalFormat).map(decodeEntry);
    const old = withoutNumbers(entries);
    const formatTwo = { kind: 'RUNJ', version: 2 };
    writeFileSync(storage.pathOf('journal'), encodeRecords(formatTwo, old.map(encodeEntry), 0));
    expect(readBooks(runs.stateDirectory)).toMatchObject({ lastCheckpoint: 0, checkpoints: [{ hasCompleted: true }] });
    const next = await runs.runUntil((event) => event.type === 'checkpoint.triggered');
    expect(of(next.events, 'checkpoint.restored')[0]?.checkpoint).toBe(2);
    expect(triggered(next)[0]).toBe(3);
    expect(
      readLog(new FileJournalStorage(runs.stateDirectory), 'journal', { ...runJournalFormat, oldestVersion: 4 }),
    ).not.toEqual([]);
    await runs.run();
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });
});

/** The files of checkpoints in a state directory. */
function checkpointFiles(stateDirectory: string): string[] {
  const directory = join(stateDirectory, 'checkpoints');
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((scope) =>
    readdirSync(join(directory, scope)).map((name) => join(directory, scope, name)),
  );
}

it('RE6: a journal of format 3 is continued, and goes on in format 4', async () => {
  using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
  await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 2);
  const storage = new FileJournalStorage(runs.stateDirectory);
  const payloads = readLog(storage, 'journal', runJournalFormat);
  writeFileSync(storage.pathOf('journal'), encodeRecords({ kind: 'RUNJ', version: 3 }, payloads, 0));
  const { events } = await runs.run();
  expect(of(events, 'checkpoint.restored')[0]?.checkpoint).toBe(2);
  expect(readLog(storage, 'journal', { ...runJournalFormat, oldestVersion: 4 })).not.toEqual([]);
  expect(sorted(runs.world.transacted)).toEqual(expected);
});

describe('the files of checkpoints', () => {
  it('are gone once the job has finished', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
    await runs.runUntil({ ms: 23 });
    expect(checkpointFiles(runs.stateDirectory)).not.toEqual([]);
    await runs.run();
    expect(readdirSync(runs.stateDirectory)).toEqual(['journal']);
  });

  it('LC1: of a run that nobody continues are removed', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
    await runs.runUntil({ ms: 23 });
    const before = checkpointFiles(runs.stateDirectory);
    await runs.runUntil((event) => event.type === 'job.statusChanged' && event.status === 'running', {
      resume: 'never',
    });
    expect(before).not.toEqual([]);
    expect(checkpointFiles(runs.stateDirectory)).toEqual([]);
  });

  it('LC2: that could not be removed are named until a later run removes them', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), {});
    const directory = join(runs.home, 'elsewhere');
    const storage = fileCheckpoints(directory);
    const files = (): string[] => (existsSync(directory) ? readdirSync(directory) : []);
    const count = (): number => files().reduce((sum, scope) => sum + readdirSync(join(directory, scope)).length, 0);
    await runs.runUntil({ ms: 23 }, { checkpoints: { ...checkpoints, storage } });
    const isRunning = (event: JobEvent): boolean => event.type === 'job.statusChanged' && event.status === 'running';
    const removing = jest.spyOn(storage, 'remove').mockRejectedValue(new Error('it is read-only'));
    await runs.runUntil(isRunning, { checkpoints: { ...checkpoints, storage }, resume: 'never' });
    expect(count()).toBeGreaterThan(0);
    removing.mockRestore();
    await runs.run({ checkpoints: { ...checkpoints, storage } });
    expect(count()).toBe(0);
  });

  it('that crashed writers left are removed, and more than are retained', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints: { ...checkpoints, retained: 3 } });
    await runs.runUntil({ ms: 22 });
    const [one] = checkpointFiles(runs.stateDirectory);
    writeFileSync(join(one as string, '..', '0000000002-sums.0#0.state'), 'of a checkpoint that never completed');
    await runs.runUntil((event) => event.type === 'job.resumed', { checkpoints });
    expect(checkpointFiles(runs.stateDirectory)).toHaveLength(1);
  });
});

describe('RE5: a checkpoint that is stored, of which the storage says nothing', () => {
  it('is not used once a task has restarted without it: neither now nor by the next process', async () => {
    let isSilent = false;
    let hasFailed = false;
    const pass = (world: World<number>): Job => {
      const job = Job.create('pass', { mode: 'streaming' });
      job
        .source('ticks', tickingSource(count), { version: 1 })
        .map(
          (n) => {
            if (!isSilent || hasFailed) return n;
            hasFailed = true;
            throw new Error('the disk is slow');
          },
          { uid: 'map', version: 1 },
        )
        .sink('out', transactionalSink(world), { version: 1 });
      return job;
    };
    using runs = new AbandonedRuns(pass, {});
    const storage = fileCheckpoints(join(runs.stateDirectory, 'checkpoints'));
    const commit = storage.commit.bind(storage);
    const numbers: number[] = [];
    let land = (): void => {};
    const restarted = new Promise<void>((resolve) => (land = resolve));
    jest.spyOn(storage, 'commit').mockImplementation(async (manifest) => {
      numbers.push(manifest.checkpoint);
      if (numbers.length !== 3) return await commit(manifest);
      isSilent = true;
      await restarted;
      await commit(manifest);
      await new Promise(() => {});
    });
    const limited = { ...checkpoints, timeoutMs: 20 };
    let hasRestarted = false;
    const { events } = await runs.runUntil(
      (event) => {
        if (event.type === 'checkpoint.restored') {
          hasRestarted = true;
          land();
        }
        return hasRestarted && event.type === 'checkpoint.triggered';
      },
      { checkpoints: { ...limited, storage } },
    );
    const [, second, silent] = numbers;
    expect(of(events, 'checkpoint.failed')).toMatchObject([{ checkpoint: silent, reason: 'storing' }]);
    expect(of(events, 'checkpoint.restored')).toMatchObject([{ checkpoint: second }]);
    const next = await runs.run({ checkpoints: limited });
    expect(of(next.events, 'checkpoint.restored')).toMatchObject([{ checkpoint: second }]);
    expect(runs.world.transacted).toEqual(Array.from({ length: count }, (_, n) => n));
  });
});

describe('a checkpoint that is damaged', () => {
  const damage = (stateDirectory: string, which: (files: string[]) => string[]): void => {
    for (const path of which(checkpointFiles(stateDirectory).sort())) truncateSync(path, 40);
  };

  it('is passed over with an event: the one before is used', async () => {
    using runs = new AbandonedRuns(sumUp('pipelined'), { checkpoints: { ...checkpoints, retained: 2 } });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 3);
    damage(runs.stateDirectory, (files) => files.slice(-1));
    const { events } = await runs.run();
    expect(of(events, 'checkpoint.unreadable')).toMatchObject([{ checkpoint: 3, instead: 2 }]);
    expect(of(events, 'checkpoint.restored').map(({ checkpoint }) => checkpoint)).toEqual([2]);
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  it('is not used by a later run either, although it can be read again: sinks have taken back what came before it', async () => {
    const pass = (world: World<number>): Job => {
      const job = Job.create('pass', { mode: 'streaming' });
      job.source('ticks', tickingSource(count), { version: 1 }).sink('out', transactionalSink(world), { version: 1 });
      return job;
    };
    using runs = new AbandonedRuns(pass, { checkpoints: { ...checkpoints, retained: 3 } });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 3);
    const path = checkpointFiles(runs.stateDirectory).sort().at(-1) as string;
    const bytes = readFileSync(path);
    damage(runs.stateDirectory, (files) => files.slice(-2));
    await runs.runUntil((event) => event.type === 'checkpoint.triggered');
    const [scope, name] = path.split('/').slice(-2) as [string, string];
    writeFileSync(join(runs.stateDirectory, 'checkpoints', scope, name), bytes);
    await runs.runUntil((event) => event.type === 'checkpoint.triggered');
    writeFileSync(join(runs.stateDirectory, 'checkpoints', scope, name), bytes);
    const { events } = await runs.run();
    expect(of(events, 'checkpoint.restored').map(({ checkpoint }) => checkpoint)).toEqual([1]);
    expect(runs.world.transacted).toEqual(Array.from({ length: count }, (_, n) => n));
  });

  it('as all of them are: nothing runs where output would be repeated', async () => {
    using runs = new AbandonedRuns(sumUp('pipelined'), { checkpoints });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 3);
    damage(runs.stateDirectory, (files) => files);
    const { reads } = runs.world.copy();
    await expect(runs.run()).rejects.toMatchObject({ cause: { code: 'NO_CHECKPOINT_LEFT' } });
    expect(runs.world.reads).toEqual(reads);
    await runs.run({ rerun: true });
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  it('or missing: it is noticed', async () => {
    using runs = new AbandonedRuns(sumUp('pipelined'), { checkpoints });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 3);
    rmSync(join(runs.stateDirectory, 'checkpoints'), { recursive: true });
    await expect(runs.run()).rejects.toMatchObject({ cause: { code: 'NO_CHECKPOINT_LEFT' } });
  });

  it('as all of them are: where sinks replace their output, the component begins anew', async () => {
    using runs = new AbandonedRuns(sumUp('pipelined', { repeats: false }), { checkpoints });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 3);
    damage(runs.stateDirectory, (files) => files);
    const { receipt } = await runs.run();
    expect(receipt.toString()).toContain(
      '4 tasks behind ticks[0] begin anew, not from a checkpoint: none of its checkpoints',
    );
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  describe('in a state that is found damaged only when a task reads it', () => {
    //  ticks[0..1] ─pipelined─▶ sums[0..1] ─▶ out      of so many keys that states do not travel in messages
    const many =
      (redo: 'repeats' | 'replaces') =>
      (world: World<number>): Job => {
        const job = Job.create('many', { mode: 'streaming', parallelism: 2 });
        job
          .source('ticks', tickingSource(2_000, 40), { version: 1 })
          .keyBy((n) => n % 500, { exchange: 'pipelined' })
          .reduce((a, b) => a + b, { uid: 'sums', emit: 'final', version: 1 })
          .sink('out', { ...transactionalSink(world), redo }, { version: 1 });
        return job;
      };
    const sums = Array.from({ length: 500 }, (_, key) => 4 * key + 500 * (1 + 2 + 3));

    /** A process that dies, and one that finds its latest checkpoint damaged. Returns what mends it. */
    const failed = async (runs: AbandonedRuns<number>): Promise<() => void> => {
      await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 2);
      const [path] = checkpointFiles(runs.stateDirectory)
        .filter((name) => name.endsWith('.state'))
        .sort()
        .slice(-1);
      const bytes = readFileSync(path as string);
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8((flipped[flipped.length >> 1] as number) ^ 1, flipped.length >> 1);
      writeFileSync(path as string, flipped);
      await expect(runs.run()).rejects.toMatchObject({ cause: { code: 'NO_CHECKPOINT_LEFT' } });
      return () => writeFileSync(path as string, bytes);
    };

    it('the next process begins anew, where sinks replace their output', async () => {
      using runs = new AbandonedRuns(many('replaces'), { checkpoints });
      await failed(runs);
      const { receipt } = await runs.run();
      expect(receipt.toString()).toContain('begin anew, not from a checkpoint: none of its checkpoints can be read');
      expect(runs.world.transacted.toSorted((a, b) => a - b)).toEqual(sums);
    });

    it('nothing runs where output would be repeated, until the file is whole again', async () => {
      using runs = new AbandonedRuns(many('repeats'), { checkpoints });
      const mend = await failed(runs);
      const files = checkpointFiles(runs.stateDirectory);
      await expect(runs.run()).rejects.toMatchObject({ cause: { code: 'NO_CHECKPOINT_LEFT' } });
      expect(checkpointFiles(runs.stateDirectory)).toEqual(files);
      mend();
      const { events } = await runs.run();
      expect(of(events, 'checkpoint.restored')[0]?.checkpoint).toBe(2);
      expect(runs.world.transacted.toSorted((a, b) => a - b)).toEqual(sums);
    });
  });

  it('of a newer format is refused, and stays as it is', async () => {
    using runs = new AbandonedRuns(sumUp('pipelined'), { checkpoints });
    await runs.runUntil((event) => event.type === 'checkpoint.completed' && event.checkpoint === 3);
    const path = checkpointFiles(runs.stateDirectory).sort().at(-1) as string;
    const newer = encodeRecord({ kind: 'CMAN', version: 2 }, new Uint8Array(8));
    writeFileSync(path, newer);
    await expect(runs.run()).rejects.toMatchObject({ cause: { code: 'CHECKPOINT_FORMAT' } });
    expect(new Uint8Array(readFileSync(path))).toEqual(newer);
  });
});

describe('a component that has changed', () => {
  it('is refused where output is committed, whatever changed in it', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
    await runs.runUntil({ ms: 23 });
    const { reads } = runs.world.copy();
    await expect(runs.run({}, sumUp('reliable', { version: 2 }))).rejects.toMatchObject({
      cause: { code: 'OUTPUT_COMMITTED', sink: 'out' },
    });
    await expect(runs.run({ checkpoints: undefined })).rejects.toMatchObject({ cause: { code: 'OUTPUT_COMMITTED' } });
    expect(runs.world.reads).toEqual(reads);
    await runs.run();
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  it('begins anew where its output is replaced', async () => {
    using runs = new AbandonedRuns(sumUp('reliable', { repeats: false }), { checkpoints });
    await runs.runUntil({ ms: 23 });
    const { receipt } = await runs.run({}, sumUp('reliable', { repeats: false, version: 2 }));
    expect(receipt.toString()).toMatch(/4 tasks behind ticks\[0\] begin anew, not from a checkpoint: .*"triple"/);
    expect(runs.world.reads.get(0)).toBe(2);
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });
});

describe('explain', () => {
  const said = async (runs: AbandonedRuns<Sum>, job: (world: World<Sum>) => Job, options = {}) => {
    const { stateDirectory, world } = runs;
    const { resume } = await explain(job(world), { stateDirectory, ...options });
    return resume;
  };

  it('says from which checkpoint a component would continue, and when it completed', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
    await runs.runUntil({ ms: 23 });
    for (const options of [{}, { checkpoints }]) {
      const { checkpoints: found, refusal } = await said(runs, sumUp('reliable'), options);
      expect(refusal).toBeUndefined();
      expect(found).toMatchObject([{ head: 'ticks[0]', taskCount: 4, checkpoint: 4 }]);
    }
    const before = checkpointFiles(runs.stateDirectory);
    expect((await said(runs, sumUp('reliable'))).toString()).toMatch(
      /4 tasks behind ticks\[0\] +checkpoint 4 of 2000-/,
    );
    expect(checkpointFiles(runs.stateDirectory)).toEqual(before);
  });

  it('says why one would begin anew, or why nothing would run', async () => {
    using runs = new AbandonedRuns(sumUp('reliable'), { checkpoints });
    await runs.runUntil({ ms: 23 });
    expect((await said(runs, sumUp('reliable', { version: 2 }))).refusal).toMatchObject({ code: 'OUTPUT_COMMITTED' });
    const { checkpoints: anew, refusal } = await said(runs, sumUp('reliable'), { rerun: true });
    expect(refusal).toBeUndefined();
    expect(anew).toMatchObject([{ head: 'ticks[0]', why: '`rerun: true`' }]);
  });
});

describe('a component that had checkpoints and was changed', () => {
  const failure = async (run: Promise<unknown>): Promise<Error> =>
    await run.then(
      () => new Error('It did not fail'),
      (error: unknown) => error as Error,
    );

  it("is refused with resume: 'require', although its sink could replace its output", async () => {
    using runs = new AbandonedRuns(sumUp('pipelined', { repeats: false }), { checkpoints });
    await runs.runUntil({ ms: 23 });
    const changed = sumUp('pipelined', { version: 2, repeats: false });
    const error = await failure(runs.run({ resume: 'require' }, changed));
    expect(error.cause).toMatchObject({ code: 'NOTHING_TO_RESUME' });
    expect(error.message).toMatch(
      /the tasks behind ticks\[0\] would begin anew, because the version of "triple" was 1, is 2\. Undo the change/,
    );
    await runs.run({ resume: 'require' });
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  it('is refused, naming the step and its state, if that is of another kind, whatever its version', async () => {
    const counting =
      (states: StateDeclarations) =>
      (world: World<unknown>): Job => {
        const job = Job.create('count', { mode: 'streaming' });
        job
          .source('ticks', tickingSource(count), { version: 1 })
          .keyBy((n) => n % 10, { version: 1 })
          .process({ states, onRecord: (n: number, _, emit) => emit(n) }, { uid: 'seen', version: 1 })
          .sink('out', transactionalSink(world), { version: 1 });
        return job;
      };
    using runs = new AbandonedRuns(counting({ last: valueState<number>() }), { checkpoints });
    await runs.runUntil({ ms: 23 });
    const error = await failure(runs.run({}, counting({ last: listState<number>() })));
    expect(error.cause).toMatchObject({ code: 'OUTPUT_COMMITTED' });
    expect(error.message).toContain('kind of state last of "seen" was "value", is "list"');
  });
});
