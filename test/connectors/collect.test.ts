import { collect } from '../../src/connectors/collect.ts';
import { forEach } from '../../src/connectors/for-each.ts';
import { contextOf, failureOf, writeSubtask } from './subtasks.ts';

describe('collect', () => {
  it('publishes records when their subtask commits, in subtask order', async () => {
    const sink = collect<string>();
    expect(sink.records).toEqual([]);
    const late = await sink.open(contextOf({ subtask: 0, parallelism: 2 }));
    await late.write(['a']);
    await writeSubtask(sink, ['c', 'd'], { subtask: 1, parallelism: 2 });
    expect(sink.records).toEqual(['c', 'd']);
    await late.write(['b']);
    await late.commit();
    expect(sink.records).toEqual(['a', 'b', 'c', 'd']);
  });

  it('drops the records of an aborted attempt', async () => {
    const sink = collect<string>();
    const writer = await sink.open(contextOf());
    await writer.write(['lost']);
    await writer.abort();
    expect(sink.records).toEqual([]);
  });

  it('replaces the records of a subtask that runs again after it finished', async () => {
    const sink = collect<string>();
    await writeSubtask(sink, ['a'], { subtask: 0, parallelism: 2 });
    await writeSubtask(sink, ['b'], { subtask: 1, parallelism: 2 });
    await writeSubtask(sink, ['A'], { subtask: 0, parallelism: 2, attempt: 1 });
    expect(sink.records).toEqual(['A', 'b']);
  });

  it('starts empty with another parallelism', async () => {
    const sink = collect<string>();
    await writeSubtask(sink, ['a'], { subtask: 1, parallelism: 2 });
    await writeSubtask(sink, ['b'], { subtask: 0, parallelism: 1 });
    expect(sink.records).toEqual(['b']);
  });

  it('keeps the records of two vertices apart, and does not flatten records that are arrays', async () => {
    const sink = collect<number[]>();
    await writeSubtask(sink, [[1], [2]], { vertex: 'x' });
    await writeSubtask(sink, [[3]], { vertex: 'y' });
    expect(sink.records).toEqual([[1], [2], [3]]);
  });
});

describe('forEach', () => {
  it('calls a synchronous function without a promise', async () => {
    const seen: string[] = [];
    const writer = await forEach<string>((record, { subtask }) => seen.push(`${record}@${subtask}`)).open(
      contextOf({ subtask: 3, parallelism: 4 }),
    );
    expect(writer.write(['a', 'b'])).toBeUndefined();
    expect(seen).toEqual(['a@3', 'b@3']);
  });

  it('awaits each promise before the next record', async () => {
    const log: string[] = [];
    const sink = forEach<number>(async (record) => {
      log.push(`start ${record}`);
      await Promise.resolve();
      log.push(`end ${record}`);
    });
    await writeSubtask(sink, [1, 2, 3]);
    expect(log).toEqual(['start 1', 'end 1', 'start 2', 'end 2', 'start 3', 'end 3']);
  });

  it('mixes both', async () => {
    const seen: number[] = [];
    const sink = forEach<number>((record) => {
      if (record % 2 === 0) return Promise.resolve().then(() => seen.push(record));
      seen.push(record);
    });
    await writeSubtask(sink, [1, 2, 3, 4, 5]);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it.each<[string, (record: number) => unknown]>([
    ['throws', () => failing()],
    ['rejects', async () => failing()],
    ['rejects later', (record) => (record === 1 ? Promise.resolve() : Promise.resolve().then(failing))],
  ])('fails if the function %s', async (_title, fn) => {
    const writer = await forEach(fn).open(contextOf());
    expect((await failureOf((async () => writer.write([1, 2]))())).message).toBe('no');
  });

  it('makes no further calls once the attempt is canceled', async () => {
    const cancel = new AbortController();
    const seen: number[] = [];
    const sink = forEach<number>(async (record) => {
      seen.push(record);
      if (record === 2) cancel.abort();
    });
    await writeSubtask(sink, [1, 2, 3], { signal: cancel.signal });
    expect(seen).toEqual([1, 2]);
  });
});

function failing(): never {
  throw new Error('no');
}
