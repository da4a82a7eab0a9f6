import fc from 'fast-check';
import { BatchCutter, type BatchLimits } from '../../src/partitions/records/batch-cutter.ts';
import { estimateRecordBytes } from '../../src/partitions/records/record-size.ts';
import type { Batch } from '../../src/partitions/stream-element.ts';

const limits: BatchLimits = { batchSize: 100, batchBytes: 64_000 };

/** A record of about this many bytes. */
const sized = (bytes: number): string => 'x'.repeat(Math.max(0, bytes - 24));
const repeated = (count: number, bytes: number): string[] => Array.from({ length: count }, () => sized(bytes));
const bytesOf = (records: Batch): number => records.reduce<number>((sum, next) => sum + estimateRecordBytes(next), 0);

function cutAll(records: Batch, cutter = new BatchCutter(limits)): Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at < records.length; ) {
    const end = cutter.endOf(records, at);
    batches.push(records.slice(at, end));
    at = end;
  }
  return batches;
}

describe('BatchCutter', () => {
  it.each<[string, Batch, number[]]>([
    ['small records: by their number', repeated(250, 50), [100, 100, 50]],
    ['some that are too many bytes together: by their bytes', repeated(100, 1_600), [40, 40, 20]],
    ['large ones: a few', repeated(5, 30_000), [2, 2, 1]],
    ['larger than a batch: each by itself', repeated(3, 100_000), [1, 1, 1]],
    [
      'a large one between small ones joins them if it fits',
      [sized(9), sized(60_000), sized(9), sized(64_000)],
      [3, 1],
    ],
    ['nothing', [], []],
  ])('%s', (_, records, lengths) => {
    expect(cutAll(records).map(({ length }) => length)).toEqual(lengths);
  });

  it('measures each record for a while after a large one, so that no large one is missed', () => {
    const cutter = new BatchCutter(limits);
    cutAll(repeated(1, 60_000), cutter);
    // None of the sampled places has a large record.
    const records = Array.from({ length: 100 }, (_, at) => sized(at % 25 === 3 ? 60_000 : 9));
    for (let small = 0; small < 40; small++) cutAll(repeated(100, 30), cutter);
    for (const batch of cutAll(records, cutter)) expect(bytesOf(batch)).toBeLessThanOrEqual(limits.batchBytes);
  });

  it('looks at few records of a batch, and at one once many batches were small', () => {
    const cutter = new BatchCutter(limits);
    let looks = 0;
    const looked = {
      get value(): number {
        return ++looks;
      },
    };
    const records = Array.from({ length: 100 }, () => looked);
    const looksAt = (): number => {
      const before = looks;
      cutter.endOf(records);
      return looks - before;
    };
    expect(looksAt()).toBe(4);
    cutAll(repeated(2_000, 50), cutter);
    expect(looksAt()).toBe(1);
    // Records that nearly fill a batch are not small.
    cutter.endOf(repeated(100, 500));
    expect(looksAt()).toBe(4);
  });

  it.each([24, 49, 74, 99])(
    'finds a large record at place %d within four batches, however many were small',
    (place) => {
      const cutter = new BatchCutter(limits);
      cutAll(repeated(4_000, 30), cutter);
      const records = Array.from({ length: 100 }, (_, at) => sized(at === place ? 60_000 : 9));
      expect(cutter.isMeasuring).toBe(false);
      for (let batch = 0; batch < 4; batch++) cutter.endOf(records);
      expect(cutter.isMeasuring).toBe(true);
    },
  );

  it('requests few records first, more if they are small, and fewer if they become large', () => {
    const cutter = new BatchCutter(limits);
    const asked: number[] = [];
    for (const bytes of [50, 50, 50, 30_000, 100_000, 50, 50, 50, 50]) {
      asked.push(cutter.nextRecords);
      cutter.endOf(repeated(cutter.nextRecords, bytes));
    }
    expect(asked).toEqual([16, 64, 100, 100, 2, 1, 4, 16, 64]);
  });

  it('property: every record is in one batch, in order; batches of similar records are within their limits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 24, max: 90_000 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 100_000 }),
        (sizes, batchSize, batchBytes) => {
          const records = sizes.toSorted((a, b) => b - a).map(sized);
          const batches = cutAll(records, new BatchCutter({ batchSize, batchBytes }));
          expect(batches.flat()).toEqual(records);
          for (const batch of batches) {
            expect(batch.length).toBeLessThanOrEqual(batchSize);
            if (batch.length > 1) expect(bytesOf(batch)).toBeLessThanOrEqual(batchBytes);
          }
        },
      ),
    );
  });
});

describe('estimateRecordBytes', () => {
  it.each<[string, () => unknown]>([
    [
      'a getter that throws',
      () => ({
        get x() {
          throw new Error('no');
        },
      }),
    ],
    [
      'a proxy that refuses',
      () =>
        new Proxy(
          {},
          {
            ownKeys: () => {
              throw new Error('no');
            },
          },
        ),
    ],
    [
      'a revoked proxy',
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
    ],
    [
      'a ring of rings',
      () => {
        const ring: Record<string, unknown> = {};
        for (let key = 0; key < 40; key++) ring[`k${key}`] = [ring, ring, { ring }];
        return ring;
      },
    ],
  ])('survives %s', (_, make) => {
    expect(estimateRecordBytes(make())).toBeGreaterThan(0);
  });
});
