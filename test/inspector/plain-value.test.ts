import fc from 'fast-check';
import { decodeValue, shownTag, Unrecorded } from '../../src/inspector/recording/decode-value.ts';
import { encodeError, encodeValue, type Tagged } from '../../src/inspector/recording/plain-value.ts';

/** Through the text of a line. */
const read = (encoded: unknown): unknown => JSON.parse(JSON.stringify(encoded));
const throughText = (value: unknown): unknown => decodeValue(read(encodeValue(value)));

class Point {
  x = 1;
}

function cyclic(): object {
  const value: Record<string, unknown> = { name: 'a' };
  value['self'] = value;
  return value;
}

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

describe('plain values', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['infinities', [Infinity, -Infinity]],
    ['minus zero', -0],
    ['a bigint', 2n ** 70n],
    ['a date', new Date(1_700_000_000_000)],
    [
      'a Map with any keys',
      new Map<unknown, unknown>([
        ['a', 1n],
        [{ b: 1 }, new Set(['c'])],
      ]),
    ],
    ['a Set', new Set([1, undefined])],
    ['typed arrays', [Uint8Array.of(1, 2), Float64Array.of(0.5, Number.NaN), BigInt64Array.of(-1n)]],
    ['a buffer', Uint8Array.of(1, 2, 3).buffer],
    ['an object with a property $', { $: 'map', entries: [] }],
    ['an object with a property __proto__', JSON.parse('{"__proto__": {"a": 1}}')],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['values inside values', { list: [{ at: new Date(0), sizes: new Map([[1, -0]]) }] }],
  ])('keep %s', (_, value) => {
    expect(throughText(value)).toEqual(value);
  });

  it('keep an invalid date', () => {
    expect(String(throughText(new Date(Number.NaN)))).toBe('Invalid Date');
  });

  it('name what only pretends to be built in', () => {
    const value = { [Symbol.toStringTag]: 'Map', a: 1 };
    expect(throughText(value)).toEqual({ a: 1 });
  });

  it('keep whatever JSON can express', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(throughText(value)).toEqual(value);
      }),
    );
  });

  it.each<[string, unknown, string]>([
    ['a function', function embed() {}, 'function embed'],
    ['an instance of a class', new Point(), '[Point]'],
    ['a promise', Promise.resolve(1), '[Promise]'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a pattern', /a+/g, '/a+/g'],
    ['a long text', 'x'.repeat(5_000), `"${'x'.repeat(2_000)}"… (5000 characters)`],
    ['a proxy that was revoked', revoked(), '(cannot be read)'],
  ])('name %s', (_, value, text) => {
    const decoded = throughText(value);
    expect(decoded).toBeInstanceOf(Unrecorded);
    expect(String(decoded)).toBe(text);
  });

  it('keep errors with their classes, causes, errors and data', () => {
    const cause = new RangeError('too large', { cause: { size: 5n } });
    const error = Object.assign(new AggregateError([new TypeError('a'), cause], 'both', { cause }), {
      tried: new Map([['a', 1]]),
    });
    const decoded = throughText({ error }) as { error: AggregateError & { tried: unknown } };
    expect(decoded.error).toBeInstanceOf(AggregateError);
    expect(decoded.error.message).toBe('both');
    expect(decoded.error.tried).toEqual(new Map([['a', 1]]));
    expect(decoded.error.cause).toBeInstanceOf(RangeError);
    expect((decoded.error.cause as Error).cause).toEqual({ size: 5n });
    expect(decoded.error.errors.map((one: Error) => one.message)).toEqual(['a', 'too large']);
    expect(decoded.error.stack).toMatch(/plain-value\.test/);
  });

  it('end where a value contains itself', () => {
    expect(read(encodeValue(cyclic()))).toEqual({ name: 'a', self: { $: 'cycle' } });
    const shared = { a: 1 };
    expect(encodeValue([shared, shared])).toEqual([shared, shared]);
  });

  it.each<[string, unknown]>([
    ['a deep value', Array.from({ length: 1_000 }).reduce<unknown>((inner) => ({ inner }), 1)],
    ['a wide value', Object.fromEntries(Array.from({ length: 100_000 }, (_, key) => [`k${key}`, key]))],
    ['a long array', Array.from({ length: 1_000_000 }, () => 'x'.repeat(100))],
    ['a large Map', new Map(Array.from({ length: 100_000 }, (_, key) => [key, key]))],
    ['many values', Array.from({ length: 90 }, () => Array.from({ length: 90 }, () => ({ a: 'b'.repeat(50) })))],
    ['a large typed array', new Uint8Array(10_000_000)],
    ['a long bigint', 1n << 100_000n],
  ])('are bounded: %s', (_, value) => {
    expect(JSON.stringify(encodeValue(value)).length).toBeLessThan(300_000);
  });

  it('say how much was cut', () => {
    const shown = (value: unknown): string => shownTag(encodeValue(value) as Tagged);
    expect(shown(Array.from({ length: 101 }))).toBe('Array(101)');
    expect(shown(new Uint8Array(5_000))).toBe('Uint8Array(5000)');
    expect(shown(new Map(Array.from({ length: 200 }, (_, key) => [key, key])))).toBe('Map(200)');
  });

  it('leave out likely secrets: by name, and by context', () => {
    const value = { apiKey: 'k-1', nested: new Map([['password', 'p-1']]), url: 'https://u:s-1@host/' };
    const text = JSON.stringify(encodeValue(value));
    expect(text).not.toMatch(/[kps]-1/);
    expect(text).toContain('https://u:(left out)@host/');
    const error = Object.assign(new Error('sent Bearer abcdef.123'), { headers: { authorization: 'xyz-1' } });
    expect(JSON.stringify(encodeError(error, 'cause'))).not.toMatch(/abcdef|xyz-1/);
  });

  it('are changed by the redaction hook, which knows their paths', () => {
    const paths: string[] = [];
    const redact = (value: unknown, path: string): unknown => {
      paths.push(path);
      return path.endsWith('user.name') ? 'somebody' : value;
    };
    const error = Object.assign(new Error('failed'), { user: { name: 'Ada' } });
    expect(encodeError(error, 'cause', { redact }).data).toEqual({ user: { name: 'somebody' } });
    expect(paths).toEqual(
      expect.arrayContaining(['cause.message', 'cause.stack', 'cause.data.user', 'cause.data.user.name']),
    );
  });

  it('leave out what the redaction hook throws at', () => {
    const redact = (value: unknown): unknown => {
      if (value === 'b') throw new Error('broken');
      return value;
    };
    expect(encodeValue({ a: 'a', b: 'b' }, '', { redact })).toEqual({ a: 'a', b: '(left out)' });
  });
});
