import type { KeyedProcessContext } from '../../src/operators/operator-description.ts';
import { FusedChain } from '../../src/operators/fused/fused-chain.ts';
import type { SynchronousOperator } from '../../src/operators/fused/stretches.ts';
import { inBatches, StageHarness, unhandledDuring } from './stage-driver.ts';

type Context = KeyedProcessContext<string, number>;
type Emit = (out: unknown) => void;
interface Process {
  readonly keyOf?: (record: string) => unknown;
  readonly onRecord: (record: string, context: Context, emit: Emit) => unknown;
  readonly onEnd?: (context: Context, emit: Emit) => unknown;
}

const initial = (word: string): unknown => word.charAt(0);

const processing = ({ keyOf = initial, onRecord, onEnd }: Process): SynchronousOperator =>
  ({ kind: 'process', keyOf, onRecord, ...(onEnd && { onEnd }) }) as unknown as SynchronousOperator;

async function run(process: Process, words: readonly string[], batchSize = 2): Promise<unknown[][]> {
  const harness = new StageHarness(batchSize);
  const results = await harness.run(new FusedChain([processing(process)], harness), inBatches(words, batchSize));
  return results.map((batch) => [...batch]);
}

const count = (_word: string, context: Context): void => context.set((context.get() ?? 0) + 1);
const tell = (context: Context, emit: Emit): void => emit(`${context.key}${context.get()}`);

describe('process', () => {
  it('keeps a state per key, across batches', async () => {
    const seen: unknown[] = [];
    const onRecord = (word: string, context: Context): void => {
      seen.push([word, context.key, context.get()]);
      context.set(word.length);
    };
    await run({ onRecord }, ['oak', 'ash', 'olive', 'alder', 'o']);
    expect(seen).toEqual([
      ['oak', 'o', undefined],
      ['ash', 'a', undefined],
      ['olive', 'o', 3],
      ['alder', 'a', 3],
      ['o', 'o', 5],
    ]);
  });

  it('emits any number of results, in order', async () => {
    const onRecord = (word: string, _context: Context, emit: Emit): void => {
      for (const letter of word) emit(letter);
    };
    expect((await run({ onRecord }, ['ab', '', 'c'])).flat()).toEqual(['a', 'b', 'c']);
  });

  it('calls onEnd once per key at the end, in the order in which the keys got their state', async () => {
    expect((await run({ onRecord: count, onEnd: tell }, ['oak', 'ash', 'olive', 'birch', 'o'])).flat()).toEqual([
      'o3',
      'a1',
      'b1',
    ]);
  });

  it('does not call onEnd for keys without a state: never set, or cleared', async () => {
    const onRecord = (word: string, context: Context): void => {
      if (word === 'clear') context.clear();
      else if (word !== 'ash') context.set(1);
    };
    const keyOf = (word: string): string => (word === 'clear' ? 'o' : initial(word)) as string;
    expect((await run({ keyOf, onRecord, onEnd: tell }, ['oak', 'ash', 'birch', 'clear'])).flat()).toEqual(['b1']);
  });

  it('treats undefined as a state', async () => {
    const onRecord = (_word: string, context: Context): void => context.set(undefined as never);
    expect((await run({ onRecord, onEnd: tell }, ['oak'])).flat()).toEqual(['oundefined']);
  });

  it('calls onEnd once for a key that clears its state and sets it again', async () => {
    const onEnd = (context: Context, emit: Emit): void => {
      tell(context, emit);
      context.clear();
      context.set(0);
    };
    expect((await run({ onRecord: count, onEnd }, ['oak', 'ash'])).flat()).toEqual(['o1', 'a1']);
  });

  it('calls onEnd for at most a batch of keys per poll', () => {
    const harness = new StageHarness(2);
    const asked: string[] = [];
    const onEnd = (context: Context): void => {
      asked.push(context.key);
    };
    const chain = new FusedChain([processing({ onRecord: count, onEnd })], harness);
    chain.push(['a', 'b', 'c']);
    chain.end();
    expect(chain.poll()).toBeUndefined();
    expect(asked).toEqual(['a', 'b']);
    expect(harness.wakes).toBe(1);
    chain.poll();
    expect(asked).toEqual(['a', 'b', 'c']);
    expect(chain.isDone).toBe(true);
  });

  it('refuses a key without a value of its own', async () => {
    await expect(run({ keyOf: () => ({}), onRecord: count }, ['oak'])).rejects.toThrow(/key of process: .*string/);
  });

  it.each(['onRecord', 'onEnd'] as const)('refuses an async %s, and ignores its outcome', async (which) => {
    const waits = async (): Promise<void> => {
      await Promise.resolve();
      throw new Error('this is ignored');
    };
    const process = { onRecord: count, [which]: waits };
    const unhandled = await unhandledDuring(async () => {
      await expect(run(process, ['oak'])).rejects.toThrow(
        `result of ${which} of process: expected nothing (for asynchronous functions use mapAsync)`,
      );
    });
    expect(unhandled).toEqual([]);
  });

  it.each<[string, (context: Context, emit: Emit) => unknown]>([
    ['key', (context) => context.key],
    ['get', (context) => context.get()],
    ['set', (context) => context.set(1)],
    ['clear', (context) => context.clear()],
    ['emit', (_context, emit) => emit(1)],
  ])('does not expose another key to late use of %s', async (_name, use) => {
    let late = (): unknown => undefined;
    const onRecord = (_word: string, context: Context, emit: Emit): void => {
      late = () => use(context, emit);
      late();
    };
    await run({ onRecord }, ['oak']);
    expect(late).toThrow(/after it returned.*mapAsync/);
  });

  it('passes on the error of onRecord, and refuses late use after it', () => {
    const harness = new StageHarness();
    let late = (): unknown => undefined;
    const onRecord = (_word: string, context: Context): void => {
      late = () => context.get();
      throw new Error('bad word');
    };
    const chain = new FusedChain([processing({ onRecord })], harness);
    expect(() => chain.push(['oak'])).toThrow('bad word');
    expect(late).toThrow(/after it returned/);
  });
});
