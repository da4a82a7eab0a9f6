import { runInNewContext } from 'node:vm';
import { cutToFit, hasMethods, inQuotes, propertiesOf, propertyOf, show } from '../../src/foreign-value.ts';
import { revokedProxy, trappingProxy } from '../support/rude-values.ts';

describe('show', () => {
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;

  it.each<[unknown, string]>([
    ['a "quoted" text', '"a \\"quoted\\" text"'],
    [12n, '12n'],
    [-1.5, '-1.5'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [Symbol('s'), 'Symbol(s)'],
    [function named() {}, 'function named'],
    [
      (
        () => () =>
          1
      )(),
      'function (anonymous)',
    ],
    [{ a: [1] }, '{"a":[1]}'],
    [{ big: 1n }, '[object Object]'],
    [circular, '[object Object]'],
    [{}, '{}'],
    [
      { password: 'x', config: [{ authorization: 'Bearer x' }] },
      '{"password":"(left out)","config":[{"authorization":"(left out)"}]}',
    ],
    [new Map([[1, 2]]), '[object Map]'],
    [
      new (class Reader {
        read = () => 1;
      })(),
      '[object Reader]',
    ],
    [Promise.resolve(), '[object Promise]'],
    [new TypeError('no'), 'TypeError: no'],
    [Object.create(null), '{}'],
    [{ toJSON: () => undefined }, '[object Object]'],
  ])('%p as %s', (value, text) => {
    expect(show(value)).toBe(text);
  });

  it.each<[string, unknown, string]>([
    ['toJSON throws', { toJSON: () => refuse() }, '[object Object]'],
    [
      'toString of an error throws',
      Object.assign(new Error('x'), { toString: () => refuse() }),
      'an error that cannot be read',
    ],
    [
      'its message throws',
      Object.defineProperty(new Error('x'), 'message', { get: refuse }),
      'an error that cannot be read',
    ],
    ['its name is a symbol', Object.defineProperty(() => 1, 'name', { value: Symbol('s') }), '[object Function]'],
    ['it is a proxy that was revoked', revokedProxy(), 'a value that cannot be read'],
    ['it is a proxy that throws', trappingProxy(), 'a value that cannot be read'],
  ])('does not throw if %s', (_, value, text) => {
    expect(show(value)).toBe(text);
  });

  it('cuts a long value', () => {
    expect(show('x'.repeat(1_000))).toHaveLength(120);
    const text = show(Array.from({ length: 1_000 }, (_, index) => index));
    expect(text).toHaveLength(120);
    expect(text).toMatch(/^\[0,1,2,.+\.\.\.$/);
  });

  const long = 'x'.repeat(1_000);
  it.each<[string, unknown]>([
    ['an integer', 10n ** 1_000n],
    ['a symbol', Symbol(long)],
    ['the name of a function', Object.defineProperty(() => 1, 'name', { value: long })],
    ['the name of a class', new ({ [long]: class {} }[long] as new () => object)()],
    ['a tag', { [Symbol.toStringTag]: long }],
  ])('cuts %s', (_, value) => {
    expect(show(value)).toHaveLength(120);
  });
});

describe('a property', () => {
  it.each<[string, unknown, unknown]>([
    ['of an object', { a: 1 }, 1],
    ['of a function', Object.assign(() => 1, { a: 2 }), 2],
    ['of an object of another realm', runInNewContext('({ a: 3 })'), 3],
    ['that does not exist', {}, undefined],
    ['of null', null, undefined],
    ['of a text', 'a', undefined],
    [
      'whose getter throws',
      {
        get a() {
          return refuse();
        },
      },
      undefined,
    ],
    ['of a revoked proxy', revokedProxy(), undefined],
    ['of a proxy that throws', trappingProxy(), undefined],
  ])('%s', (_, value, found) => {
    expect(propertyOf(value, 'a')).toBe(found);
    expect(propertiesOf(value, 'a', 'b')).toEqual({ a: found, b: undefined });
  });
});

describe('methods', () => {
  it.each<[string, unknown, boolean]>([
    ['all there', { a: refuse, b: refuse }, true],
    ['one missing', { a: refuse }, false],
    ['one no function', { a: refuse, b: 1 }, false],
    ['of null', null, false],
    ['of a revoked proxy', revokedProxy(), false],
  ])('%s', (_, value, found) => {
    expect(hasMethods(value, 'a', 'b')).toBe(found);
  });
});

function refuse(): never {
  throw new Error('no');
}

describe('a text that is cut', () => {
  it('has its beginning, its length and its end', () => {
    const text = `${'a'.repeat(50)}${'b'.repeat(1_000)}${'c'.repeat(20)}`;
    expect(cutToFit(text, 100)).toMatch(/^a{50}b+ … \(1070 characters\) … b*c{20}$/);
    expect(cutToFit(text, 100)).toHaveLength(100);
    expect(cutToFit(text, text.length)).toBe(text);
    expect(inQuotes('a"b')).toBe('"a\\"b"');
  });
});
