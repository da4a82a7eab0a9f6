import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { RecordNotSerializableError } from '../../src/errors/result-errors.ts';
import { decodeColumns, encodeColumns } from '../../src/partitions/records/record-columns.ts';
import { decodeBatch, encodeBatch } from '../support/batch-frames.ts';
import { bundledCode } from '../support/bundled-script.ts';
import { difference } from '../support/difference.ts';
import { thrownBy } from '../support/thrown-by.ts';

const count = 700;

/** Records with a property that takes these values in turn. */
const recordsWith = (values: readonly unknown[]): readonly { readonly id: number; readonly value: unknown }[] =>
  Array.from({ length: count }, (_, id) => ({ id, value: values[id % values.length] }));

const backFrom = (records: readonly unknown[]): unknown[] =>
  decodeColumns(encodeColumns(records) as Uint8Array, records.length);

const distinct = (amount: number): string[] => Array.from({ length: amount }, (_, index) => `text ${index}`);

describe('records with equal keys, by column', () => {
  it.each<[what: string, values: readonly unknown[]]>([
    ['integers of 8 bits', [0, 1, 127, -1, -128]],
    ['integers of 16 bits', [128, -129, 32_767, -32_768]],
    ['integers of 32 bits', [32_768, -32_769, 2 ** 31 - 1, -(2 ** 31)]],
    ['larger integers', [2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1]],
    ['doubles', [0.1, Number.NaN, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, 3]],
    ['−0 among integers', [0, -0, 1]],
    ['numbers and others', [1, 'one', null, undefined]],
    ['a few texts', ['', 'ä', '👩‍🚀 and 𝒳', 'x'.repeat(300)]],
    ['256 texts', distinct(256)],
    ['257 texts', distinct(257)],
    ['texts that differ', distinct(count)],
    ['texts that differ later', [...Array.from({ length: 100 }, () => 'same'), ...distinct(count - 100)]],
    ['texts and others', ['text', 1, null]],
    ['booleans', [true, false]],
    ['nothing', [undefined, null]],
    ['bigints and dates', [2n ** 70n, new Date(5)]],
    ['records in records', [{ a: { b: [1, 'two'] } }, { a: [] }, new Map([[1, { c: new Set([2]) }]])]],
  ])('are unchanged: %s', (_, values) => {
    const records = recordsWith(values);
    expect(difference(backFrom(records), records)).toBeUndefined();
  });

  it('property: are unchanged, in the same bytes each time', () => {
    const values = fc.oneof(
      fc.array(fc.integer()),
      fc.array(fc.double()),
      fc.array(fc.constantFrom('a', 'b', 'ä')),
      fc.array(fc.string({ unit: 'grapheme' })),
      fc.array(fc.anything({ withDate: true, withMap: true, withBigInt: true })),
    );
    const keys = fc.uniqueArray(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('constructor', '0', 'i')), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(
        keys,
        fc.array(values, { minLength: 4, maxLength: 4 }),
        fc.integer({ min: 16, max: 90 }),
        (...drawn) => {
          const [names, columns, length] = drawn;
          const records = Array.from({ length }, (_, index) =>
            Object.fromEntries(
              names.map((name, at) => {
                const column = columns[at] as readonly unknown[];
                return [name, column[index % (column.length + 1)]];
              }),
            ),
          );
          const frame = encodeBatch(records);
          expect(difference(decodeBatch(frame), records)).toBeUndefined();
          expect(Buffer.from(encodeBatch(records.map((record) => ({ ...record })))).equals(frame)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each<[what: string, odd: unknown]>([
    ['another key', { id: 1, other: 2 }],
    ['one key more', { id: 1, value: 2, more: 3 }],
    ['one key less', { id: 1 }],
    ['another order of the keys', { value: 2, id: 1 }],
    ['no prototype', Object.assign(Object.create(null) as object, { id: 1, value: 2 })],
    ['a lone surrogate', { id: 1, value: '\ud800' }],
    ['a key __proto__', JSON.parse('{"id": 1, "__proto__": 2}')],
    ['a list', [1, 2]],
    ['no object', null],
  ])('are encoded one by one if one of them has %s', (_, odd) => {
    const records = [...recordsWith([1, 'two']), odd];
    expect(encodeColumns(records)).toBeUndefined();
    expect(difference(decodeBatch(encodeBatch(records)), records)).toBeUndefined();
  });

  it.each<[what: string, odd: unknown, path: string]>([
    ['a function', () => 1, '$.value'],
    ['an instance of a class', new (class Point {})(), '$.value'],
  ])('are refused for %s, with its path', (_, odd, path) => {
    const records = [...recordsWith([1]), { id: 1, value: odd }];
    const failure = thrownBy(() => encodeBatch(records));
    expect(failure).toBeInstanceOf(RecordNotSerializableError);
    expect((failure as RecordNotSerializableError).path).toBe(path);
  });

  it('have every property read once', () => {
    let reads = 0;
    const records = recordsWith([1]).map(({ id }) => ({
      id,
      get value() {
        return reads++ % 2 === 0 ? 1 : 'one';
      },
    }));
    const back = backFrom(records) as { readonly value: unknown }[];
    expect(back.map(({ value }) => value)).toEqual(Array.from({ length: count }, (_, index) => [1, 'one'][index % 2]));
  });

  it('are read back if code must not be generated from strings', async () => {
    const module = join(__dirname, '../../src/partitions/records/record-columns.ts');
    const script = `
      import assert from 'node:assert';
      import { decodeColumns, encodeColumns } from ${JSON.stringify(module)};
      assert.throws(() => new Function('return 1'), EvalError);
      const records = Array.from({ length: 20 }, (_, id) => ({ id, text: 'a' }));
      assert.deepStrictEqual(decodeColumns(encodeColumns(records), 20), records);`;
    const directory = mkdtempSync(join(tmpdir(), 'record-columns-'));
    execFileSync(process.execPath, ['--disallow-code-generation-from-strings', await bundledCode(script, directory)]);
    rmSync(directory, { recursive: true, force: true });
  });

  it.each<[what: string, change: (bytes: Uint8Array) => Uint8Array, records: number, problem: RegExp]>([
    ['fewer records', (bytes) => bytes, count - 1, /a column has 1400 of 1398 bytes/],
    ['a column less', (bytes) => bytes.subarray(0, 4 + 14 + 5 + 2 * count), count, /it has 1 of 2 columns/],
    ['a column of another kind', (bytes) => bytes.with(4 + 14, 99), count, /the kind 99 of a column is unknown/],
  ])('are refused for %s', (_, change, records, problem) => {
    const bytes = encodeColumns(recordsWith([1, 2])) as Uint8Array;
    expect(() => decodeColumns(change(bytes), records)).toThrow(problem);
  });
});
