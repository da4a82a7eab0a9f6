import type { SinkTail } from '../../src/partitions/loop-ends.ts';
import type { SinkWriter } from '../../src/operators/sink.ts';
import type { ChannelSelection } from '../../src/operators/task/channel-selection.ts';
import { RecordWriter } from '../../src/operators/task/record-writer.ts';
import { SinkOutput } from '../../src/operators/sinks/sink-output.ts';
import { NotingPartition } from '../support/partition-harness.ts';

describe('a writer that is given single records', () => {
  it.each([
    ['the first are', (n: number) => n < 5],
    ['all are', () => true],
    ['one far behind is', (n: number) => n === 700],
  ])('measures records when %s large', (_, isLarge) => {
    const partition = new NotingPartition(1);
    const selection: ChannelSelection = { kind: 'broadcast' };
    const limits = { batchSize: 1_024, batchBytes: 10_000 };
    const writer = new RecordWriter({ partition, selection, reader: 'sum', ...limits, subtask: 0, freeze: false });
    for (let n = 0; n < 1_000; n++) {
      writer.put(0, isLarge(n) ? 'x'.repeat(8_000) : n);
      writer.notePut(1);
    }
    writer.flush();
    expect(partition.records[0]).toHaveLength(1_000);
    for (const element of partition.written[0] ?? []) {
      const large = (element as unknown[]).filter((record) => typeof record === 'string');
      expect(large.length).toBeLessThanOrEqual(2);
    }
  });
});

describe('a sink that is given single records', () => {
  function sinkOf(
    writeOne: SinkWriter<unknown>['writeOne'],
    write: (records: readonly unknown[]) => unknown = () => {},
  ) {
    const output = new SinkOutput({ write: write as never, writeOne, commit() {}, abort() {} }, 'out');
    let wakes = 0;
    output.onWritable(() => wakes++);
    return { output, tail: output.tail as SinkTail, wakes: () => wakes };
  }
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };

  it('has no tail if it takes only batches', () => {
    expect(new SinkOutput({ write() {}, commit() {}, abort() {} }, 'out').tail).toBeUndefined();
  });

  it('waits for the promise of a record, and then writes those that came meanwhile as a batch', async () => {
    const written: unknown[] = [];
    let answer = (): void => {};
    const { output, tail, wakes } = sinkOf(
      () => {},
      (records) => void written.push([...records]),
    );
    expect(tail.answered(new Promise<void>((resolve) => (answer = resolve)), 'a', 0)).toBe(true);
    tail.hold('b');
    tail.hold('c');
    tail.notePut(3);
    const done: unknown[] = [];
    output.finish((error) => done.push(error));
    expect([output.isWritable, written, done]).toEqual([false, [], []]);
    answer();
    await turns();
    expect([output.isWritable, written, done, wakes()]).toEqual([true, [['b', 'c']], [undefined], 1]);
  });

  it('blames the record whose promise rejects, and writes none of the others', async () => {
    const written: unknown[] = [];
    const { output, tail } = sinkOf(
      () => undefined,
      (records) => void written.push(...records),
    );
    tail.notePut(7);
    tail.answered(Promise.reject(new Error('full')), 'a', 2);
    tail.hold('b');
    tail.notePut(4);
    await turns();
    expect([output.failure?.message, written]).toEqual(['full', []]);
    expect(output.blame).toEqual({ uid: undefined, record: { value: 'a', number: 9 } });
  });

  it.each([
    ['written after them', (output: SinkOutput) => (output.tail as SinkTail).notePut(5), 6],
    ['held', (output: SinkOutput) => holding(output, 5), 6],
  ])('numbers the failed record of a batch %s', async (_, before, number) => {
    const write = (): Promise<never> => Promise.reject(new Error('full'));
    const output = new SinkOutput({ write, writeOne() {}, failedAt: () => 1, commit() {}, abort() {} }, 'out');
    before(output);
    if (output.isWritable) output.write(['x', 'y']);
    await turns();
    expect(output.blame?.record).toEqual({ value: 'y', number });
  });

  /** Of seven records, number `before` is written alone, and `x` and `y` after it are held. */
  function holding({ tail }: SinkOutput, before: number): void {
    if (tail === undefined) throw new Error('it has a tail');
    tail.answered(Promise.resolve(), 'a', before - 1);
    tail.hold('x');
    tail.hold('y');
    tail.notePut(before + 2);
  }

  it('refuses an answer that is no promise', () => {
    const { tail } = sinkOf(() => undefined);
    expect(() => tail.answered(17, 'a', 0)).toThrow(/writeOne of sink "out"/);
  });
});
