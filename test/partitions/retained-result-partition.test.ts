import fc from 'fast-check';
import { PartitionLostError, RecordNotSerializableError } from '../../src/errors/result-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { estimateElementBytes } from '../../src/partitions/records/record-size.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import type { Retention } from '../../src/partitions/retained/memory-room.ts';
import { spillFaultPoints } from '../../src/partitions/storage/spill-store.ts';
import { MemorySpillStore, virtualEnvironment } from '../../src/testing/index.ts';
import { Reading, reserveIfRoom, somePartition } from '../support/partition-harness.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';
import { draws } from '../support/draws.ts';

const unlimited = Number.POSITIVE_INFINITY;
const batchBytes = estimateElementBytes(elementOf([{ n: 1 }]));
const batch = (n: number): { n: number }[] => [{ n }];

function partitionOf(retention: Retention, { subpartitionCount = 1, budgetBytes = unlimited, freeze = false } = {}) {
  const environment = virtualEnvironment();
  const budget = new ByteBudget(budgetBytes);
  const store = new MemorySpillStore(environment.clock, { faults: environment.faults });
  let truncations = 0;
  const partition = new RetainedResultPartition({
    id: somePartition,
    exchange: retention === 'disk' ? exchangeTypes.reliable : exchangeTypes.memory,
    subpartitionCount,
    retention,
    budget,
    spillStore: store,
    freeze,
    truncated: () => truncations++,
  });
  let wakes = 0;
  partition.onWritable(() => wakes++);
  let reads = 0;
  environment.faults.call(spillFaultPoints.read, () => reads++, { times: unlimited });
  const settle = (): void => environment.runUntilIdle();
  return {
    partition,
    budget,
    faults: environment.faults,
    files: store.files,
    settle,
    wakes: () => wakes,
    reads: () => reads,
    truncations: () => truncations,
    write: (...numbers: number[]): void => {
      for (const n of numbers) {
        partition.write(0, elementOf(batch(n)));
        settle();
      }
    },
    read: (credits = unlimited, subpartition = 0): Reading => {
      const reading = new Reading(partition.read(subpartition), credits);
      settle();
      return reading;
    },
    finish: (): (Error | undefined)[] => {
      const ends: (Error | undefined)[] = [];
      partition.finish((error) => ends.push(error));
      settle();
      return ends;
    },
  };
}

const numbersOf = (reading: Reading): number[] => reading.records.map((record) => (record as { n: number }).n);

describe.each<Retention>(['memory', 'memory-then-disk', 'disk'])('retained: %s', (retention) => {
  it('is read while it is written, and again from the beginning', () => {
    const { write, read, finish } = partitionOf(retention);
    write(1, 2);
    const first = read();
    expect(numbersOf(first)).toEqual([1, 2]);
    write(3);
    expect(numbersOf(first)).toEqual([1, 2, 3]);
    expect(first.isComplete).toBe(false);
    first.stop();
    const second = read();
    expect(numbersOf(second)).toEqual([1, 2, 3]);
    write(4);
    expect(finish()).toStrictEqual([undefined]);
    expect(numbersOf(second)).toEqual([1, 2, 3, 4]);
    expect(second.isComplete).toBe(true);
    expect(numbersOf(read())).toEqual([1, 2, 3, 4]);
  });

  it('RP1: gives a reader in step the written batches themselves, without a read', () => {
    const { partition, read, reads, settle } = partitionOf(retention);
    const reading = read();
    const written = [batch(1), batch(2), batch(3)];
    for (const one of written) {
      partition.write(0, elementOf(one));
      settle();
    }
    expect(reading.elements.map((element) => element.kind === 'records' && element.records)).toEqual(written);
    for (const [index, element] of reading.elements.entries()) {
      expect(element.kind === 'records' && element.records).toBe(written[index]);
    }
    expect(reads()).toBe(0);
  });

  it('RP3: once released, it holds nothing, and its readers get an error', () => {
    const { partition, write, read, budget, files, settle } = partitionOf(retention);
    write(1, 2, 3, 4, 5, 6);
    const reading = read(1);
    partition.release();
    settle();
    expect(reading.error).toBeInstanceOf(PartitionLostError);
    expect([budget.reservedBytes, files.size]).toEqual([0, 0]);
    expect(() => partition.read(0)).toThrow(PartitionLostError);
  });
});

describe('memory', () => {
  it('RL1, RP2: drops the oldest batches that were read when the budget is used up, and reports it once', () => {
    const { partition, write, read, budget, truncations, finish } = partitionOf('memory', {
      budgetBytes: 3 * batchBytes,
    });
    const reading = read();
    write(1, 2, 3);
    expect(truncations()).toBe(0);
    expect(() => partition.read(0)).not.toThrow();
    write(4, 5);
    expect(truncations()).toBe(1);
    expect(budget.reservedBytes).toBeLessThanOrEqual(budget.totalBytes);
    expect(() => partition.read(0)).toThrow(PartitionLostError);
    expect(() => partition.read(0)).toThrow(/first 2 elements were dropped/);
    finish();
    expect(numbersOf(reading)).toEqual([1, 2, 3, 4, 5]);
  });

  it('MR2: drops nothing without a reader, and nothing that a lagging reader has not taken', () => {
    const { write, read, truncations, budget } = partitionOf('memory', { budgetBytes: 2 * batchBytes });
    const lagging = read(1);
    write(1, 2, 3, 4, 5);
    expect(numbersOf(lagging)).toEqual([1]);
    expect([truncations(), budget.isExceeded]).toEqual([1, true]);
    lagging.request(unlimited);
    expect(numbersOf(lagging)).toEqual([1, 2, 3, 4, 5]);
    expect(budget.isExceeded).toBe(false);
  });

  it('MR4: without a reader, batches past the budget go to disk, and nothing is dropped', () => {
    const { partition, write, read, truncations, budget, files } = partitionOf('memory', {
      budgetBytes: 2 * batchBytes,
    });
    write(1, 2, 3, 4, 5, 6);
    expect([truncations(), budget.isExceeded, files.size, partition.isWritable]).toEqual([0, false, 1, true]);
    const reading = read(2);
    expect(numbersOf(reading)).toEqual([1, 2]);
    reading.request(unlimited);
    expect(numbersOf(reading)).toEqual([1, 2, 3, 4, 5, 6]);
    expect([truncations(), budget.isExceeded]).toEqual([0, false]);
  });

  it('MR4: records that cannot be written stay in memory', () => {
    const { partition, read, budget } = partitionOf('memory', { budgetBytes: 0 });
    const record = { fn: () => 1 };
    partition.write(0, elementOf([record]));
    expect(read().records).toEqual([record]);
    partition.release();
    expect(budget.reservedBytes).toBe(0);
  });

  it('RL1: batches taken by a reader that went away are needed again', () => {
    const { write, read, truncations } = partitionOf('memory', { budgetBytes: 3 * batchBytes });
    const first = read();
    write(1, 2, 3);
    first.stop();
    write(4, 5);
    expect(truncations()).toBe(0);
    expect(numbersOf(read())).toEqual([1, 2, 3, 4, 5]);
  });

  it('MR3: stops the producer if the budget is used up and a reader lags, and wakes it', () => {
    const { partition, write, read, wakes } = partitionOf('memory', { budgetBytes: 4 * batchBytes });
    const reading = read(1);
    write(1, 2, 3, 4, 5);
    expect(partition.isWritable).toBe(true);
    write(6);
    expect([partition.isWritable, wakes()]).toEqual([false, 0]);
    reading.request(3);
    expect(partition.isWritable).toBe(true);
    expect(wakes()).toBeGreaterThan(0);
  });

  it('MR3: a reader without a subscriber delays no one', () => {
    const { partition, write, read } = partitionOf('memory', { budgetBytes: 2 * batchBytes });
    partition.read(0);
    const reading = read();
    write(1, 2, 3, 4, 5, 6, 7, 8);
    expect(numbersOf(reading)).toHaveLength(8);
    expect(partition.isWritable).toBe(true);
  });

  it('MR3: wakes the producer when another result makes room', () => {
    const { partition, budget, write, read, wakes } = partitionOf('memory', { budgetBytes: 8 * batchBytes });
    read(1);
    write(1, 2, 3, 4, 5, 6);
    expect(partition.isWritable).toBe(true);
    budget.reserve(8 * batchBytes);
    expect([partition.isWritable, wakes()]).toEqual([false, 0]);
    budget.release(8 * batchBytes);
    expect([partition.isWritable, wakes()]).toEqual([true, 1]);
  });

  it('MR3: lets a producer continue if its readers are in step, whoever uses up the budget', () => {
    const { partition, budget, write, read } = partitionOf('memory', { budgetBytes: 4 * batchBytes });
    budget.reserve(100 * batchBytes);
    const reading = read();
    for (let n = 0; n < 20; n++) {
      expect(partition.isWritable).toBe(true);
      write(n);
    }
    expect(numbersOf(reading)).toHaveLength(20);
  });

  it('MR1: keeps within the budgets of its exchange and of the run', () => {
    const run = new ByteBudget(5 * batchBytes);
    const [one, other] = [new ByteBudget(4 * batchBytes, run), new ByteBudget(4 * batchBytes, run)];
    expect(reserveIfRoom(one, 3 * batchBytes)).toBe(true);
    expect(reserveIfRoom(other, 3 * batchBytes)).toBe(false);
    expect(reserveIfRoom(other, 2 * batchBytes)).toBe(true);
    one.release(3 * batchBytes);
    expect([run.reservedBytes, other.hasRoomFor(2 * batchBytes)]).toEqual([2 * batchBytes, true]);
  });
});

describe('memory, then disk', () => {
  it('writes batches past the budget to disk, and loses nothing', () => {
    const { write, read, truncations, files, finish, partition } = partitionOf('memory-then-disk', {
      budgetBytes: 2 * batchBytes,
    });
    write(1, 2, 3, 4, 5, 6, 7, 8, 9);
    finish();
    expect([truncations(), files.size]).toEqual([0, 1]);
    expect(partition.statistics().spilledBytes).toBeGreaterThan(0);
    expect(numbersOf(read())).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('RP3: refuses records that cannot be written even if there is room', () => {
    const { partition, budget } = partitionOf('memory-then-disk');
    expect(() => partition.write(0, elementOf([{ fn: () => 1 }]))).toThrow(RecordNotSerializableError);
    expect(budget.reservedBytes).toBe(0);
  });
});

describe('disk', () => {
  it('reads back the older part for a late reader, and no more', () => {
    const { write, read, reads } = partitionOf('disk');
    write(1, 2, 3, 4, 5, 6, 7);
    expect(numbersOf(read())).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(reads()).toBe(3);
  });

  it('holds only the latest batches in memory', () => {
    const { write, partition, budget } = partitionOf('disk');
    write(...Array.from({ length: 50 }, (_, n) => n));
    expect(budget.reservedBytes).toBe(0);
    expect(partition.statistics()).toMatchObject({ memoryBytes: 0, batches: 50 });
  });

  it('stops its producer while eight batches are being written', () => {
    const { partition, settle, wakes } = partitionOf('disk');
    for (let n = 0; n < 8; n++) {
      expect(partition.isWritable).toBe(true);
      partition.write(0, elementOf(batch(n)));
    }
    expect(partition.isWritable).toBe(false);
    settle();
    expect([partition.isWritable, wakes()]).toEqual([true, 1]);
  });

  it('RP2: a batch that comes back changed is a lost partition, and the error says where', () => {
    const { write, read, files } = partitionOf('disk');
    write(1, 2, 3, 4, 5, 6);
    const chunk = [...files.values()][0]?.[0] as Uint8Array;
    chunk[chunk.length - 1] = (chunk.at(-1) as number) ^ 0xff;
    const reading = read();
    expect(reading.records).toEqual([]);
    expect(reading.error).toBeInstanceOf(PartitionLostError);
    expect((reading.error as PartitionLostError).message).toMatch(/checksum .*memory\/0#0 at byte 0/);
  });

  it('RF2: a full disk fails the next write and the end, and the result is not reported complete', () => {
    const { partition, faults, write, read, finish } = partitionOf('disk');
    const reading = read();
    faults.fail(spillFaultPoints.append, { error: new Error('ENOSPC') });
    write(1);
    expect(() => partition.write(0, elementOf(batch(2)))).toThrow(/ENOSPC/);
    expect(finish()).toStrictEqual([expect.objectContaining({ message: expect.stringMatching(/ENOSPC/) })]);
    expect(reading.isComplete).toBe(false);
  });
});

describe('any order of writes, reads, credits and restarts of readers', () => {
  it.each<Retention>(['memory', 'memory-then-disk', 'disk'])(
    '%s: a reader gets everything in order, or an error',
    (retention) => {
      fc.assert(
        fc.property(
          fc.array(fc.constantFrom('write', 'write', 'credit', 'restart', 'settle'), { maxLength: 60 }),
          fc.integer({ min: 0, max: 8 }),
          (steps, budget) => {
            const it = partitionOf(retention, { budgetBytes: budget * batchBytes });
            let written = 0;
            let reading: Reading | undefined = it.read(0);
            for (const step of steps) {
              switch (step) {
                case 'write':
                  if (it.partition.isWritable) it.partition.write(0, elementOf(batch(written++)));
                  break;
                case 'credit':
                  reading?.request(2);
                  break;
                case 'restart':
                  reading?.stop();
                  try {
                    reading = it.read(0);
                  } catch (error) {
                    // Then its beginning was dropped, and it got the error.
                    expect(error).toBeInstanceOf(PartitionLostError);
                    expect([it.truncations(), retention]).toEqual([1, 'memory']);
                    reading = undefined;
                  }
                  break;
                default:
                  it.settle();
              }
              if (it.truncations() === 0) expect(() => it.partition.read(0)).not.toThrow();
              else expect(() => it.partition.read(0)).toThrow(PartitionLostError);
            }
            it.finish();
            reading?.request(unlimited);
            it.settle();
            if (reading !== undefined) {
              expect(numbersOf(reading)).toEqual(Array.from({ length: written }, (_, n) => n));
              expect(reading.isComplete).toBe(true);
            }
            it.partition.release();
            it.settle();
            expect([it.budget.reservedBytes, it.files.size]).toEqual([0, 0]);
          },
        ),
        { numRuns: draws(100, 300) },
      );
    },
  );
});
