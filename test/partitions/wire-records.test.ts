import fc from 'fast-check';
import { RecordNotSerializableError } from '../../src/errors/result-errors.ts';
import { buffersOf, WireDecoder, WireEncoder, wireBytes } from '../../src/partitions/remote/wire-records.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';
import { difference } from '../support/difference.ts';
import { plainValues } from '../support/plain-values.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { draws } from '../support/draws.ts';

const count = 40;

const toWire = (records: readonly unknown[]) => new WireEncoder().encode(records);

/** As a port carries them, which moves the buffers. */
const connection = () => {
  const [encoder, decoder] = [new WireEncoder(), new WireDecoder()];
  return (records: readonly unknown[]): unknown[] => {
    const wire = encoder.encode(records);
    return decoder.decode(structuredClone(wire, { transfer: buffersOf(wire) }));
  };
};
const carried = (records: readonly unknown[]): unknown[] => connection()(records);

/** Where the records differ once they were carried. The array itself may be of the realm of the port. */
const changeOf = (records: readonly unknown[]): string | undefined => difference([...carried(records)], [...records]);

const many = (recordOf: (index: number) => unknown): unknown[] =>
  Array.from({ length: count }, (_, index) => recordOf(index));

/** The records take these values in turn. */
const inTurn = (...values: readonly unknown[]): unknown[] => many((index) => values[index % values.length]);

const formOf = (records: readonly unknown[]): string => {
  const { keys = 'records', columns } = toWire(records);
  const kinds = columns.map(({ kind, ...column }) =>
    'values' in column && ArrayBuffer.isView(column.values) ? column.values.constructor.name : kind,
  );
  return `${keys}: ${kinds.join()}`;
};

describe('records on their way to another executor', () => {
  it.each<[what: string, records: unknown[], form: string]>([
    ['integers', inTurn(0, 1, -1, 2 ** 31 - 1, -(2 ** 31)), 'records: Int32Array'],
    ['a larger integer', inTurn(1, 2, 2 ** 31), 'records: Float64Array'],
    ['a smaller integer', inTurn(1, 2, -(2 ** 31) - 1), 'records: Float64Array'],
    ['−0 among integers', inTurn(0, -0), 'records: Float64Array'],
    ['doubles', inTurn(1, 0.5, Number.NaN, Number.NEGATIVE_INFINITY), 'records: Float64Array'],
    ['texts', inTurn('', 'ä', '👩‍🚀', '\ud800', 'x'.repeat(64)), 'records: Uint16Array'],
    ['long texts', inTurn('', 'ä', '👩‍🚀', '\ud800', 'x'.repeat(65)), 'records: texts'],
    ['booleans', inTurn(true, false), 'records: Uint8Array'],
    ['numbers and a text', inTurn(1, 2, 'three'), 'records: packed'],
    ['texts and nothing', inTurn('one', undefined), 'records: packed'],
    ['booleans and null', inTurn(true, null), 'records: packed'],
    ['bigints', inTurn(1n, -(2n ** 70n)), 'records: packed'],
    ['lists', inTurn([1, 2], []), 'records: packed'],
    ['few', [1, 2, 3], 'records: packed'],
    ['none', [], 'records: packed'],
    [
      'flat objects',
      many((id) => ({ id, name: `${id}`, isNew: true })),
      '["id","name","isNew"]: Int32Array,Uint16Array,Uint8Array',
    ],
    ['an object in them', many((id) => ({ id, at: { x: id / 2 } })), '["id","at"]: Int32Array,packed'],
    ['an undefined property', inTurn({ id: 1, x: undefined }, { id: 2, x: 3 }), '["id","x"]: Int32Array,packed'],
    ['a missing property', inTurn({ id: 1 }, { id: 2, x: 3 }), 'records: packed'],
    ['another order of keys', inTurn({ id: 1, x: 2 }, { x: 2, id: 1 }), 'records: packed'],
    ['no prototype', many(() => Object.assign(Object.create(null) as object, { id: 1 })), 'records: packed'],
    ['a key __proto__', many(() => JSON.parse('{"id": 1, "__proto__": 2}') as unknown), 'records: packed'],
    ['no keys', many(() => ({})), 'records: packed'],
    [
      'keys that are numbers',
      many((id) => ({ b: id, 1: 'one', 0: 'zero' })),
      '["0","1","b"]: Uint16Array,Uint16Array,Int32Array',
    ],
  ])('take the form that suits them, and arrive unchanged: %s', (_, records, form) => {
    expect(formOf(records)).toBe(form);
    expect(changeOf(records)).toBeUndefined();
  });

  const number = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 53, -(2 ** 31)),
  );
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('', '\ud800', 'a\udc00b'));
  const anything = plainValues({ maxDepth: 3 });
  /** What the values of one property, or records, have in common. */
  const values = fc.oneof(
    fc.array(fc.integer(), { minLength: 1 }),
    fc.array(number, { minLength: 1 }),
    fc.array(text, { minLength: 1 }),
    fc.array(fc.boolean(), { minLength: 1 }),
    fc.array(fc.oneof(number, text, fc.boolean(), fc.constantFrom(undefined, null)), { minLength: 1 }),
    fc.array(anything, { minLength: 1 }),
  );
  const key = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 3 }),
    fc.constantFrom('id', '__proto__', 'constructor', '7', '\ud800'),
  );

  it('property: primitive records, or any, arrive unchanged', () => {
    fc.assert(
      fc.property(values, fc.nat(60), (of, length) => {
        const records = Array.from({ length }, (_, index) => of[index % of.length]);
        expect(changeOf(records)).toBeUndefined();
      }),
      { numRuns: draws(400, 1_000) },
    );
  });

  it('property: objects with equal keys, and some that are not alike, arrive unchanged, frozen or not', () => {
    const odd = fc.option(
      fc.record({
        at: fc.nat(59),
        change: fc.constantFrom<(entries: [string, unknown][]) => unknown>(
          (entries) => Object.fromEntries(entries.toReversed()),
          (entries) => Object.fromEntries(entries.slice(1)),
          (entries) => Object.fromEntries([...entries, ['more', 1]]),
          (entries) => Object.assign(Object.create(null) as object, Object.fromEntries(entries)),
          (entries) => entries,
          () => null,
          () => undefined,
          () => 5,
        ),
      }),
      { freq: 2 },
    );
    const shape = fc.uniqueArray(fc.tuple(key, values), { maxLength: 5, selector: ([name]) => name });
    fc.assert(
      fc.property(shape, fc.nat(60), odd, fc.boolean(), (properties, length, change, isFrozen) => {
        const records = Array.from({ length }, (_, index) => {
          const entries = properties.map(([name, of]): [string, unknown] => [name, of[index % of.length]]);
          const record = change?.at === index ? change.change(entries) : Object.fromEntries(entries);
          return isFrozen ? Object.freeze(record) : record;
        });
        expect(changeOf(isFrozen ? (Object.freeze(records) as unknown[]) : records)).toBeUndefined();
      }),
      { numRuns: draws(300, 800) },
    );
  });

  it('property: any batches of one reader arrive unchanged, one after the other', () => {
    const word = fc.constantFrom(...Array.from({ length: 200 }, (_, index) => `word ${index}`), 'x'.repeat(80));
    const words = fc.oneof(
      fc.array(word, { minLength: 16, maxLength: 60 }),
      fc.array(fc.oneof(word, fc.integer()), { minLength: 16, maxLength: 60 }),
      fc.array(fc.string(), { minLength: 16, maxLength: 60 }),
    );
    const batch = fc.tuple(words, fc.constantFrom('none', 'a', 'b'));
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 30 }), (batches) => {
        const carry = connection();
        for (const [of, name] of batches) {
          const records = name === 'none' ? of : of.map((value, id) => ({ id, [name]: value, twice: value }));
          expect(difference([...carry(records)], records)).toBeUndefined();
        }
      }),
      { numRuns: draws(100, 300) },
    );
  });

  describe('texts', () => {
    /** The forms of batches, one after the other, and how many texts of each are told. */
    const formsOf = (batches: number, size: number, textOf: (index: number) => string) => {
      const [encoder, decoder] = [new WireEncoder(), new WireDecoder()];
      return Array.from({ length: batches }, (_, batch) => {
        const records = Array.from({ length: size }, (_record, at) => textOf(batch * size + at));
        const wire = encoder.encode(records);
        expect(decoder.decode(structuredClone(wire))).toEqual(records);
        const [column] = wire.columns;
        return column?.kind === 'told texts' ? column.fresh.length : 'as they are';
      });
    };

    it('are told once if they repeat', () => {
      expect(formsOf(4, 100, (index) => `key ${index % 150}`)).toEqual([100, 50, 0, 0]);
    });

    it('are sent as they are if they rarely repeat, but for a few batches from time to time', () => {
      const forms = formsOf(300, 1_100, (index) => `text ${index}`);
      const told = forms.flatMap((form, batch) => (form === 'as they are' ? [] : [batch]));
      // It rests for 64 batches, then for 128 and so on.
      expect(told).toEqual([0, 68, 200].flatMap((first) => [first, first + 1, first + 2, first + 3]));
    });

    it('are told if they come in turn, however many there are in a batch', () => {
      expect(formsOf(6, 1_000, (index) => `text ${index % 1_000}`)).toEqual([1_000, 0, 0, 0, 0, 0]);
      expect(formsOf(6, 1_000, (index) => `text ${index % 3_000}`)).toEqual([1_000, 1_000, 1_000, 0, 0, 0]);
    });

    it('are told if they are drawn from some thousands, and few of them after a while', () => {
      const random = seededRandom(1);
      const forms = formsOf(30, 1_000, () => `text ${Math.floor(random.next() * 5_000)}`);
      expect(forms).not.toContain('as they are');
      expect([forms[0], forms.at(-1)].map((fresh) => Math.round(Number(fresh) / 100))).toEqual([9, 0]);
    });

    it('are forgotten if there are too many, and told anew', () => {
      const forms = formsOf(1_000, 100, (index) => `key ${Math.floor(index / 10)}`);
      expect(new Set(forms)).toEqual(new Set([10]));
    });

    it('are sent as they are if there are too many from the start', () => {
      expect(formsOf(2, 9_000, (index) => `key ${index}`)).toEqual(['as they are', 'as they are']);
    });
  });

  it('leave nothing behind in the buffers of other batches', () => {
    const batches = [inTurn('a', 1, { deep: [1n] }), many((id) => ({ id, at: new Date(id) })), inTurn([1], [2, 'two'])];
    const wires = batches.map((batch) => toWire(batch));
    const moved = wires.map((wire) => structuredClone(wire, { transfer: buffersOf(wire) }));
    expect(moved.map((wire, index) => difference([...new WireDecoder().decode(wire)], batches[index]))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each<[what: string, records: unknown[], path: string]>([
    ['a function', inTurn({ id: 1, call: () => 1 }), '$.call'],
    ['an instance of a class', inTurn(1, new (class Point {})()), '$'],
    ['a function in an object', inTurn({ id: 1, of: { list: [() => 1] } }), '$.of.list[0]'],
    ['shared memory', inTurn(new Int32Array(new SharedArrayBuffer(4))), '$'],
  ])('are refused for %s, with its path', (_, records, path) => {
    const failure = thrownBy(() => toWire(records));
    expect(failure).toBeInstanceOf(RecordNotSerializableError);
    expect((failure as RecordNotSerializableError).path).toBe(path);
  });

  it('have every property read once', () => {
    let reads = 0;
    const records = many((id) => ({
      id,
      get value() {
        return reads++;
      },
    }));
    expect(carried(records)).toEqual(many((id) => ({ id, value: id })));
  });

  it.each<[what: string, records: unknown[], least: number, most: number]>([
    ['integers', many((id) => id), 4 * count, 5 * count],
    ['doubles', many((id) => id / 2), 8 * count, 10 * count],
    ['texts', many((index) => `${index}`.padStart(100)), 100 * count, 150 * count],
    ['texts that repeat', many(() => 'x'.repeat(50)), 50 + 2 * count, 90 + 2 * count],
    ['lists', many(() => ['x'.repeat(100)]), 100 * count, 150 * count],
  ])('tell about how much memory they take: %s', (_, records, least, most) => {
    const bytes = wireBytes(toWire(records));
    expect(bytes).toBeGreaterThanOrEqual(least);
    expect(bytes).toBeLessThanOrEqual(most + 64);
  });
});
