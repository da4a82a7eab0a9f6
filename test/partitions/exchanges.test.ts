import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { DeterminismBrokenError, PartitionLostError } from '../../src/errors/result-errors.ts';
import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { ResultPartitionId, RunId } from '../../src/ids.ts';
import { InputGate } from '../../src/operators/gate/input-gate.ts';
import { RecordWriter } from '../../src/operators/task/record-writer.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { ChannelOrder } from '../../src/partitions/channel-order.ts';
import { ReleasedResultPartition } from '../../src/partitions/reproduced/released-result-partition.ts';
import {
  isResumable,
  type ResultPartition,
  type ResumableResult,
  type TraceableResult,
} from '../../src/partitions/result-partition.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import { FileSpillStore } from '../../src/partitions/storage/file-spill-store.ts';
import { keptBatches } from '../../src/partitions/storage/kept-result.ts';
import { elementOf, type StreamElement } from '../../src/partitions/stream-element.ts';
import { MemorySpillStore } from '../../src/testing/storage/memory-spill-store.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { recordsIn } from '../support/batch-frames.ts';
import { exchanges } from '../support/exchanges.ts';
import {
  barrier,
  idle,
  produce,
  type Spelled,
  spelled,
  spelledEarly,
  spelledSteps,
  type Step,
  watermark,
  writeSteps,
} from '../support/marks.ts';
import { Reading, somePartition } from '../support/partition-harness.ts';
import { draws } from '../support/draws.ts';

/** Grants credits until everything is read; checks that no more batches arrive than requested. */
function readWith(credits: readonly number[], reading: Reading, settle: () => void): void {
  for (let turn = 0; !reading.isComplete && turn < 100; turn++) {
    const before = reading.batchCount;
    const granted = credits[turn % credits.length] as number;
    reading.request(granted);
    settle();
    expect(reading.batchCount - before).toBeLessThanOrEqual(granted);
  }
}

/** The error of a reader that cannot be opened, at once or once its owner has answered. */
function refusalOf(partition: ResultPartition, settle: () => void, subpartition = 0, fromRecord?: number): unknown {
  let reading: Reading;
  try {
    reading = new Reading(partition.read(subpartition, fromRecord));
  } catch (error) {
    return error;
  }
  settle();
  return reading.error;
}

describe.each(exchanges)('%s', (_, exchange) => {
  /** Writes and finishes; a full partition gets time, or a reader. */
  const fill = (partition: ResultPartition, settle: () => void, writes: readonly (readonly [number, unknown[]])[]) => {
    for (const [subpartition, records] of writes) {
      if (!partition.isWritable) settle();
      partition.write(subpartition, elementOf(records));
    }
    const ends: (Error | undefined)[] = [];
    partition.finish((error) => ends.push(error));
    settle();
    expect(ends).toStrictEqual([undefined]);
  };

  const filled = (subpartitionCount: number, writes: readonly (readonly [number, unknown[]])[]) => {
    const { create, settle } = exchange();
    const partition = create(subpartitionCount);
    fill(partition, settle, writes);
    return {
      partition,
      settle,
      read: (subpartition: number, credits: number, fromRecord?: number): Reading => {
        const reading = new Reading(partition.read(subpartition, fromRecord), credits);
        settle();
        return reading;
      },
    };
  };

  it('passes a subpartition to its reader in writing order, the end last', () => {
    const { read } = filled(2, [
      [0, [1, 2]],
      [1, [3]],
      [0, [4]],
    ]);
    const reading = read(0, 5);
    expect(reading.elements).toEqual([
      { kind: 'records', records: [1, 2] },
      { kind: 'records', records: [4] },
      { kind: 'end' },
    ]);
    expect([reading.isComplete, reading.error]).toEqual([true, undefined]);
    expect(read(1, 5).records).toEqual([3]);
  });

  it('emits nothing without a credit, except the end', () => {
    const { read, settle } = filled(1, [
      [0, [1]],
      [0, [2]],
      [0, [3]],
    ]);
    const reading = read(0, 0);
    expect(reading.elements).toEqual([]);
    reading.request(1);
    settle();
    expect(reading.records).toEqual([1]);
    reading.request(2);
    settle();
    expect(reading.records).toEqual([1, 2, 3]);
    expect(reading.isComplete).toBe(true);
  });

  it('ends at once if nothing was written to a subpartition', () => {
    const reading = filled(3, [[0, [1]]]).read(2, 0);
    expect([reading.elements, reading.isComplete]).toEqual([[{ kind: 'end' }], true]);
  });

  it('serves a reader that requests more while it gets an element', () => {
    const { partition, settle } = filled(
      1,
      [1, 2, 3, 4].map((record) => [0, [record]] as const),
    );
    const view = partition.read(0);
    const records: unknown[] = [];
    let ended = false;
    view.elements$.subscribe((element) => {
      if (element.kind === 'end') {
        ended = true;
        return;
      }
      records.push(...recordsIn(element));
      view.request(1);
    });
    view.request(1);
    settle();
    expect([records, ended]).toEqual([[1, 2, 3, 4], true]);
  });

  it('stops for a reader that goes away, and serves the others', () => {
    const { read, settle } = filled(2, [
      [0, [1]],
      [0, [2]],
      [1, [3]],
    ]);
    const [first, second] = [read(0, 1), read(1, 0)];
    first.stop();
    first.request(1);
    second.request(1);
    settle();
    expect([first.records, second.records]).toEqual([[1], [3]]);
  });

  it('counts records and batches', () => {
    const { partition } = filled(2, [
      [0, [1, 2]],
      [1, [3]],
    ]);
    expect(partition.statistics()).toMatchObject({ records: 3, batches: 2 });
  });

  it('releases everything and fails its readers, once, however often it is released', () => {
    // More than a reader far away holds ahead.
    const writes = Array.from({ length: 40 }, (_record, index): [number, unknown[]] => [0, [index + 1]]);
    const { partition, read, settle } = filled(1, writes);
    const reading = read(0, 1);
    partition.release();
    partition.release();
    settle();
    reading.request(1);
    settle();
    expect(reading.records).toEqual([1]);
    expect(reading.error).toBeInstanceOf(PartitionLostError);
    expect(refusalOf(partition, settle)).toBeInstanceOf(PartitionLostError);
    expect(partition.statistics()).toMatchObject({ memoryBytes: 0, spilledBytes: 0 });
  });

  it('refuses calls that are bugs of the caller', () => {
    const { partition, settle } = filled(2, []);
    expect(() => partition.write(0, elementOf([1]))).toThrow(IllegalStateError);
    expect(refusalOf(partition, settle, 2)).toBeInstanceOf(IllegalStateError);
    expect(refusalOf(partition, settle, -1)).toBeInstanceOf(IllegalStateError);
  });

  it('released while it is written: it is not needed, drops further writes, and its producer gets no error', () => {
    const { create, settle } = exchange();
    const partition = create(1);
    let wakes = 0;
    partition.onWritable(() => wakes++);
    partition.write(0, elementOf([1]));
    expect(partition.isNeeded).toBe(true);
    partition.release();
    for (let batch = 0; batch < 20; batch++) partition.write(0, elementOf([batch]));
    settle();
    expect([partition.isNeeded, partition.isWritable]).toEqual([false, true]);
    const ends: unknown[] = [];
    partition.finish((error) => ends.push(error));
    partition.curtail((error) => ends.push(error));
    settle();
    expect(ends).toStrictEqual([undefined, undefined]);
    expect(refusalOf(partition, settle)).toBeInstanceOf(PartitionLostError);
    expect(partition.statistics()).toMatchObject({ memoryBytes: 0, spilledBytes: 0 });
  });

  const { reading: kind } = exchange();

  describe('the need for a result', () => {
    // A blocking result is read once it is complete, so during the first attempt all readers are still to come.
    const whileWritten = kind === 'at the end' ? it.skip : it;
    const rereadable = kind === 'early' ? it : it.skip;

    /** Writes a partition; returns how often its producer was woken. */
    const written = (subpartitionCount: number) => {
      const { create, settle } = exchange();
      const partition = create(subpartitionCount);
      let wakes = 0;
      partition.onWritable(() => wakes++);
      const open = (subpartition: number, credits = 0): Reading => {
        const reading = new Reading(partition.read(subpartition), credits);
        settle();
        return reading;
      };
      return { partition, settle, open, takeWakes: () => [wakes, (wakes = 0)][0] };
    };

    it('is full if no reader was opened', () => {
      const { partition } = written(2);
      partition.write(0, elementOf([1]));
      expect(partition.isNeeded).toBe(true);
    });

    whileWritten(
      'PP4, RP5: a result is needed until the last of its readers was dismissed, and its producer is notified',
      () => {
        const { partition, open, settle, takeWakes } = written(2);
        open(0).dismiss();
        settle();
        // The other reader is still to come.
        expect([partition.isNeeded, takeWakes()]).toEqual([true, 0]);
        const other = open(1);
        expect(partition.isNeeded).toBe(true);
        other.dismiss();
        other.dismiss();
        settle();
        expect([partition.isNeeded, takeWakes()]).toEqual([false, 1]);
      },
    );

    whileWritten('PP4: a reader that went away without a dismissal failed: its elements are still needed', () => {
      const { partition, open, settle } = written(1);
      open(0).stop();
      settle();
      expect(partition.isNeeded).toBe(true);
    });

    whileWritten('a dismissed reader gets nothing more, not even the end', () => {
      const { partition, open, settle } = written(1);
      const reading = open(0, 9);
      partition.write(0, elementOf([1]));
      settle();
      reading.dismiss();
      partition.write(0, elementOf([2]));
      fill(partition, settle, []);
      expect([reading.records, reading.isComplete, reading.error]).toEqual([[1], false, undefined]);
    });

    whileWritten('a dismissed reader holds up neither the producer nor the other readers', () => {
      const { partition, open, settle } = written(2);
      const [dismissed, other] = [open(0, 1), open(1, 100)];
      partition.write(0, elementOf([0]));
      settle();
      dismissed.dismiss();
      settle();
      for (let batch = 0; batch < 50; batch++) {
        expect(partition.isWritable).toBe(true);
        partition.write(0, elementOf([batch]));
        partition.write(1, elementOf([batch]));
        settle();
      }
      fill(partition, settle, []);
      expect(other.records).toHaveLength(50);
      expect(other.isComplete).toBe(true);
    });

    whileWritten('unneeded output is dropped, and then no reader can be opened', () => {
      const { partition, open, settle } = written(1);
      partition.write(0, elementOf([1]));
      open(0).dismiss();
      settle();
      const before = partition.statistics();
      for (let batch = 0; batch < 20; batch++) partition.write(0, elementOf([batch]));
      settle();
      expect(partition.isWritable).toBe(true);
      expect(partition.statistics().memoryBytes).toBeLessThanOrEqual(before.memoryBytes);
      expect(partition.statistics().spilledBytes).toBeLessThanOrEqual(before.spilledBytes + 100);
      expect(refusalOf(partition, settle)).toBeInstanceOf(PartitionLostError);
      fill(partition, settle, []);
      expect(refusalOf(partition, settle)).toBeInstanceOf(PartitionLostError);
    });

    whileWritten('a curtailed result cannot be opened by a new reader', () => {
      const { partition, open, settle } = written(1);
      partition.write(0, elementOf([1]));
      open(0, 1).dismiss();
      settle();
      const ends: unknown[] = [];
      partition.curtail((error) => ends.push(error));
      settle();
      expect(ends).toStrictEqual([undefined]);
      expect(refusalOf(partition, settle)).toBeInstanceOf(PartitionLostError);
      partition.release();
      expect(partition.statistics()).toMatchObject({ memoryBytes: 0, spilledBytes: 0 });
    });

    rereadable('a reader opened before anything was dropped gets everything, and needs it', () => {
      const { partition, open, settle } = written(1);
      partition.write(0, elementOf([1]));
      open(0, 1).dismiss();
      settle();
      expect(partition.isNeeded).toBe(false);
      const next = open(0, 9);
      expect(partition.isNeeded).toBe(true);
      partition.write(0, elementOf([2]));
      fill(partition, settle, []);
      expect(next.records).toEqual([1, 2]);
      expect(next.isComplete).toBe(true);
    });

    rereadable('a result that was complete before its last reader was dismissed stays complete', () => {
      const { partition, open, settle } = written(1);
      partition.write(0, elementOf([1]));
      const reading = open(0);
      fill(partition, settle, []);
      reading.dismiss();
      expect(open(0, 9).records).toEqual([1]);
    });
  });

  if (kind === 'once') {
    it('is readable from its beginning, but not from beyond its end', () => {
      const { partition, read, settle } = filled(1, [[0, [1, 2]]]);
      expect(refusalOf(partition, settle, 0, 1)).toBeInstanceOf(IllegalStateError);
      expect(read(0, 1, 0).records).toEqual([1, 2]);
    });
  } else {
    describe('reading from a record', () => {
      const batches: [number, unknown[]][] = [
        [0, ['a', 'b', 'c']],
        [1, ['x']],
        [0, ['d', 'e']],
        [0, ['f']],
      ];
      const cases: [string, number, unknown[][]][] = [
        ['the first', 0, [['a', 'b', 'c'], ['d', 'e'], ['f']]],
        ['in the middle of a batch', 1, [['b', 'c'], ['d', 'e'], ['f']]],
        ['the last of a batch', 2, [['c'], ['d', 'e'], ['f']]],
        ['the first of a batch', 3, [['d', 'e'], ['f']]],
        ['the last', 5, [['f']]],
        ['the end', 6, []],
        ['beyond the end', 9, []],
      ];

      it.each(cases)('%s (%d): yields the rest, without using credits for skipped records', (_, from, expected) => {
        const reading = filled(2, batches).read(0, expected.length, from);
        expect(reading.elements).toEqual([
          ...expected.map((records) => ({ kind: 'records', records })),
          { kind: 'end' },
        ]);
        expect([reading.isComplete, reading.error]).toEqual([true, undefined]);
      });

      it('works for several readers, each from its own record', () => {
        const { read } = filled(2, batches);
        const readings = cases.map(([, from]) => read(0, 0, from));
        for (const reading of readings) reading.request(9);
        const again = cases.map(([, from]) => read(0, 9, from));
        const expected = cases.map(([, , batchesOf]) => batchesOf.flat());
        expect(readings.map(({ records }) => records)).toEqual(expected);
        expect(again.map(({ records }) => records)).toEqual(expected);
      });

      (kind === 'early' ? it : it.skip)(
        'that is still to be written: waits for it (not before a blocking one ends)',
        () => {
          const { create, settle } = exchange();
          const partition = create(2);
          for (const batch of batches.slice(0, 3)) partition.write(batch[0], elementOf(batch[1]));
          // Only as many credits as the rest needs, because skipped records take none.
          const readings = [
            [4, 4],
            [5, 3],
            [6, 2],
            [7, 2],
            [20, 1],
          ].map(([from, credits]) => new Reading(partition.read(0, from), credits));
          settle();
          expect(readings.map(({ records }) => records)).toEqual([['e'], [], [], [], []]);
          for (const records of [['f'], ['g', 'h'], ['i']]) {
            partition.write(0, elementOf(records));
            settle();
          }
          fill(partition, settle, []);
          expect(readings.map(({ records }) => records.join(''))).toEqual(['efghi', 'fghi', 'ghi', 'hi', '']);
          expect(readings.map(({ isComplete }) => isComplete)).toEqual([true, true, true, true, true]);
        },
      );

      it('property: yields any record of any batches, however the credits come', () => {
        fc.assert(
          fc.property(
            fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 20 }),
            fc.nat(200),
            fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 10 }),
            (sizes, from, credits) => {
              let next = 0;
              const writes = sizes.map(
                (size) => [0, Array.from({ length: size }, () => ({ id: next++, text: 'some text' }))] as const,
              );
              const { read, settle, partition } = filled(1, writes);
              const reading = read(0, 0, from);
              readWith(credits, reading, settle);
              expect(reading.records).toEqual(writes.flatMap(([, records]) => records).slice(from));
              expect(reading.isComplete).toBe(true);
              partition.release();
            },
          ),
          { numRuns: draws(20, 60) },
        );
      });
    });
  }

  it('property: every record reaches its reader once, in order, however the credits come', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 30 })), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 10 }),
        (count, writes, credits) => {
          let next = 0;
          const batches = writes.map(
            ([subpartition, size]) =>
              [subpartition % count, Array.from({ length: size }, () => ({ id: next++, text: 'some text' }))] as const,
          );
          const { partition, settle } = filled(count, batches);
          for (let subpartition = 0; subpartition < count; subpartition++) {
            const reading = new Reading(partition.read(subpartition));
            readWith(credits, reading, settle);
            expect(reading.records).toEqual(
              batches.filter(([to]) => to === subpartition).flatMap(([, records]) => records),
            );
            expect(reading.isComplete).toBe(true);
          }
          partition.release();
        },
      ),
      { numRuns: draws(20, 60) },
    );
  });
});

/** Marks among the records of one attempt. */
const marked: readonly Step[] = [2, barrier(1), idle, 3, watermark(5), 1, barrier(2)];

/** The same in other batches. */
const cutOtherwise: readonly Step[] = [1, 1, barrier(1), idle, 2, 1, watermark(5), 1, barrier(2)];

/** The different output of a next attempt, and the reported difference. */
const moved: readonly (readonly [what: string, steps: readonly Step[], difference: RegExp])[] = [
  ['a mark earlier', [1, idle, 1, barrier(1), 3, watermark(5), 1, barrier(2)], /a new mark \(idleness\)/],
  ['a mark later', [2, barrier(1), idle, 4, watermark(5), barrier(2)], /records instead of a mark/],
  ['no mark', [2, barrier(1), 3, watermark(5), 1, barrier(2)], /records instead of a mark/],
  ['another mark', [2, barrier(1), watermark(5), 3, watermark(5), 1, barrier(2)], /another mark \(watermark\)/],
  ['a mark more', [2, barrier(1), idle, idle, 3, watermark(5), 1, barrier(2)], /a new mark \(idleness\)/],
  ['a mark more at the end', [...marked, idle], /more marks than before/],
  ['no mark at the end', marked.slice(0, -3), /it ended/],
  ['another watermark', [2, barrier(1), idle, 3, watermark(6), 1, barrier(2)], /another mark \(watermark\)/],
];

/** The same with other barriers: a restored attempt does not bring the earlier ones again, and has its own. */
const withOtherBarriers: readonly (readonly Step[])[] = [
  [2, idle, 3, watermark(5), 1],
  [1, barrier(1), 1, idle, barrier(2), 3, watermark(5), 1],
];

describe.each(exchanges)('%s, with marks', (_, exchange) => {
  const { reading: kind } = exchange();
  const rereadable = kind === 'once' ? it.skip : it;

  /** Reads everything from a gate, record by record. */
  const drain = (gate: InputGate, settle: () => void): StreamElement[] => {
    const elements: StreamElement[] = [];
    gate.elements$.subscribe((element) => elements.push(element));
    for (let turn = 0; turn < 100 && elements.at(-1)?.kind !== 'end'; turn++) {
      settle();
      while (gate.emitNext());
    }
    return elements;
  };

  it('from writer to gate: a mark comes after all earlier records, in every subpartition', () => {
    const { create, settle } = exchange();
    const partition = create(2);
    const writer = new RecordWriter({
      partition,
      selection: { kind: 'round-robin' },
      reader: 'sums',
      subtask: 0,
      freeze: true,
      batchSize: 3,
      batchBytes: 1_000,
    });
    const records = (from: number, to: number) =>
      Array.from({ length: to - from }, (_record, at) => ({ record: from + at }));
    writer.write(records(0, 5));
    writer.mark(barrier(1));
    writer.write(records(5, 6));
    writer.mark(watermark(7));
    writer.mark(idle);
    writer.write(records(6, 15));
    settle();
    writer.finish(() => {});
    settle();
    const read = [0, 1].map((subpartition) => {
      return spelled(drain(new InputGate([partition.read(subpartition)]), settle));
    });
    expect(read).toEqual([
      [0, 2, 4, 'barrier 1', 'watermark 7', 'idle', 6, 8, 10, 12, 14],
      [1, 3, 'barrier 1', 5, 'watermark 7', 'idle', 7, 9, 11, 13],
    ]);
  });

  it('a mark takes a credit, advances no sequence number and is not a batch', () => {
    const { create, settle } = exchange();
    const partition = create(1);
    expect(produce(partition, marked, settle)).toBeUndefined();
    const reading = new Reading(partition.read(0), 2);
    settle();
    expect(spelled(reading.elements)).toEqual([0, 1, 'barrier 1']);
    reading.request(1);
    settle();
    expect(spelled(reading.elements)).toEqual([0, 1, 'barrier 1', 'idle']);
    expect(partition.statistics()).toMatchObject({ records: 6, batches: 3 });
  });

  rereadable.each([0, 1, 2, 3, 5, 6, 7])(
    'read again from record %d: earlier elements are skipped, marks too',
    (from) => {
      const { create, settle } = exchange();
      const partition = create(1);
      expect(produce(partition, marked, settle)).toBeUndefined();
      for (let reader = 0; reader < 2; reader++) {
        const reading = new Reading(partition.read(0, from), 20);
        settle();
        expect(spelled(reading.elements)).toEqual(spelledSteps(marked, from));
        expect(reading.isComplete).toBe(true);
      }
    },
  );

  (kind === 'early' ? it : it.skip)(
    'a reader from a record that is still to come gets no mark before it, but for barriers, which are early',
    () => {
      const { create, settle } = exchange();
      const partition = create(1);
      const readings = [0, 2, 4, 6, 9].map((from) => new Reading(partition.read(0, from), 20));
      settle();
      expect(produce(partition, marked, settle)).toBeUndefined();
      expect(readings.map(({ elements }) => spelled(elements))).toEqual(
        [0, 2, 4, 6, 9].map((from) => [...spelledEarly(marked, from), ...spelledSteps(marked, from)]),
      );
    },
  );

  rereadable('property: any marks among any batches, from any record, however the credits come', () => {
    const step = fc.oneof(
      fc.integer({ min: 1, max: 6 }),
      fc.constantFrom<Step>(barrier(1), barrier(2), watermark(3), idle),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 20 }),
        fc.nat(60),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 10 }),
        (steps, from, credits) => {
          const { create, settle } = exchange();
          const partition = create(1);
          expect(produce(partition, steps, settle)).toBeUndefined();
          const reading = new Reading(partition.read(0, from));
          readWith(credits, reading, settle);
          expect(spelled(reading.elements)).toEqual(spelledSteps(steps, from));
          expect(reading.isComplete).toBe(true);
        },
      ),
      { numRuns: draws(20, 60) },
    );
  });

  /** The first attempt has written everything, and the next one takes over. */
  const resumed = (isLost: boolean) => {
    const { create, settle } = exchange();
    const first = create(1);
    expect(produce(first, marked, settle)).toBeUndefined();
    if (!isResumable(first)) throw new Error('it cannot be reproduced');
    return { next: first.resume({ partition: 0, attempt: 1 } as ResultPartitionId, isLost), settle };
  };

  describe.each([
    ['is all there', false],
    ['has lost its files', true],
  ])('reproduced, when it %s', (_what, isLost) => {
    rereadable('the same marks after the same records are the same, in whatever batches', () => {
      const { next, settle } = resumed(isLost);
      const reading = new Reading(next.read(0, 1), 20);
      settle();
      expect(produce(next, cutOtherwise, settle)).toBeUndefined();
      expect(spelled(reading.elements)).toEqual(spelledSteps(marked, 1));
      expect(reading.isComplete).toBe(true);
    });

    rereadable.each(withOtherBarriers)('barriers need not come again', (...steps) => {
      const { next, settle } = resumed(isLost);
      const reading = new Reading(next.read(0, 1), 20);
      settle();
      expect(produce(next, steps, settle)).toBeUndefined();
      expect(spelled(reading.elements)).toEqual(spelledSteps(marked, 1));
      expect(reading.isComplete).toBe(true);
    });

    rereadable('new barriers come after the earlier output', () => {
      const { create, settle } = exchange();
      if (kind !== 'early') return;
      const first = create(1) as ResumableResult;
      writeSteps(first, [2, barrier(1), 3], settle);
      settle();
      const reading = new Reading(first.read(0), 20);
      settle();
      const next = first.resume({ partition: 0, attempt: 1 } as ResultPartitionId, isLost);
      expect(produce(next, [2, barrier(7), 4, barrier(8)], settle)).toBeUndefined();
      expect(spelled(reading.elements)).toEqual([0, 1, 'barrier 1', 2, 3, 4, 'barrier 7', 5, 'barrier 8']);
    });

    rereadable.each(moved)('breaks with %s', (_difference, steps, difference) => {
      const { next, settle } = resumed(isLost);
      const error = produce(next, steps, settle);
      expect(error).toBeInstanceOf(DeterminismBrokenError);
      expect((error as Error).message).toMatch(difference);
    });
  });

  rereadable('released, it leaves a trace that tells where the marks were', () => {
    const trace = () => {
      const { create, settle } = exchange();
      const first = create(1);
      expect(produce(first, marked, settle)).toBeUndefined();
      const left = (first as TraceableResult).trace();
      first.release();
      return left;
    };
    const isOnDisk = trace() !== undefined;
    const compared = (steps: readonly Step[]): unknown => {
      const of = { id: somePartition, exchange: exchangeTypes.reliable, subpartitionCount: 1 };
      return produce(new ReleasedResultPartition(of, trace()), steps, () => {});
    };
    const same = [marked, cutOtherwise, ...withOtherBarriers];
    expect(same.map(compared)).toEqual(same.map(() => undefined));
    // Without checksums there is nothing to compare.
    const broken = moved.map(([, steps]) => compared(steps) instanceof DeterminismBrokenError);
    expect(broken).toEqual(moved.map(() => isOnDisk));
  });

  it('IG4: merged with another channel, records and marks are taken in the recorded order, in any batches', () => {
    const other: readonly Step[] = [1, 1, barrier(1), 4, barrier(2), 2];
    const otherCutOtherwise: readonly Step[] = [2, barrier(1), 1, 3, barrier(2), 1, 1];
    const merged = (steps: readonly (readonly Step[])[], order: ChannelOrder): Spelled[] => {
      const channels = steps.map((of) => {
        const { create, settle } = exchange();
        const partition = create(1);
        expect(produce(partition, of, settle)).toBeUndefined();
        return { view: partition.read(0), settle };
      });
      const gate = new InputGate(
        channels.map(({ view }) => view),
        { order },
      );
      const taken = spelled(drain(gate, () => channels.forEach(({ settle }) => settle())));
      // A checkpoint is aligned where it comes; while the gate follows the order, it declines them.
      return taken.filter((one) => !String(one).startsWith('barrier'));
    };
    const order = new ChannelOrder();
    const before = merged([marked, other], order);
    expect(merged([cutOtherwise, otherCutOtherwise], order.copy())).toEqual(before);
    expect(merged([cutOtherwise, otherCutOtherwise], new ChannelOrder())).not.toEqual(before);
  });
});

describe('a truncated result, with marks', () => {
  it('RL2: a reader either gets the marks before its record, or does not start', () => {
    const environment = virtualEnvironment();
    const seen = new Set<unknown>();
    for (let bytes = 100; bytes < 700; bytes += 4) {
      const partition = new RetainedResultPartition({
        id: somePartition,
        exchange: exchangeTypes.memory,
        subpartitionCount: 1,
        retention: 'memory',
        budget: new ByteBudget(bytes),
        spillStore: new MemorySpillStore(environment.clock),
      });
      const reading = new Reading(partition.read(0), 100);
      writeSteps(partition, [2, barrier(1), 1, 1, 1], () => environment.runUntilIdle());
      expect(spelled(reading.elements)).toEqual([0, 1, 'barrier 1', 2, 3, 4]);
      try {
        seen.add(spelled(new Reading(partition.read(0, 2), 1).elements)[0]);
      } catch (error) {
        seen.add(error instanceof PartitionLostError);
      }
    }
    expect(seen).toEqual(new Set(['barrier 1', true]));
  });
});

describe('kept beyond its job, with marks', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'kintsugi-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('a result gives its records to another job; its marks have a meaning only in its own run', async () => {
    const store = new FileSpillStore({ directory: scratch });
    const partition = new RetainedResultPartition({
      id: somePartition,
      exchange: exchangeTypes.blocking,
      subpartitionCount: 1,
      retention: 'disk',
      budget: new ByteBudget(Number.POSITIVE_INFINITY),
      spillStore: store,
    });
    writeSteps(partition, marked, () => {});
    await new Promise((resolve) => partition.finish(resolve));
    const target = join(scratch, 'kept');
    const { partition: number, attempt } = somePartition;
    const kept = { partition: number, attempt, records: 6, segments: store.files[0]?.segments ?? [] };
    const of = { run: 'run' as RunId, job: 'job', source: 'a', target: 'b', isBroadcast: false };
    await store.promote(target, { ...of, partitions: [kept] });
    const elements: StreamElement[] = [];
    for await (const records of keptBatches(target, kept, false)) elements.push(elementOf(records));
    expect(spelled(elements)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(elements).toHaveLength(3);
  });
});
