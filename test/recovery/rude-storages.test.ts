import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CheckpointStorage,
  fileCheckpoints,
  forEach,
  Job,
  JobCanceledError,
  type JobEvent,
  SavepointUnreadableError,
} from '../../src/index.ts';
import { tickingSource } from '../support/abandoned-run.ts';
import { killing } from '../support/run-story.ts';
import { failureOf, Runs } from '../support/runs.ts';
import { storageOver } from '../support/storage-over.ts';

const count = 400;
const methods = ['write', 'read', 'readChunk', 'commit', 'find', 'lastNumber', 'discard', 'sweep', 'remove'] as const;
type Method = (typeof methods)[number];
type Manner = () => unknown;

const manners: Readonly<Record<string, Manner>> = {
  'throws at once': () => {
    throw new Error('out of order');
  },
  'answers with no promise': () => undefined,
};
const never: Manner = () => new Promise(() => {});

/** Sums by key, of which each state is larger than what travels in a message. */
function sumsInto(sums: Map<number, number>): Job {
  const job = Job.create('sums', { mode: 'streaming', parallelism: 2 });
  job
    .source('ticks', tickingSource(count), { version: 1, parallelism: 1 })
    .keyBy((n) => n % 10)
    .process<{ sum: number; large: string }, [number, number]>(
      {
        onRecord: (n, context) => context.set({ sum: (context.get()?.sum ?? 0) + n, large: 'x'.repeat(2_000) }),
        onEnd: (context, emit) => emit([context.key as number, context.get()?.sum as number]),
      },
      { uid: 'sum' },
    )
    .sink(
      'sums',
      forEach(([key, sum]) => void sums.set(key, sum)),
      { version: 1 },
    );
  return job;
}

const expected = new Map(
  Array.from({ length: 10 }, (_, key) => [key, (count / 10) * key + (10 * (count / 10) * (count / 10 - 1)) / 2]),
);

const given = (storage: CheckpointStorage) => ({ intervalMs: 5, tolerableFailures: Infinity, storage });

const rude = (runs: Runs, method: Method, manner: Manner): CheckpointStorage =>
  storageOver(fileCheckpoints(runs.path('checkpoints')), { [method]: manner });

const filesIn = (directory: string): string[] => {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
};

async function savepointOf(runs: Runs): Promise<string> {
  const storage = fileCheckpoints(runs.path('earlier'));
  const run = runs.start(sumsInto(new Map()), { checkpoints: given(storage) });
  await runs.wait(12);
  const savepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
  await failureOf(run.result);
  return savepoint;
}

describe("a storage of the user's own", () => {
  it.each(methods.flatMap((method) => Object.keys(manners).map((manner) => [method, manner] as const)))(
    'whose `%s` %s fails checkpoints at most, and not the job',
    async (method, manner) => {
      using runs = new Runs();
      const sums = new Map<number, number>();
      const storage = rude(runs, method, manners[manner] as Manner);
      await runs.until(runs.start(sumsInto(sums), { checkpoints: given(storage) }).result);
      expect(sums).toEqual(expected);
    },
  );

  it.each<[Method, Manner, 'checkpoint.failed' | 'task.failed']>([
    ['write', async () => ({ location: 5 }), 'checkpoint.failed'],
    ['readChunk', async () => 'text', 'task.failed'],
  ])('whose `%s` answers something else is named, with what was expected', async (method, manner, type) => {
    using runs = new Runs();
    const faults = killing('sum', { skip: 10 });
    const run = runs.start(sumsInto(new Map()), { checkpoints: given(rude(runs, method, manner)) }, faults);
    const messages: string[] = [];
    run.events$.subscribe((event: JobEvent) => {
      if (event.type === type && 'cause' in event) messages.push(`${(event.cause as Error | undefined)?.message}`);
    });
    await failureOf(runs.until(run.result));
    expect(messages).toContainEqual(
      expect.stringMatching(new RegExp(`^answer of \`${method}\` of checkpoints.storage: expected a .*, got`)),
    );
  });

  it.each<Method>(['lastNumber', 'find'])(
    'whose `%s` never answers a run that begins: that can be canceled, and its directory is free',
    async (method) => {
      using runs = new Runs();
      const stateDirectory = runs.path('state');
      const storage = fileCheckpoints(runs.path('checkpoints'));
      const first = runs.start(sumsInto(new Map()), { stateDirectory, checkpoints: given(storage) });
      await runs.wait(12);
      await runs.until(first.cancel());
      await failureOf(first.result);

      let asked = (): void => {};
      const isAsked = new Promise<void>((resolve) => (asked = resolve));
      const next: Manner = () => (asked(), never());
      const silent = storageOver(storage, {
        [method]: method === 'find' ? () => ({ [Symbol.asyncIterator]: () => ({ next }) }) : next,
      });
      const second = runs.start(sumsInto(new Map()), { stateDirectory, checkpoints: given(silent) });
      await runs.until(isAsked);
      await runs.until(second.cancel());
      expect(await failureOf(second.result)).toBeInstanceOf(JobCanceledError);

      const sums = new Map<number, number>();
      await runs.until(runs.start(sumsInto(sums), { stateDirectory, checkpoints: given(storage) }).result);
      expect(sums).toEqual(expected);
    },
  );

  it('has no copies of a savepoint with which a run began that was canceled meanwhile', async () => {
    using runs = new Runs();
    const fromSavepoint = await savepointOf(runs);
    const files = fileCheckpoints(runs.path('checkpoints'));
    let asked = (): void => {};
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    let answer = (): void => {};
    const isAnswered = new Promise<void>((resolve) => (answer = resolve));
    let stored: Promise<void> = Promise.resolve();
    const slow = storageOver(files, {
      commit: (manifest) => {
        asked();
        stored = isAnswered.then(() => files.commit(manifest));
        return stored;
      },
    });
    const run = runs.start(sumsInto(new Map()), { checkpoints: given(slow), fromSavepoint });
    await runs.until(isAsked);
    await runs.until(run.cancel());
    await failureOf(run.result);
    answer();
    await stored;
    // The end does not wait for it.
    while (filesIn(runs.path('checkpoints')).length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('that never answers a run that begins with a savepoint: that can be canceled, and begins with it later', async () => {
    using runs = new Runs();
    const [fromSavepoint, stateDirectory] = [await savepointOf(runs), runs.path('state')];
    let asked = (): void => {};
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const checkpoints = given(rude(runs, 'commit', () => (asked(), never())));
    const run = runs.start(sumsInto(new Map()), { stateDirectory, checkpoints, fromSavepoint });
    await runs.until(isAsked);
    await runs.until(run.cancel());
    expect(await failureOf(run.result)).toBeInstanceOf(JobCanceledError);
    // The end does not wait for it.
    while (filesIn(runs.path('checkpoints')).length > 0) await new Promise((resolve) => setImmediate(resolve));

    const sums = new Map<number, number>();
    const later = { stateDirectory, checkpoints: given(fileCheckpoints(runs.path('checkpoints'))), fromSavepoint };
    await runs.until(runs.start(sumsInto(sums), later).result);
    expect(sums).toEqual(expected);
  });

  it.each(['state', undefined])(
    'has no copies of a savepoint that cannot be read (state directory: %s)',
    async (state) => {
      using runs = new Runs();
      const fromSavepoint = await savepointOf(runs);
      const names = readdirSync(fromSavepoint, { recursive: true, encoding: 'utf8' });
      const file = join(fromSavepoint, names.find((name) => name.endsWith('-sum.1.state')) as string);
      const bytes = readFileSync(file);
      const middle = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
      writeFileSync(file, bytes);
      const stateDirectory = state && runs.path(state);
      const checkpoints = given(fileCheckpoints(runs.path('checkpoints')));
      const { result } = runs.start(sumsInto(new Map()), { stateDirectory, checkpoints, fromSavepoint });
      expect((await failureOf(runs.until(result))).cause).toBeInstanceOf(SavepointUnreadableError);
      expect(filesIn(runs.path('checkpoints'))).toEqual([]);
    },
  );
});
