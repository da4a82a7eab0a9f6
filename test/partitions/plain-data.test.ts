import fc from 'fast-check';
import { areUsual, assertSerializable } from '../../src/partitions/records/plain-data.ts';

class Point {
  readonly x = 1;
}
const cycle: Record<string, unknown> = {};
cycle.self = cycle;
const nestedIn = (depth: number): unknown => (depth === 0 ? 1 : { in: nestedIn(depth - 1) });

/** What a check says of a record: nothing, or its error. */
function verdict(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

describe('whether records are plain data', () => {
  const odd = fc.constantFrom<unknown>(
    new Point(),
    cycle,
    nestedIn(199),
    nestedIn(201),
    () => 1,
    Symbol('s'),
    [new Point()],
    { deep: [{ point: new Point() }] },
    new Map([[1, { f: () => 1 }]]),
    new Set([new Point()]),
    new Date(0),
    Object.create(null),
    new SharedArrayBuffer(1),
    new Uint8Array(2),
    Buffer.from('b'),
    new Error('e'),
    Object.assign([], { length: 2 }),
    -0,
    '\ud800',
  );

  it('property: is the same whether or not anybody asks how they can be written', () => {
    const record = fc.oneof(
      odd,
      fc.anything({ withMap: true, withSet: true, withDate: true, withTypedArray: true }),
      fc.dictionary(fc.string(), odd),
    );
    fc.assert(
      fc.property(fc.array(record, { maxLength: 3 }), (records) => {
        expect(verdict(() => assertSerializable(records))).toBe(verdict(() => areUsual(records)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused with the path of what is not', () => {
    expect(() => assertSerializable([{ id: 1, at: { point: new Point() } }])).toThrow(
      /\$\.at\.point.*an instance of Point/,
    );
  });
});
