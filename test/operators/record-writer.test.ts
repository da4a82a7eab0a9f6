import fc from 'fast-check';
import { subpartitionOfKey } from '../../src/partitions/records/key-hash.ts';
import type { ChannelSelection } from '../../src/operators/task/channel-selection.ts';
import { RecordWriter } from '../../src/operators/task/record-writer.ts';
import { recordsIn } from '../support/batch-frames.ts';
import { barrier } from '../support/marks.ts';
import { NotingPartition } from '../support/partition-harness.ts';

const byItself: ChannelSelection = { kind: 'hash', keyOf: (record: number) => record };

function writing(
  subpartitionCount: number,
  selection: ChannelSelection,
  more: { batchSize?: number; batchBytes?: number; subtask?: number; freeze?: boolean } = {},
) {
  const partition = new NotingPartition(subpartitionCount);
  const { batchSize = 4, batchBytes = 1 << 20, subtask = 0, freeze = false } = more;
  return {
    partition,
    writer: new RecordWriter({ partition, selection, reader: 'sum', batchSize, batchBytes, subtask, freeze }),
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('RecordWriter', () => {
  it('is writable like its partition, and starts its time limit when its producer waits, not on a check', () => {
    const { partition, writer } = writing(1, { kind: 'broadcast' });
    partition.isWritable = false;
    expect([writer.isWritable, partition.waits]).toEqual([false, 0]);
    writer.waitForRoom();
    expect(partition.waits).toBe(1);
  });

  it('rebalances record by record, starting at its own index', () => {
    const { partition, writer } = writing(3, { kind: 'round-robin' }, { subtask: 4 });
    writer.write(upTo(7));
    writer.flush();
    expect(partition.records).toEqual([
      [2, 5],
      [0, 3, 6],
      [1, 4],
    ]);
  });

  it('sends every record to every subpartition for a broadcast, as one shared batch', () => {
    const { partition, writer } = writing(3, { kind: 'broadcast' });
    writer.write(upTo(5));
    writer.write([5]);
    writer.flush();
    expect(partition.records).toEqual([upTo(6), upTo(6), upTo(6)]);
    expect(partition.written[0]?.[0]).toBe(partition.written[2]?.[0]);
  });

  it('passes a well-filled batch on unchanged if there is nothing to choose', () => {
    const { partition, writer } = writing(1, { kind: 'round-robin' });
    const batch = upTo(4);
    writer.write(batch);
    expect(partition.written[0]?.[0]).toBe(batch);
  });

  it('fills batches, and keeps a partial one until it is flushed', () => {
    const { partition, writer } = writing(1, { kind: 'round-robin' });
    for (const record of upTo(5)) writer.write([record]);
    expect(partition.written[0]).toEqual([[0, 1, 2, 3]]);
    writer.flush();
    expect(partition.written[0]).toEqual([[0, 1, 2, 3], [4]]);
    writer.flush();
    expect(partition.written[0]).toHaveLength(2);
  });

  it('writes a mark to every subpartition, after its partial batch', () => {
    const { partition, writer } = writing(3, byItself);
    writer.write(upTo(5));
    writer.mark(barrier(7));
    writer.write(upTo(2));
    writer.flush();
    const places = partition.elements.map((of) => of.findIndex((element) => element.kind === 'barrier'));
    const before = partition.elements.map((of, index) => of.slice(0, places[index]).flatMap(recordsIn));
    expect(before.map((records) => records.length).reduce((sum, next) => sum + next)).toBe(5);
    expect(partition.elements.flat().filter((element) => element.kind === 'barrier')).toHaveLength(3);
    expect(partition.records.flat()).toHaveLength(7);
  });

  it('flushes before it finishes, and drops partial batches when it is aborted', () => {
    const finished = writing(2, byItself);
    finished.writer.write([1, 2, 3]);
    let error: unknown = 'not called';
    finished.writer.finish((given) => {
      error = given;
    });
    expect(error).toBeUndefined();
    expect(finished.partition.isFinished).toBe(true);
    expect(finished.partition.records.flat().sort()).toEqual([1, 2, 3]);

    const aborted = writing(2, byItself);
    aborted.writer.write([1, 2, 3]);
    aborted.writer.abort(() => {});
    aborted.writer.flush();
    expect(aborted.partition.isFinished).toBe(false);
    expect(aborted.partition.records.flat()).toEqual([]);
  });

  it('freezes records deeply and batches if configured, and nothing else', () => {
    const record = { a: { b: [1] }, when: new Date(0) };
    const { partition, writer } = writing(1, { kind: 'round-robin' }, { freeze: true });
    writer.write([record, 7]);
    writer.flush();
    expect([record, record.a, record.a.b, partition.written[0]?.[0]].every((part) => Object.isFrozen(part))).toBe(true);
    expect(Object.isFrozen(record.when)).toBe(false);

    const free = { a: 1 };
    const unfrozen = writing(1, { kind: 'round-robin' });
    unfrozen.writer.write([free]);
    unfrozen.writer.flush();
    expect(Object.isFrozen(free)).toBe(false);
  });

  it.each<[string, ChannelSelection, number]>([
    ['in turn', { kind: 'round-robin' }, 3],
    ['to all', { kind: 'broadcast' }, 2],
    ['by key', { kind: 'hash', keyOf: (record: string) => record.length % 2 }, 4],
    ['without a choice', { kind: 'round-robin' }, 1],
  ])('bounds the bytes that it holds back and passes on: %s', (_, selection, count) => {
    const batchBytes = 10_000;
    const { partition, writer } = writing(count, selection, { batchSize: 50, batchBytes });
    const all: string[] = [];
    for (let round = 0; round < 40; round++) {
      const records = Array.from({ length: 1 + (round % 9) }, (__, at) => 'x'.repeat((round * at * 977) % 7_000));
      all.push(...records);
      writer.write(records);
    }
    writer.flush();
    const bytesOf = (batch: readonly unknown[]): number =>
      batch.reduce<number>((sum, record) => sum + 24 + String(record).length, 0);
    for (const batch of partition.written.flat()) {
      // Records before the first large one were not measured.
      expect(bytesOf(batch)).toBeLessThanOrEqual(batch.length === 1 ? Infinity : 2 * batchBytes);
    }
    const expected = selection.kind === 'broadcast' ? count * all.length : all.length;
    expect(partition.records.flat()).toHaveLength(expected);
    if (count === 1) expect(partition.records).toEqual([all]);
  });

  it('fills batches of large records with as many as fit', () => {
    const { partition, writer } = writing(1, byItself, { batchSize: 50, batchBytes: 10_000 });
    for (let round = 0; round < 12; round++) writer.write(['x'.repeat(3_000)]);
    writer.flush();
    expect(partition.written[0]?.map(({ length }) => length)).toEqual([3, 3, 3, 3]);
  });

  it('property: each record arrives once where its selection sends it, in order, in full batches', () => {
    const selections = fc.constantFrom<ChannelSelection>({ kind: 'round-robin' }, { kind: 'broadcast' }, byItself);
    fc.assert(
      fc.property(
        selections,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 15 }), { maxLength: 10 }),
        (selection, count, batchSize, batches) => {
          const { partition, writer } = writing(count, selection, { batchSize });
          for (const batch of batches) writer.write(batch);
          writer.finish(() => {});
          const all = batches.flat();
          const expected = Array.from({ length: count }, (_, subpartition) =>
            all.filter((record, index) => {
              if (selection.kind === 'broadcast') return true;
              if (selection.kind === 'hash') return subpartitionOfKey(record, count) === subpartition;
              return index % count === subpartition;
            }),
          );
          expect(partition.records).toEqual(expected);
          expect(partition.written.flat().every(({ length }) => length > 0)).toBe(true);
          if (selection.kind === 'hash') {
            for (const written of partition.written) {
              for (const batch of written.slice(0, -1)) expect(batch).toHaveLength(batchSize);
            }
          }
        },
      ),
    );
  });

  it('is needed as long as its partition is; curtailed, it drops its partial batches', () => {
    const { partition, writer } = writing(1, { kind: 'broadcast' }, { batchSize: 4 });
    writer.write([1]);
    partition.isNeeded = false;
    expect(writer.isNeeded).toBe(false);
    writer.curtail(() => {});
    expect([partition.isCurtailed, partition.isFinished, partition.records]).toEqual([true, false, [[]]]);
  });
});
