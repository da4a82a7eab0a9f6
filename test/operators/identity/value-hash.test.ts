import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { HashWords } from '../../../src/operators/identity/blake3.ts';
import { stepParts } from '../../../src/operators/identity/part-identities.ts';
import {
  hashOfText,
  hashOfValue,
  hashWordsOfText,
  hashWordsOfValue,
} from '../../../src/operators/identity/value-hash.ts';
import { plainValues } from '../../support/plain-values.ts';

/** A fresh copy per call of values that a function can tell apart, some of them barely. */
const apart = (): unknown[] => [
  ...[undefined, null, true, false, '', 'u', 'n', '1', 'ä', '\ud800', '\udfff', '\ufffd', '"\\ud800"'],
  ...[0, -0, 1, 1.5, NaN, Infinity, -Infinity, 0n, 1n, -1n, 2n ** 64n],
  ...[[], [undefined], Array(1), [[]], [1, 2], [2, 1], [12], ['1', '2'], ['12'], ['1,2'], [[1], 2], [1, [2]]],
  ...[{}, { a: 1 }, { a: '1' }, { a: undefined }, { a: 1, b: 2 }, { b: 2, a: 1 }, { a: { b: 2 } }, { '': 1 }],
  ...[
    new Date(0),
    new Date(1),
    new Date(NaN),
    new Map(),
    new Set(),
    new Map([[1, 2]]),
    new Set([1, 2]),
    new Set([2, 1]),
  ],
  new Map([['a', 1]]),
  new Map([
    ['a', 1],
    ['b', 2],
  ]),
  new Map([
    ['b', 2],
    ['a', 1],
  ]),
  ...[new Uint8Array(), new Uint8Array([1, 2]), new Uint16Array([0x0201]), new Int8Array([1, 2]), Buffer.from([1, 2])],
  ...[new ArrayBuffer(2), new Uint8Array([1, 2]).buffer, new DataView(new Uint8Array([1, 2]).buffer)],
  ...[...'7 7'.matchAll(/\d/g), Object.assign([1], { a: 1 }), Object.assign(['a', 1], { p: 1 }), ['a', 1, 'p', 1]],
  ...[Object.assign(new Map(), { a: 1 }), Object.assign(new Set(), { a: 1 }), Object.assign(new Date(0), { a: 1 })],
  ...[Object.assign(Array(1), { a: 1 }), Object.assign([undefined], { a: 1 })],
  'x'.repeat(200_000),
  Array.from({ length: 1_000 }, () => 'x'),
];

describe('the hash of a value', () => {
  it('differs where a function can tell values apart', () => {
    const valuesByHash = new Map<string, unknown[]>();
    for (const value of apart()) {
      const hash = hashOfValue(value);
      valuesByHash.set(hash, [...(valuesByHash.get(hash) ?? []), value]);
    }
    expect([...valuesByHash.values()].filter((values) => values.length > 1)).toEqual([]);
  });

  it('is that of an equal value', () => {
    expect(apart().map(hashOfValue)).toEqual(apart().map(hashOfValue));
    expect(hashOfValue(new Uint8Array([0, 1, 2]).subarray(1))).toBe(hashOfValue(new Uint8Array([1, 2])));
  });

  it('is the same in every version', () => {
    expect(hashOfValue({ text: 'gold', count: 1, tags: ['a', null], big: 5n })).toBe(
      '4bddee609cf3a9cab9c8fd5dd78d70a91e299c50020420527e37dae3a49a9176',
    );
  });

  it('is equal exactly for equal data', () => {
    const anything = plainValues({
      withNullPrototype: false,
      withSparseArray: false,
      values: [fc.constantFrom(0, 1, '', 'a', null, undefined, true), fc.string({ unit: 'binary' })],
    });
    fc.assert(
      fc.property(anything, anything, (one, other) => {
        const copy: unknown = structuredClone(one);
        expect(hashOfValue(copy)).toBe(hashOfValue(one));
        if (hashOfValue(one) === hashOfValue(other)) expect(isDeepStrictEqual(one, other)).toBe(true);
      }),
    );
  });

  it.each<[what: string, value: unknown, problem: string]>([
    ['a function', { a: [() => 1] }, '$.a[0] is a function'],
    ['an instance', [new (class Point {})()], '$[0] is an instance of Point'],
    ['a symbol', Symbol('x'), '$ is a symbol'],
    ['an array with a function beside its items', Object.assign([1], { call: () => 1 }), '$.call is a function'],
  ])('there is none of %s', (_, value, problem) => {
    expect(() => hashOfValue(value)).toThrow(
      expect.objectContaining({ code: 'RECORD_NOT_SERIALIZABLE', message: expect.stringContaining(problem) as string }),
    );
  });

  it('nor of a cycle', () => {
    const ring: unknown[] = [];
    ring.push(ring);
    expect(() => hashOfValue(ring)).toThrow('a cycle');
  });
});

it('the hash of a text differs for all texts, also those that are not Unicode', () => {
  const texts = ['', 'a', '\ufeffa', '\ufffd', '\ud800', '\ud801', 'a\ud83d', 'a\ud83c', '\udfff\ud800'];
  expect(new Set(texts.map(hashOfText)).size).toBe(texts.length);
});

describe('the identity of a function', () => {
  const functionIdentity = (fn: unknown, options: { readonly version?: number } = {}) =>
    stepParts({ role: 'operator', kind: 'map', functions: { function: fn }, ...options })['function'];

  const object = {
    method: () => 1,
    get read() {
      return 1;
    },
    short() {
      return 1;
    },
  };
  const written: readonly ((...given: never[]) => unknown)[] = [
    (n: number) => n,
    function named() {},
    async () => {},
    function* many() {},
    object.method,
    object.short,
    () => '{ [native code] }',
    function quoted() {
      return '{ [native code] }';
    },
  ];

  it('is the hash of its source text', () => {
    const identities = written.map((fn) => functionIdentity(fn));
    expect(identities.map((identity) => identity?.kind)).toEqual(written.map(() => 'text'));
    expect(new Set(identities.map((identity) => JSON.stringify(identity))).size).toBe(written.length);
    const made = (step: number) => (n: number) => n + step;
    expect(functionIdentity(made(1))).toEqual(functionIdentity(made(2)));
  });

  it.each([
    ['native', Math.abs],
    ['bound', object.short.bind(object)],
    ['behind a proxy', new Proxy(object.method, {})],
    ['a native class', Number],
  ])('is unknown if it is %s, unless it has a version', (_, fn) => {
    expect(functionIdentity(fn)).toMatchObject({ kind: 'unknown' });
    expect(functionIdentity(fn, { version: 2 })).toEqual({ kind: 'version', version: 2 });
  });
});

describe('the words of a hash', () => {
  const hexOf = ({ a, b, c, d }: HashWords): string => {
    const bytes = Buffer.alloc(16);
    for (const [at, word] of [a, b, c, d].entries()) bytes.writeInt32LE(word, at * 4);
    return bytes.toString('hex');
  };

  it('differ where a function can tell values apart, and are those of an equal value', () => {
    const hashes = apart().map((value) => hexOf(hashWordsOfValue(value)));
    expect(new Set(hashes).size).toBe(apart().length);
    expect(apart().map((value) => hexOf(hashWordsOfValue(value)))).toEqual(hashes);
  });

  it('are equal exactly for equal data', () => {
    fc.assert(
      fc.property(plainValues(), plainValues(), (one, other) => {
        expect(hashWordsOfValue(structuredClone(one))).toEqual(hashWordsOfValue(one));
        const isEqual = hashOfValue(one) === hashOfValue(other);
        expect(hexOf(hashWordsOfValue(one)) === hexOf(hashWordsOfValue(other))).toBe(isEqual);
      }),
    );
  });

  it('differ for all texts, also those that are not Unicode', () => {
    const texts = ['', 'a', '\ufeffa', '\ufffd', '\ud800', '\ud801', 'a\ud83d', 'a\ud83c', '\udfff\ud800'];
    expect(new Set(texts.map((text) => hexOf(hashWordsOfText(text)))).size).toBe(texts.length);
  });

  it('are the same in every version: those of BLAKE3, or of SHA-256 for a long text', () => {
    expect(hexOf(hashWordsOfText('abc'))).toBe('6437b3ac38465133ffb63b75273a8db5');
    expect(hexOf(hashWordsOfValue({ id: 7, text: 'gold' }))).toBe(hexOf(hashWordsOfText('o2:s2:idd7;s4:texts4:gold')));
    expect(hexOf(hashWordsOfValue(['gold', 7]))).toBe(hexOf(hashWordsOfText('a2:s4:goldd7;')));
    for (const text of ['x'.repeat(1_025), 'ä'.repeat(513), 'x'.repeat(200_000)]) {
      expect(hexOf(hashWordsOfText(text))).toBe(hashOfText(text).slice(0, 32));
    }
  });
});
