import fc from 'fast-check';
import {
  packAnswer,
  putPacked,
  unpackAnswer,
  mostPackedBytes,
} from '../../../src/operators/answers/files/packed-answer.ts';
import { isDeepStrictEqual } from 'node:util';
import { difference } from '../../support/difference.ts';
import { plainValues } from '../../support/plain-values.ts';

/** What a file gives back of an answer. */
function packedAndBack(answer: unknown): unknown {
  const packed = packAnswer(answer);
  const before = 3;
  const bytes = Buffer.alloc(before + mostPackedBytes(packed));
  const length = putPacked(bytes, before, packed);
  return unpackAnswer(packed.format, bytes, before, before + length);
}

const withConstructor = { constructor: 1, a: 2 };
const withProto = JSON.parse('{"__proto__":1,"a":2}') as unknown;
const silent = Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'other' });

it.each<[what: string, answer: unknown]>([
  ['a label', { label: 'gold', score: 0.5, isSure: true, why: null, tags: ['a', ['b']] }],
  ['keys in another order', { b: 1, a: 2, 10: 3, 9: 4 }],
  ['an empty text', ''],
  ['a mark of byte order', ['\ufeffmark']],
  ['a zero below zero within', { a: [-0] }],
  ['not a number within', [NaN, Infinity]],
  ['undefined within', { a: undefined, b: [undefined] }],
  ['a hole', [1, , 3]], // oxlint-disable-line no-sparse-arrays
  ['a lone surrogate', { '\ud800': '\udfff' }],
  ['a date', { at: new Date(0) }],
  ['no prototype', Object.assign(Object.create(null) as object, { a: 1 })],
  ['__proto__ as a key', withProto],
  ['constructor as a key', withConstructor],
  ['a toJSON that is not enumerable', silent],
])('an answer stays as it is: %s', (_, answer) => {
  const back = packedAndBack(answer);
  expect(isDeepStrictEqual(back, answer === silent ? { a: 1 } : answer)).toBe(true);
  if (typeof answer === 'object' && answer !== silent) {
    expect(Object.keys(back as object)).toEqual(Object.keys(answer as object));
  }
});

it('any plain data stay as they are', () => {
  fc.assert(fc.property(plainValues(), (answer) => expect(difference(packedAndBack(answer), answer)).toBeUndefined()));
});
