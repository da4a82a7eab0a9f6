import { DeterminismBrokenError, PartitionLostError } from '../../src/errors/result-errors.ts';
import { ReleasedResultPartition } from '../../src/partitions/reproduced/released-result-partition.ts';
import type { ResultTrace } from '../../src/partitions/result-trace.ts';
import { recordsOf, RetainedRig, somePartition } from '../support/partition-harness.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';

/** Four records, of which a reader took as many as it needed; then the result was curtailed. */
function truncated(options: ConstructorParameters<typeof RetainedRig>[0] = {}): RetainedRig {
  const rig = new RetainedRig(options).write([2, 2]);
  rig.read({ credits: 1 }).dismiss();
  curtail(rig);
  return rig;
}

function curtail(rig: RetainedRig): void {
  rig.partition.curtail((error) => rig.ends.push(error));
  rig.settle();
}

describe('RP5: a truncated result, reproduced', () => {
  it.each(['disk', 'memory', 'memory-then-disk'] as const)(
    'by a longer attempt: it is the same, the rest is appended, and a reader gets all of it (%s)',
    (retention) => {
      const rig = truncated({ retention });
      rig.resume();
      expect(rig.partition.isNeeded).toBe(true);
      const reading = rig.read();
      rig.write([3, 3]).finish();
      expect([rig.ends, reading.isComplete]).toStrictEqual([[undefined, undefined], true]);
      expect(reading.records).toEqual(recordsOf(0, 0, 6));
    },
  );

  it('by an attempt that is curtailed earlier: there is no error, and it stays truncated', () => {
    const rig = truncated();
    rig.resume();
    rig.read({ credits: 1 }).dismiss();
    rig.write([1]);
    curtail(rig);
    expect(rig.ends).toStrictEqual([undefined, undefined]);
    expect(thrownBy(() => rig.partition.read(0))).toBeInstanceOf(PartitionLostError);
  });

  it('by an attempt that ends with fewer records: the declaration is broken', () => {
    const rig = truncated();
    rig.resume();
    rig.write([3]).finish();
    expect(rig.ends).toStrictEqual([undefined, expect.any(DeterminismBrokenError)]);
  });

  it('by an attempt that writes other records: the declaration is broken', () => {
    const rig = truncated();
    rig.resume();
    expect(thrownBy(() => rig.partition.write(0, elementOf(['another', 'record'])))).toBeInstanceOf(
      DeterminismBrokenError,
    );
  });

  it('complete before, and all of it present: it stays complete although its attempt is curtailed', () => {
    const rig = new RetainedRig().write([2, 2]).finish();
    rig.resume();
    rig.read({ credits: 1 }).dismiss();
    curtail(rig);
    expect(rig.ends).toStrictEqual([undefined, undefined]);
    expect(rig.read().records).toEqual(recordsOf(0, 0, 4));
  });

  it('complete before, and partly lost: curtailed before it came back, it is truncated', () => {
    const rig = new RetainedRig().write([2, 2]).finish();
    rig.resume(true);
    rig.read({ credits: 1 }).dismiss();
    rig.write([2]);
    curtail(rig);
    expect(thrownBy(() => rig.partition.read(0))).toBeInstanceOf(PartitionLostError);
  });
});

describe('RP5: the trace of a truncated result', () => {
  const consumed = (trace: ResultTrace): ReleasedResultPartition =>
    new ReleasedResultPartition({ ...rigAbout, id: somePartition }, trace);
  const rigAbout = { exchange: new RetainedRig().partition.exchange, subpartitionCount: 1 };

  it('detects a difference in the output so far, and says nothing about the rest', () => {
    const trace = truncated().partition.trace() as ResultTrace;
    const again = consumed(trace);
    again.write(0, elementOf(recordsOf(0, 0, 9)));
    expect(again.isNeeded).toBe(false);
    expect(thrownBy(() => consumed(trace).write(0, elementOf(['another', 'record'])))).toBeInstanceOf(
      DeterminismBrokenError,
    );
    const ends: unknown[] = [];
    consumed(trace).curtail((error) => ends.push(error));
    consumed(trace).finish((error) => ends.push(error));
    expect(ends).toStrictEqual([undefined, expect.any(DeterminismBrokenError)]);
  });
});

describe('RL1: records of a dismissed reader', () => {
  it('make room for records that are needed, oldest first', () => {
    const rig = new RetainedRig({ retention: 'memory', subpartitionCount: 2, memoryBytes: 400, isReproducible: false });
    rig.read({ subpartition: 0 }).dismiss();
    const other = rig.read({ subpartition: 1 });
    for (let batch = 0; batch < 40; batch++) rig.write([2], { subpartition: 0 }).write([2], { subpartition: 1 });
    expect([other.records.length, rig.appends, rig.mayWrite()]).toEqual([80, 0, true]);
    expect(rig.memory.reservedBytes).toBeLessThanOrEqual(400);
    expect(thrownBy(() => rig.partition.read(0))).toBeInstanceOf(PartitionLostError);
  });

  it('are dropped if there is no room: nothing unneeded goes to disk', () => {
    const rig = new RetainedRig({ retention: 'memory', subpartitionCount: 2, memoryBytes: 400, isReproducible: false });
    rig.read({ subpartition: 0 }).dismiss();
    const slow = rig.read({ subpartition: 1, credits: 0 });
    rig.write([20], { subpartition: 1 });
    for (let batch = 0; batch < 10; batch++) rig.write([2], { subpartition: 0 });
    expect([rig.appends, slow.error]).toEqual([0, undefined]);
    expect(slow.request(9).records).toHaveLength(20);
  });
});
