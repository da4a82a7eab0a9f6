import fc from 'fast-check';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { PipelinedResultPartition } from '../../src/partitions/pipelined-result-partition.ts';
import { Reading, somePartition } from '../support/partition-harness.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';

function pipelined(subpartitionCount: number, queueCapacity = 2) {
  const partition = new PipelinedResultPartition({
    id: somePartition,
    exchange: exchangeTypes.pipelined,
    subpartitionCount,
    queueCapacity,
  });
  let wakes = 0;
  partition.onWritable(() => wakes++);
  return { partition, wakes: () => wakes };
}

describe('PipelinedResultPartition', () => {
  it('passes a batch to a waiting reader during the write', () => {
    const { partition } = pipelined(1);
    const reading = new Reading(partition.read(0), 1);
    partition.write(0, elementOf(['a']));
    expect(reading.records).toEqual(['a']);
  });

  it('PP1: emits an element for a credit, and the end without one', () => {
    const { partition } = pipelined(1, 4);
    const reading = new Reading(partition.read(0));
    for (const record of 'abc') partition.write(0, elementOf([record]));
    expect(reading.elements).toEqual([]);
    reading.request(1);
    expect(reading.records).toEqual(['a']);
    partition.finish(() => {});
    expect([reading.records, reading.isComplete]).toEqual([['a'], false]);
    reading.request(2);
    expect([reading.records, reading.isComplete]).toEqual([['a', 'b', 'c'], true]);
  });

  it('PP2: is full if any queue is, and wakes its producer when the last full one has room', () => {
    const { partition, wakes } = pipelined(2);
    const [first, second] = [new Reading(partition.read(0)), new Reading(partition.read(1))];
    for (const subpartition of [0, 0, 1]) partition.write(subpartition, elementOf(['a']));
    expect(partition.isWritable).toBe(false);
    partition.write(1, elementOf(['b']));
    first.request(1);
    expect([partition.isWritable, wakes()]).toEqual([false, 0]);
    second.request(1);
    expect([partition.isWritable, wakes()]).toEqual([true, 1]);
  });

  it('PP3: a reader that goes away delays no one, whenever it goes', () => {
    const { partition, wakes } = pipelined(1);
    const reading = new Reading(partition.read(0));
    partition.write(0, elementOf(['a']));
    partition.write(0, elementOf(['b']));
    expect(partition.isWritable).toBe(false);
    reading.stop();
    expect([partition.isWritable, wakes()]).toEqual([true, 1]);
    for (const record of 'cdefg') partition.write(0, elementOf([record]));
    expect(partition.isWritable).toBe(true);
  });

  it('is read once: a second reader gets an error that restarts the producer', () => {
    const { partition } = pipelined(1);
    new Reading(partition.read(0)).stop();
    expect(() => partition.read(0)).toThrow(PartitionLostError);
  });

  it('property: the producer is never notified of room while a queue is full, and always in the end', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 80 }), (steps) => {
        const { partition, wakes } = pipelined(3);
        const readings = [0, 1, 2].map((subpartition) => new Reading(partition.read(subpartition)));
        const waiting = [0, 0, 0];
        let told = 0;
        for (const step of steps) {
          const [subpartition, isWrite] = [step % 3, step >= 3];
          const wasWritable = partition.isWritable;
          if (isWrite) {
            partition.write(subpartition, elementOf([step]));
            (waiting[subpartition] as number)++;
          } else if ((waiting[subpartition] as number) > 0) {
            readings[subpartition]?.request(1);
            (waiting[subpartition] as number)--;
          }
          const isWritable = waiting.every((length) => length < 2);
          expect(partition.isWritable).toBe(isWritable);
          if (!wasWritable && isWritable) told++;
          expect(wakes()).toBe(told);
        }
      }),
    );
  });
});
