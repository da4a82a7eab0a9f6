import { runInNewContext } from 'node:vm';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { RecordNotSerializableError } from '../../src/errors/result-errors.ts';
import { assertSerializable } from '../../src/partitions/records/plain-data.ts';
import {
  decodeElement,
  encodeElement,
  frameChecksum,
  frameHeaderBytes,
  readFrameHeader,
} from '../../src/partitions/records/element-codec.ts';
import type { Mark } from '../../src/partitions/stream-element.ts';
import { decodeBatch, encodeBatch } from '../support/batch-frames.ts';
import { barrier, idle, watermark } from '../support/marks.ts';
import { difference } from '../support/difference.ts';
import { plainValues } from '../support/plain-values.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { draws } from '../support/draws.ts';

const roundTrip = (records: readonly unknown[]): readonly unknown[] => decodeBatch(encodeBatch(records));

const bare = (entries: object): object => Object.assign(Object.create(null) as object, entries);
const nested = (levels: number): unknown => (levels === 0 ? 'core' : { inner: nested(levels - 1) });

const exact: [string, unknown][] = [
  ['undefined in an object', { a: undefined, b: null }],
  ['undefined in an array', [undefined, null, undefined]],
  ['NaN and the infinities', [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
  ['−0', { delay: -0, other: 0 }],
  ['integers at the edges', [2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53, -(2 ** 53), 0x7f, -0x20, -0x21]],
  ['small and large doubles', [Number.MIN_VALUE, Number.MAX_VALUE, 0.1]],
  ['bigints', [0n, -1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n, -(2n ** 70n), 2n ** 3_000n]],
  [
    'dates',
    ['1970-01-01', '1969-12-31T23:59:59.999Z', '2024-02-29T12:00:00.001Z', '-271821-04-20'].map((d) => new Date(d)),
  ],
  ['an invalid date', new Date(Number.NaN)],
  ['strings of all lengths', [0, 1, 31, 32, 63, 64, 255, 256, 65_535, 65_536].map((length) => 'ä'.repeat(length))],
  ['pairs of surrogates', '👩‍🚀 and 𝒳'],
  ['a lone surrogate', ['👩'.slice(0, 1), `${'x'.repeat(80)}\udc00`]],
  ['a lone surrogate in a key', { ['\ud800']: 1 }],
  [
    'a Map with keys of all kinds',
    new Map<unknown, unknown>([
      [{ a: 1 }, new Set([1, [2]])],
      [1n, 'one'],
      ['1', new Map()],
    ]),
  ],
  [
    'typed arrays',
    [new Float64Array([1.5, -0]), new Uint8Array([1, 2]), new BigInt64Array([-1n]), new Uint8ClampedArray(3)],
  ],
  ['a part of a larger buffer', new Uint16Array(new Uint16Array([1, 2, 3, 4]).buffer, 2, 2)],
  ['an ArrayBuffer and a DataView', [new Uint8Array([7, 8]).buffer, new DataView(new ArrayBuffer(4), 1, 2)]],
  ['a Buffer', { body: Buffer.from('hello') }],
  ['a hole in an array', Object.assign([], { length: 3, 1: 'b' })],
  ['an object without a prototype', bare({ a: bare({ b: 1 }), c: { d: [bare({})] } })],
  ['no prototype in a Map and a Set', [new Map([[bare({ k: 1 }), bare({ v: 1 })]]), new Set([bare({})])]],
  ['a key that hides the constructor', { driver: 'Senna', constructor: 'McLaren' }],
  ['a key toJSON', { toJSON: 'text' }],
  ['a key __proto__', JSON.parse('{"__proto__": {"a": 1}, "b": 2}')],
  ['keys that are numbers, and no names', { 2: 'b', 1: 'a', 'x y': 1, '': 2, ä: 3 }],
  ['an empty object and an empty array', [{}, []]],
  ['more shapes than there are short codes', Array.from({ length: 300 }, (_, index) => ({ [`key${index}`]: index }))],
  ['an object of many keys', Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${index}`, index]))],
  ['as deep as allowed', nested(200)],
  ['one object twice', ((shared) => [shared, shared])({ a: 1 })],
];

class Point {
  readonly x = 1;
}
class Extent extends Map {}
const ring: { name: string; next?: unknown } = { name: 'ring' };
ring.next = { back: [ring] };

const refused: [string, unknown, string, RegExp][] = [
  ['a function', { a: [0, 0, { b: () => 1 }] }, '$.a[2].b', /is a function/],
  ['a symbol', { a: Symbol('s') }, '$.a', /is a symbol/],
  ['an instance of a class', { at: new Point() }, '$.at', /is an instance of Point/],
  ['an instance of a class made from a built-in one', [new Extent()], '$[0]', /is an instance of Extent/],
  ['an array of a class', { rows: new (class Rows extends Array {})() }, '$.rows', /is an instance of Rows/],
  ['an object made from an object', { a: Object.create({ inherited: 1 }) }, '$.a', /is an instance of Object/],
  ['an error', { cause: new TypeError('t') }, '$.cause', /is an instance of TypeError/],
  ['a regular expression', /x/, '$', /is an instance of RegExp/],
  ['a promise', { 'of who': Promise.resolve() }, '$["of who"]', /is an instance of Promise/],
  ['a boxed number', [Object(1)], '$[0]', /is an instance of Number/],
  ['an instance of a nameless class', { a: new (class {})() }, '$.a', /is an instance of a class without a name/],
  ['shared memory', { a: new Int32Array(new SharedArrayBuffer(4)) }, '$.a', /is a view of shared memory/],
  [
    'a key of a Map',
    new Map<unknown, unknown>([
      [1, 1],
      [() => 1, 1],
    ]),
    '$.key(1)',
    /is a function/,
  ],
  ['a value of a Map', new Map([[1, Symbol.iterator]]), '$.value(0)', /is a symbol/],
  ['an item of a Set', { tags: new Set([() => 1]) }, '$.tags.value(0)', /is a function/],
  ['a ring', { ring }, '$.ring.next.back[0]', /is \$\.ring again \(a cycle\)/],
  ['too deep', nested(201), `$${'.inner'.repeat(200)}`, /more than 200 levels deep/],
];

describe('a batch that is written and read', () => {
  it.each(exact)('is unchanged: %s', (_, record) => {
    assertSerializable([record]);
    expect(difference(roundTrip([record]), [record])).toBeUndefined();
    const among = [{ plain: 1 }, record, { plain: 2 }, record];
    expect(difference(roundTrip(among), among)).toBeUndefined();
  });

  it.each([[[]], [[undefined]], [[null, 1, 'a', true]]])('holds any number of records: %j', (records) => {
    expect(difference(roundTrip(records), records)).toBeUndefined();
  });

  it('has objects of this realm, whatever realm wrote it', () => {
    const source = '({ list: [1, [2]], when: new Date(5), map: new Map([[1, { a: 1 }]]), bytes: new Uint8Array([1]) })';
    const [here] = [{ list: [1, [2]], when: new Date(5), map: new Map([[1, { a: 1 }]]), bytes: new Uint8Array([1]) }];
    expect(roundTrip([runInNewContext(source)])).toEqual([here]);
  });

  it('does not change the original', () => {
    const record = Object.freeze({ a: Object.freeze([-0, bare({})]) });
    roundTrip([record]);
    expect(difference(record, { a: [-0, bare({})] })).toBeUndefined();
  });

  it('property: is unchanged', () => {
    const key = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('id', 'constructor', 'toJSON', '__proto__', 'length', '0'),
    );
    const anything = plainValues({ key, maxDepth: 4 });
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 8 }), (records) => {
        expect(difference(roundTrip(records), records)).toBeUndefined();
      }),
      { numRuns: draws(400, 1_000) },
    );
  });

  it('property: preserves any date', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: false }), (date) => {
        expect(difference(roundTrip([date]), [date])).toBeUndefined();
      }),
      { numRuns: draws(400, 1_000) },
    );
  });
});

describe('a value that is not plain data', () => {
  it.each(refused)('is refused with its path, written or not: %s', (_, record, path, message) => {
    for (const look of [assertSerializable, encodeBatch]) {
      const failure = thrownBy(() => look([{ fine: 1 }, record]));
      expect(failure).toBeInstanceOf(RecordNotSerializableError);
      expect((failure as RecordNotSerializableError).path).toBe(path);
      expect((failure as Error).message).toMatch(message);
    }
  });

  it('is refused with the reason if only the encoder detects it', () => {
    const bytes = new Uint8Array(8);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    const thrower = {
      a: -0,
      get b() {
        throw new Error('not now');
      },
    };
    expect(() => encodeBatch([thrower])).toThrow('not now');
  });
});

describe('a frame', () => {
  const records = [
    { id: 1, name: 'one' },
    { id: 2, name: 'two', when: new Date(0) },
  ];

  it.each([
    ['plain', records],
    ['escaped', [...records, -0]],
  ])('is never decoded if a byte of it has changed: %s', (_, batch) => {
    const frame = encodeBatch(batch);
    for (let index = 0; index < frame.length; index++) {
      const bad = Uint8Array.from(frame);
      bad[index] = (bad[index] as number) ^ 0x10;
      expect(() => decodeBatch(bad)).toThrow(/its checksum is|but the header says/);
    }
  });

  it('is never decoded if it is cut or bytes follow it', () => {
    const frame = encodeBatch(records);
    for (let length = 0; length < frame.length; length++) {
      const expected = length < 25 ? `it has ${length} of the 25 bytes of a header` : 'but the header says';
      expect(() => decodeBatch(frame.subarray(0, length))).toThrow(expected);
    }
    expect(() => decodeBatch(Buffer.concat([frame, frame]))).toThrow('but the header says');
  });

  it('is never decoded if it has another number of records than its header says', () => {
    const forged = Buffer.from(encodeBatch(records));
    forged.writeUInt32LE(3, 8);
    forged.writeUInt32LE(crc32(forged.subarray(4)), 0);
    expect(() => decodeBatch(forged)).toThrow('it does not have 3 records');
  });

  it.each([
    [0, 0],
    [7, 12],
    [2 ** 32 - 1, Number.MAX_SAFE_INTEGER],
  ])('carries its place: subpartition %d, record %d', (subpartition, sequence) => {
    const place = { subpartition, sequence };
    const frame = encodeBatch(records, place);
    expect(readFrameHeader(frame)).toEqual({ ...place, count: 2, frameBytes: frame.length });
    expect(decodeBatch(frame, place)).toEqual(records);
    expect(decodeBatch(frame)).toEqual(records);
  });

  it.each([
    [
      'another subpartition',
      { subpartition: 4, sequence: 12 },
      'record 12 of subpartition 3, expected record 12 of subpartition 4',
    ],
    [
      'another record',
      { subpartition: 3, sequence: 11 },
      'record 12 of subpartition 3, expected record 11 of subpartition 3',
    ],
    [
      'a record 2 ** 32 further on',
      { subpartition: 3, sequence: 12 + 2 ** 32 },
      'expected record 4294967308 of subpartition 3',
    ],
  ])('is never decoded in the place of %s', (_, expected, message) => {
    const frame = encodeBatch(records, { subpartition: 3, sequence: 12 });
    expect(() => decodeBatch(frame, expected)).toThrow(message);
  });

  it('tells its length by its header alone, and not by less than a header', () => {
    const frame = encodeBatch(records, { subpartition: 1, sequence: 2 });
    const around = Buffer.concat([Buffer.from('abc'), frame, frame]).subarray(3);
    expect(readFrameHeader(around)).toEqual({ subpartition: 1, sequence: 2, count: 2, frameBytes: frame.length });
    expect(readFrameHeader(frame.subarray(0, 25)).frameBytes).toBe(frame.length);
    expect(() => readFrameHeader(frame.subarray(0, 24))).toThrow('it has 24 of the 25 bytes of a header');
  });

  it('carries the checksum of the rest of its bytes, at any position in a buffer', () => {
    const frame = encodeBatch(records);
    const around = Buffer.concat([Buffer.from('abc'), frame]).subarray(3);
    expect([frameChecksum(frame), frameChecksum(around)]).toEqual([crc32(frame.subarray(4)), crc32(frame.subarray(4))]);
  });

  it('has the same bytes for the same records at the same place, however many were encoded in between', () => {
    const batches = [records, [...records, -0], [new Map([[{ a: 1 }, new Set([1n])]])]];
    const place = { subpartition: 1, sequence: 5 };
    const first = batches.map((batch) => encodeBatch(batch, place));
    for (let round = 0; round < 300; round++) {
      encodeBatch(Array.from({ length: 100 }, (_, at) => ({ [`key${round}`]: 1, [`other${at}`]: 2, id: 3 })));
    }
    for (const [index, batch] of batches.entries()) {
      expect(difference(encodeBatch(roundTrip(batch), place), first[index])).toBeUndefined();
    }
  });

  it('property: has the same bytes for the same records at the same place, and others at another place', () => {
    const record = fc.dictionary(fc.string({ maxLength: 3 }), fc.oneof(fc.integer(), fc.string(), fc.double()), {
      noNullPrototype: true,
    });
    const seen: Uint8Array[] = [];
    const batches: unknown[][] = [];
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), fc.nat(5), fc.nat(1_000), (batch, subpartition, sequence) => {
        const frame = encodeBatch(batch, { subpartition, sequence });
        expect(frameChecksum(encodeBatch(roundTrip(batch), { subpartition, sequence }))).toBe(frameChecksum(frame));
        expect(frameChecksum(encodeBatch(batch, { subpartition: subpartition + 1, sequence }))).not.toBe(
          frameChecksum(frame),
        );
        expect(frameChecksum(encodeBatch(batch, { subpartition, sequence: sequence + 1 }))).not.toBe(
          frameChecksum(frame),
        );
        batches.push(batch);
        seen.push(encodeBatch(batch));
      }),
      { numRuns: draws(100, 300) },
    );
    expect(batches.map((batch) => frameChecksum(encodeBatch(batch)))).toEqual(seen.map(frameChecksum));
  });

  it.each<[string, unknown, (back: unknown) => ArrayBufferLike]>([
    ['a Uint8Array', new Uint8Array(3), (back) => (back as Uint8Array).buffer],
    ['a longer one', new Uint8Array(70_000), (back) => (back as Uint8Array).buffer],
    ['a Float64Array', new Float64Array(2), (back) => (back as Float64Array).buffer],
    ['a DataView', new DataView(new ArrayBuffer(4)), (back) => (back as DataView).buffer],
    ['an ArrayBuffer', new ArrayBuffer(5), (back) => back as ArrayBuffer],
    [
      'a value of a Map',
      new Map([[1, new Uint8Array(3)]]),
      (back) => (back as Map<1, Uint8Array<ArrayBuffer>>).get(1)?.buffer as ArrayBuffer,
    ],
  ])('does not retain its buffer: %s is a copy', (_, record, bufferOf) => {
    for (const records of [[record], [record, -0]]) {
      const frame = encodeBatch(records);
      const around = new Uint8Array(1 << 20);
      around.set(frame, 5);
      const [back] = decodeBatch(around.subarray(5, 5 + frame.length));
      expect(bufferOf(back)).not.toBe(around.buffer);
      expect(bufferOf(back).byteLength).toBeLessThanOrEqual(70_000);
    }
  });

  it('does not retain its buffer: a Buffer is a copy', () => {
    const frame = encodeBatch([Buffer.from('abc')]);
    const around = new Uint8Array(1 << 20);
    around.set(frame, 5);
    expect((decodeBatch(around.subarray(5, 5 + frame.length))[0] as Buffer).buffer.byteLength).toBe(3);
  });

  it('may be at any position in a buffer', () => {
    const frame = encodeBatch(records);
    const around = Buffer.concat([Buffer.from('abc'), frame, Buffer.from('def')]);
    expect(decodeBatch(around.subarray(3, 3 + frame.length))).toEqual(records);
  });
});

describe('a mark that is written and read', () => {
  const place = { subpartition: 3, sequence: 12 };
  const marks: Mark[] = [
    barrier(0),
    barrier(2 ** 40),
    watermark(-5),
    watermark(Infinity),
    idle,
    { kind: 'idleness', isIdle: false },
  ];

  it.each(marks)('is unchanged: %j', (mark) => {
    const frame = encodeElement(mark, place);
    expect(decodeElement(frame, place)).toEqual(mark);
    expect(readFrameHeader(frame)).toEqual({ ...place, count: 0, frameBytes: frame.length });
  });

  it('has another checksum if the mark or its place differs', () => {
    const frames = [...marks.map((mark) => encodeElement(mark, place)), encodeElement(idle), encodeBatch([], place)];
    expect(new Set(frames.map(frameChecksum)).size).toBe(frames.length);
  });

  /** A frame with a foreign format or payload, and the right checksum. */
  const forged = (format: number, payload: unknown[]): Uint8Array => {
    const frame = Buffer.from(encodeBatch(payload, place));
    frame[frameHeaderBytes - 1] = format;
    frame.writeUInt32LE(crc32(frame.subarray(4)), 0);
    return frame;
  };

  it.each<[what: string, frame: Uint8Array, problem: string]>([
    ['an unknown format', forged(9, [1]), 'its format 9 is unknown to this version'],
    ['a mark of another kind', forged(2, [9, 1]), 'it is not a barrier, watermark or idleness'],
    ['a barrier without a number', forged(2, [0, 'one']), 'it is not a barrier, watermark or idleness'],
    ['an idleness that is not a boolean', forged(2, [2, 1]), 'it is not a barrier, watermark or idleness'],
  ])('is refused: %s', (_, frame, problem) => {
    expect(() => decodeElement(frame, place)).toThrow(problem);
  });
});
