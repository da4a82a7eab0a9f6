import fc from 'fast-check';
import type { RunId } from '../../src/ids.ts';
import type { JobIdentity } from '../../src/journal/identity/job-identity.ts';
import { RunBooks } from '../../src/journal/run/run-books.ts';
import {
  type EntryTask,
  isVital,
  type RunBeginning,
  type RunEntry,
  type RunStep,
} from '../../src/journal/run/run-entry.ts';
import { decodeEntry, encodeEntry } from '../../src/journal/run/run-entry-codec.ts';

const identity: JobIdentity = {
  job: 'labels',
  mode: 'batch',
  vertices: ['texts', 'fix'].map((id) => ({ id, parallelism: 3, steps: [] })),
  edges: [],
};

const began = (run: string, finished: RunBeginning['finished'] = []): RunBeginning => ({
  type: 'run.began',
  run: run as RunId,
  atMs: 1,
  firstAtMs: 1,
  identity,
  finished,
  parts: [[], [['/out-0'], ['/out-1'], ['/out-2', '/dead-2']]],
  plans: [[0, { files: ['a.jsonl'], at: new Date(3), ends: new Map([['a', 5n]]) }]],
});

const task = fc.record({ vertex: fc.integer({ min: 0, max: 1 }), subtask: fc.integer({ min: 0, max: 2 }) });

const step: fc.Arbitrary<RunStep> = fc.oneof(
  task.map((of): RunStep => {
    const stored = { run: 'r' as RunId, partition: 0 as never, attempt: 0 as never, records: 2, bytes: 9 };
    return { type: 'task.finished', ...of, results: [{ edge: 0, stored }] };
  }),
  fc
    .array(fc.record({ vertex: fc.integer({ min: 0, max: 1 }), start: fc.nat(2), count: fc.nat(2) }), { maxLength: 3 })
    .map((drawn) => drawn.map(({ count, ...range }) => ({ ...range, end: Math.min(3, range.start + count) })))
    .map((tasks): RunStep => ({ type: 'tasks.restarted', tasks })),
  fc.constant<RunStep>({ type: 'source.planned', vertex: 1, plan: { end: 7 } }),
);

/** The entries of a run with these steps. */
function entriesOf(beginning: RunBeginning, steps: readonly RunStep[]): RunEntry[] {
  let vital = 0;
  return [beginning, ...steps.map((next) => ({ ...next, after: isVital(next) ? vital++ : vital }))];
}

const fold = (entries: readonly RunEntry[]): RunBooks => {
  let books: RunBooks | undefined;
  for (const next of entries) books = RunBooks.after(books, next);
  return books as RunBooks;
};

const contents = (books: RunBooks) => ({
  run: books.run,
  finished: [...books.finished()],
  plans: [...books.plans],
  end: books.end,
});

describe('the books of a run', () => {
  it('RB1: a task counts as finished from its entry until one that restarts it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (entries) => {
        const finished = new Set<string>();
        const key = ({ vertex, subtask }: EntryTask): string => `${vertex}/${subtask}`;
        for (const next of entries) {
          if (next.type === 'task.finished') finished.add(key(next));
          if (next.type !== 'tasks.restarted') continue;
          for (const { vertex, start, end } of next.tasks) {
            for (const subtask of [0, 1, 2])
              if (start <= subtask && subtask < end) finished.delete(key({ vertex, subtask }));
          }
        }
        const books = fold(entriesOf(began('r'), entries));
        expect([...books.finished()].map(key)).toEqual([...finished].sort());
      }),
    );
  });

  it('RB1: entries that were written and read again give the same books', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (entries) => {
        const all = entriesOf(began('r'), entries);
        expect(contents(fold(all.map((next) => decodeEntry(encodeEntry(next)))))).toEqual(contents(fold(all)));
      }),
    );
  });

  it('RB2: an entry that occurs twice in a row counts once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (entries) => {
        const all = entriesOf(began('r'), entries);
        const twice = all.flatMap((next) => (isVital(next) ? [next, next] : [next]));
        expect(contents(fold(twice))).toEqual(contents(fold(all)));
      }),
    );
  });

  it('RB3: of the entries after a lost one whose loss would make the books wrong, none counts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.array(step, { maxLength: 20 }), (before, after) => {
        const lost: RunStep = { type: 'tasks.restarted', tasks: [{ vertex: 0, start: 0, end: 1 }] };
        const all = entriesOf(began('r'), [...before, lost, ...after]);
        const found = all.filter((_, index) => index !== before.length + 1);
        expect(contents(fold(found))).toEqual(contents(fold(entriesOf(began('r'), before))));
      }),
    );
  });

  it('RB3: a checkpoint that was given up is not used again, and nothing counts if the entry of that is lost', () => {
    const head = { vertex: 0, subtask: 0 };
    const series = { head, vertices: [0], scope: 'labels.r', hasCompleted: true, lost: [3] };
    const entries = entriesOf({ ...began('r'), checkpoints: [series] }, [
      { type: 'checkpoints.lost', head, checkpoint: 5 },
      { type: 'task.finished', vertex: 0, subtask: 0, results: [] },
    ]);
    const [beginning, , finished] = entries as [RunEntry, RunEntry, RunEntry];
    expect(fold(entries).checkpointsOf(head)).toEqual({ ...series, lost: [3, 5] });
    expect([...fold([beginning, finished]).finished()]).toEqual([]);
  });

  it('a checkpoint that could not be read, with none before it, is doubted, and not lost', () => {
    const head = { vertex: 0, subtask: 0 };
    const series = { head, vertices: [0], scope: 'labels.r', hasCompleted: true };
    const steps: RunStep[] = [{ type: 'checkpoints.doubted', head, checkpoint: 5 }];
    expect(fold(entriesOf({ ...began('r'), checkpoints: [series] }, steps)).checkpointsOf(head)).toEqual({
      ...series,
      doubted: [5],
    });
  });

  it('of a series, those up to a number are outdated', () => {
    const head = { vertex: 0, subtask: 0 };
    const series = { head, vertices: [0], scope: 'labels.r', hasCompleted: true };
    const steps: RunStep[] = [{ type: 'checkpoints.outdated', head, upTo: 5 }];
    expect(fold(entriesOf({ ...began('r'), checkpoints: [series] }, steps)).checkpointsOf(head)).toEqual({
      ...series,
      outdated: 5,
    });
  });

  it('RB3: the numbers of checkpoints grow, and nothing counts if the entry of that is lost', () => {
    const beginning = { ...began('r'), lastCheckpoint: 7 };
    const finished: RunStep = { type: 'task.finished', vertex: 0, subtask: 0, results: [] };
    const entries = entriesOf(beginning, [
      { type: 'checkpoints.numbered', upTo: 107 },
      { type: 'checkpoints.numbered', upTo: 207 },
      finished,
    ]);
    expect(fold(entries)).toMatchObject({ lastCheckpoint: 207 });
    expect(fold(entries.slice(0, 2))).toMatchObject({ lastCheckpoint: 107 });
    expect(fold([beginning])).toMatchObject({ lastCheckpoint: 7 });
    const lost = fold(entries.filter((_, index) => index !== 2));
    expect(lost).toMatchObject({ lastCheckpoint: 107 });
    expect([...lost.finished()]).toEqual([]);
  });

  it('knows of no number if its journal is of an earlier format, which has none', () => {
    expect(fold(entriesOf(began('r'), []))).toMatchObject({ lastCheckpoint: 0 });
  });

  it('takes over what is told at the beginning of a run, and nothing else from before', () => {
    const results = [{ vertex: 1, subtask: 2, results: [] }];
    const finished: RunStep = { type: 'task.finished', vertex: 0, subtask: 0, results: [] };
    const books = fold([...entriesOf(began('first'), [finished]), began('second', results)]);
    expect(contents(books)).toMatchObject({ run: 'second', finished: results });
  });

  it('ignores entries of a run whose beginning is lost', () => {
    const [, finished] = entriesOf(began('r'), [{ type: 'task.finished', vertex: 0, subtask: 0, results: [] }]);
    expect(RunBooks.after(undefined, finished as RunEntry)).toBeUndefined();
  });

  it('knows how the run ended', () => {
    expect(fold(entriesOf(began('r'), [{ type: 'run.ended', atMs: 4, status: 'failed' }])).end).toEqual({
      atMs: 4,
      status: 'failed',
    });
  });
});
