import { cpSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type Exchange,
  fixedDelay,
  Job,
  JobCanceledError,
  SavepointMismatchError,
  SavepointUnreadableError,
  type Sink,
  toJsonLinesFile,
} from '../../src/index.ts';
import { faultPlan, seededRandom } from '../../src/testing/index.ts';
import { tickingSource } from '../support/abandoned-run.ts';
import { failureOf, Runs } from '../support/runs.ts';
import { expected, sorted, type Sum, sumsOf } from '../support/savepoint-runs.ts';
import { syncedPaths } from '../support/synced-paths.ts';

const restartBackoff = fixedDelay({ maxAttempts: 5, delayMs: 1 });
/** So that everything is pending at the savepoint, and a restart begins from the start. */
const rarely = { intervalMs: 1_000_000 };

/** A fault plan that fails a task of "sum" with its next batch, from when it is armed. */
function failureOfSum() {
  const faults = faultPlan();
  let isArmed = false;
  faults.fail('task.batch', { when: ({ vertex }) => isArmed && vertex === 'sum', times: 1 });
  return {
    faults,
    arm: (): void => {
      isArmed = true;
    },
  };
}

/** Files of a savepoint that sinks have put there. */
const filesOf = (savepoint: string): string[] =>
  readdirSync(join(savepoint, 'outputs'), { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );

describe('a savepoint of a run that goes on, and restarts from before it', () => {
  it.each([1, 3, 6, 13, 21, 34])(
    'SV1: is continued as it was, by files written since or not (shape, moments and parallelism of seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      using runs = new Runs();
      const parallelism = random.integer(1, 3);
      const exchange = random.pick<Exchange>(['pipelined', 'memory', 'reliable']);
      const out = () => toJsonLinesFile<Sum>(runs.path('out/rows.jsonl'));
      const checkpoints = random.chance(0.5) ? { intervalMs: random.integer(3, 9) } : rarely;
      const { faults, arm } = failureOfSum();
      const run = runs.start(sumsOf(out(), { parallelism, exchange }), { checkpoints, restartBackoff }, faults);
      await runs.wait(random.integer(3, 12));
      const fromSavepoint = await runs.until(run.savepoint(runs.path('savepoint')));
      arm();
      await runs.until(run.result);
      expect(run.receipt().failovers).toHaveLength(1);
      const next = random.chance(0.5) ? parallelism : random.integer(1, 3);
      await runs.until(
        runs.start(sumsOf(out(), { parallelism: next, exchange }), { fromSavepoint, restartBackoff }).result,
      );
      expect(sorted(runs.rows('out'))).toEqual(expected);
    },
  );

  it('SV1: is continued several times, from copies elsewhere, without the output and what is pending beside it', async () => {
    using runs = new Runs();
    const out = () => toJsonLinesFile<Sum>(runs.path('out/rows.jsonl'));
    const shape = { parallelism: 2 };
    const { faults, arm } = failureOfSum();
    const run = runs.start(sumsOf(out(), shape), { checkpoints: rarely, restartBackoff }, faults);
    await runs.wait(12);
    const taken = await runs.until(run.savepoint(runs.path('savepoint')));
    arm();
    await runs.until(run.result);
    const fromSavepoint = runs.path('moved/savepoint');
    cpSync(taken, runs.path('copy'), { recursive: true });
    cpSync(taken, fromSavepoint, { recursive: true });
    rmSync(taken, { recursive: true });
    for (const from of [fromSavepoint, fromSavepoint, runs.path('copy')]) {
      await runs.until(runs.start(sumsOf(out(), shape), { fromSavepoint: from, restartBackoff }).result);
      expect(sorted(runs.rows('out'))).toEqual(expected);
    }
    rmSync(runs.path('out'), { recursive: true });
    await runs.until(runs.start(sumsOf(out(), shape), { fromSavepoint, restartBackoff }).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('SV1: links the parts, or copies them to another file system, and all of it is synced', async () => {
    using runs = new Runs();
    const synced = await syncedPaths();
    const elsewhere = mkdtempSync(existsSync('/dev/shm') ? '/dev/shm/savepoint-' : join(tmpdir(), 'savepoint-'));
    try {
      const out = () => toJsonLinesFile<Sum>(runs.path('out/rows.jsonl'));
      for (const directory of [runs.path('savepoint'), join(elsewhere, 'savepoint')]) {
        const run = runs.start(sumsOf(out(), { parallelism: 1 }), { checkpoints: rarely });
        await runs.wait(12);
        const fromSavepoint = await runs.until(run.savepoint(directory));
        const [part] = filesOf(fromSavepoint) as [string];
        const isNear = statSync(part).dev === statSync(runs.home).dev;
        expect(statSync(part).nlink).toBe(isNear ? 2 : 1);
        const directories = [directory, join(directory, 'outputs'), dirname(part)];
        for (const path of [...directories, ...(isNear ? [] : [part])]) expect(synced ?? [path]).toContain(path);
        await runs.until(run.stop());
        await runs.until(runs.start(sumsOf(out(), { parallelism: 1 }), { fromSavepoint, restartBackoff }).result);
        expect(sorted(runs.rows('out'))).toEqual(expected);
      }
    } finally {
      jest.restoreAllMocks();
      rmSync(elsewhere, { recursive: true });
    }
  });

  it.each([
    ['is missing', (part: string) => rmSync(part), /it is missing/],
    ['was changed', (part: string) => writeFileSync(part, 'x'), /it has 1 bytes, not \d+/],
  ])('of which a part %s is refused, naming it, and nothing has run', async (_, spoil, problem) => {
    using runs = new Runs();
    const out = () => toJsonLinesFile<Sum>(runs.path('out/rows.jsonl'));
    const run = runs.start(sumsOf(out(), { parallelism: 1 }), { checkpoints: rarely });
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.savepoint(runs.path('savepoint')));
    await runs.until(run.stop());
    const [part] = filesOf(fromSavepoint) as [string];
    spoil(part);
    const failure = await runs.until(
      failureOf(runs.start(sumsOf(out(), { parallelism: 1 }), { fromSavepoint, restartBackoff }).result),
    );
    expect(failure.cause).toBeInstanceOf(SavepointUnreadableError);
    expect((failure.cause as Error).message).toMatch(problem);
    expect((failure.cause as Error).message).toContain(part);
    expect(existsSync(runs.path('out/rows.jsonl'))).toBe(false);
  });
});

/** Keeps its rows outside of the job: what is prepared is a name. */
class Table {
  readonly rows: number[][] = [];
  readonly pending = new Map<string, number[]>();
  #count = 0;

  sink(kept: Map<string, number[]>): Sink<number> {
    const prepare = (number: number, records: number[]): { name: string; number: number } => {
      const name = `${++this.#count}`;
      this.pending.set(name, records);
      return { name, number };
    };
    const commitPrepared = (prepared: unknown): void => {
      const { name, number } = prepared as { name: string; number: number };
      const records = this.pending.get(name);
      if (records !== undefined) this.rows.splice(number, this.rows.length, records);
      this.pending.delete(name);
    };
    return {
      name: 'table',
      guarantee: 'exactly-once',
      commitPrepared,
      exportPrepared: (prepared, directory) => {
        const { name, number } = prepared as { name: string; number: number };
        kept.set(directory, this.pending.get(name) as number[]);
        return { number };
      },
      importPrepared: (exported, directory) => {
        return prepare((exported as { number: number }).number, kept.get(directory) as number[]);
      },
      open: (_, from) => {
        let number = from === undefined ? 0 : (from as { number: number }).number + 1;
        this.rows.splice(number);
        this.pending.clear();
        let open: number[] = [];
        return {
          write: (records) => void open.push(...records),
          prepareCheckpoint: () => prepare(number++, open.splice(0)),
          commit: () => void this.rows.push(open),
          abort: () => void (open = []),
        };
      },
    };
  }
}

describe('a sink of your own whose rows are not in what it prepares', () => {
  const jobOf = (sink: Sink<number>): Job => {
    const job = Job.create('rows', { mode: 'streaming', parallelism: 1 });
    job.source('numbers', tickingSource(300), { version: 1 }).sink('table', sink, { version: 1 });
    return job;
  };

  it('SV1: exports them to a directory of their own in the savepoint, and imports them from there', async () => {
    using runs = new Runs();
    const table = new Table();
    const kept = new Map<string, number[]>();
    const run = runs.start(jobOf(table.sink(kept)), { checkpoints: rarely });
    await runs.wait(9);
    const taken = await runs.until(run.savepoint(runs.path('savepoint')));
    await runs.until(run.result);
    expect([...kept.keys()]).toEqual([join(taken, 'outputs/1')]);
    const fromSavepoint = runs.path('moved');
    renameSync(taken, fromSavepoint);
    kept.set(join(fromSavepoint, 'outputs/1'), kept.get(join(taken, 'outputs/1')) as number[]);
    await runs.until(runs.start(jobOf(table.sink(kept)), { fromSavepoint, restartBackoff }).result);
    expect(table.rows.flat()).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });

  it('cannot import without the method: the error names step and remedy', async () => {
    using runs = new Runs();
    const table = new Table();
    const run = runs.start(jobOf(table.sink(new Map())), { checkpoints: rarely });
    await runs.wait(9);
    const fromSavepoint = await runs.until(run.savepoint(runs.path('savepoint')));
    await runs.until(run.result);
    const sink = { ...table.sink(new Map()), importPrepared: undefined };
    const failure = await runs.until(failureOf(runs.start(jobOf(sink), { fromSavepoint, restartBackoff }).result));
    expect(failure.cause).toBeInstanceOf(SavepointMismatchError);
    expect((failure.cause as Error).message).toMatch(/"table" cannot continue .*has no `importPrepared`.*another uid/);
  });
});

describe('a savepoint with which the run stops', () => {
  /** A file sink of which the first commits fail. */
  const failing = (path: string, times: number): Sink<Sum> => {
    const sink = toJsonLinesFile<Sum>(path);
    let left = times;
    return {
      ...sink,
      commitPrepared: async (prepared) => {
        if (left-- > 0) throw new Error('the disk is away');
        await sink.commitPrepared?.(prepared);
      },
    };
  };

  it('SV2: everything before it is committed by the end, also what tasks fail to commit once it is complete', async () => {
    using runs = new Runs();
    const path = runs.path('out/rows.jsonl');
    const run = runs.start(sumsOf(failing(path, 3), { parallelism: 3 }), { checkpoints: rarely });
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    expect((await failureOf(run.result)).cause).toBeUndefined();
    const rows = sorted(runs.rows('out'));
    expect(rows.length).toBeGreaterThan(20);
    expect(rows).toEqual(expected.slice(0, rows.length));
    const next = runs.start(sumsOf(toJsonLinesFile(path), { parallelism: 3 }), { fromSavepoint, restartBackoff });
    await runs.until(next.result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('SV2: what cannot be committed is named by the end of the run, and the run that continues commits it', async () => {
    using runs = new Runs();
    const path = runs.path('out/rows.jsonl');
    const run = runs.start(sumsOf(failing(path, Number.POSITIVE_INFINITY), { parallelism: 1 }), {
      checkpoints: rarely,
    });
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    const failure = await failureOf(run.result);
    expect(failure).toBeInstanceOf(JobCanceledError);
    expect(failure).toMatchObject({ savepoint: fromSavepoint, cause: { cause: new Error('the disk is away') } });
    expect((failure.cause as Error).message).toMatch(
      /savepoint is complete, and the sink "rows.jsonl" could not commit/,
    );
    expect(runs.rows('out')).toEqual([]);
    const next = runs.start(sumsOf(toJsonLinesFile(path), { parallelism: 1 }), { fromSavepoint, restartBackoff });
    await runs.until(next.result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });
});
