import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { ResultPartitionId } from '../../src/ids.ts';
import type { ResultTrace } from '../../src/partitions/result-trace.ts';
import type { Batch } from '../../src/partitions/stream-element.ts';
import { ReleasedResultPartition } from '../../src/partitions/reproduced/released-result-partition.ts';
import { RetainedRig, recordOf, recordsOf } from '../support/partition-harness.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';

const subpartitionCount = 3;

/** Five records in subpartition 0 (two batches) and three in 2 were written to disk, and released. */
function traced(): ResultTrace {
  const rig = new RetainedRig({ retention: 'disk', subpartitionCount });
  rig.write([2, 3]).write([3], { subpartition: 2 }).finish();
  const trace = rig.partition.trace();
  rig.partition.release();
  if (trace === undefined) throw new Error('it left no trace');
  return trace;
}

function consumed(): ReleasedResultPartition {
  const id = { partition: 7, attempt: 1 } as ResultPartitionId;
  return new ReleasedResultPartition({ id, exchange: exchangeTypes.reliable, subpartitionCount }, traced());
}

/** Writes, and finishes unless that throws; returns the error. */
function produce(partition: ReleasedResultPartition, writes: readonly (readonly [number, Batch])[]): unknown {
  try {
    for (const [subpartition, records] of writes) partition.write(subpartition, elementOf(records));
  } catch (error) {
    return error;
  }
  const ends: (Error | undefined)[] = [];
  partition.finish((error) => ends.push(error));
  expect(ends).toHaveLength(1);
  return ends[0];
}

describe('ReleasedResultPartition', () => {
  const [whole, other] = [recordsOf(0, 0, 5), recordsOf(2, 0, 3)];
  const cases: [string, [number, Batch][], { subpartition: number; sequence: number } | undefined][] = [
    [
      'the same',
      [
        [0, whole.slice(0, 2)],
        [0, whole.slice(2)],
        [2, other],
      ],
      undefined,
    ],
    [
      'the same in other batches',
      [
        [0, whole.slice(0, 1)],
        [2, other],
        [0, whole.slice(1, 4)],
        [0, whole.slice(4)],
      ],
      undefined,
    ],
    ['nothing', [], { subpartition: 0, sequence: 0 }],
    [
      'one record less',
      [
        [0, whole.slice(0, 4)],
        [2, other],
      ],
      { subpartition: 0, sequence: 2 },
    ],
    [
      'one batch less',
      [
        [0, whole],
        [2, other.slice(0, 0)],
      ],
      { subpartition: 2, sequence: 0 },
    ],
    [
      'one record more',
      [
        [0, whole],
        [2, other],
        [2, [recordOf(2, 3)]],
      ],
      { subpartition: 2, sequence: 3 },
    ],
    ['a record where none was', [[1, [recordOf(1, 0)]]], { subpartition: 1, sequence: 0 }],
    ['another record', [[0, [...whole.slice(0, 3), recordOf(0, 9), recordOf(0, 4)]]], { subpartition: 0, sequence: 2 }],
    ['a record that cannot be written', [[0, [whole[0], { fn: Math.max }]]], { subpartition: 0, sequence: 0 }],
    ['the same in another order', [[2, other.toReversed()]], { subpartition: 2, sequence: 0 }],
  ];

  it.each(cases)('RP4: compares the new output with what consumers have read: %s', (_, writes, broken) => {
    const failure = produce(consumed(), writes);
    if (broken === undefined) expect(failure).toBeUndefined();
    else expect(failure).toMatchObject({ name: 'DeterminismBrokenError', partition: 7, attempt: 1, ...broken });
  });

  it('stores nothing, delays no one, and is not readable', () => {
    const partition = consumed();
    partition.write(0, elementOf(whole));
    expect([partition.isWritable, partition.statistics()]).toEqual([
      true,
      { records: 5, batches: 1, memoryBytes: 0, spilledBytes: 0 },
    ]);
    expect(() => partition.read()).toThrow(PartitionLostError);
    const answers: (Error | undefined)[] = [];
    partition.verify((error) => answers.push(error));
    expect(answers).toStrictEqual([expect.any(PartitionLostError)]);
    partition.release();
  });

  it('passes its trace on to the next attempt', () => {
    const trace = traced();
    const id = { partition: 7, attempt: 1 } as ResultPartitionId;
    const of = { id, exchange: exchangeTypes.reliable, subpartitionCount };
    expect(new ReleasedResultPartition(of, trace).trace()).toBe(trace);
  });

  it('accepts any output, and needs none of it, if there is nothing to compare with', () => {
    const id = { partition: 7, attempt: 1 } as ResultPartitionId;
    const partition = new ReleasedResultPartition({ id, exchange: exchangeTypes.memory, subpartitionCount });
    expect(partition.isNeeded).toBe(false);
    expect(produce(partition, [[1, recordsOf(1, 0, 4)]])).toBeUndefined();
    expect([partition.trace(), partition.statistics().records]).toEqual([undefined, 4]);
  });
});

describe('the trace of a result', () => {
  it.each<[string, ConstructorParameters<typeof RetainedRig>[0], boolean]>([
    ['on disk', { retention: 'disk' }, true],
    ['in memory, and never written', { retention: 'memory' }, false],
    ['partly in memory', { retention: 'memory-then-disk', memoryBytes: 300 }, false],
  ])('exists if every element has a checksum: %s', (_, options, isThere) => {
    const rig = new RetainedRig(options).write([2, 2, 2]);
    expect(rig.partition.trace()?.isWhole).toBe(isThere ? false : undefined);
    rig.finish();
    expect(rig.partition.trace()?.isWhole).toBe(isThere ? true : undefined);
    rig.partition.release();
    expect(rig.partition.trace()).toBeUndefined();
  });
});
