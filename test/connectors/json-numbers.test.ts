import fc from 'fast-check';
import { charCodesOf, NumberSuspects, wideNumbersOf } from '../../src/connectors/json/json-numbers.ts';
import { findNumberFault, type JsonValueOptions, parseExactly } from '../../src/connectors/json/json-values.ts';
import { draws } from '../support/draws.ts';

const codesOf = (text: string) => charCodesOf(text, Buffer.from(text));

describe('numbers that a double holds as written', () => {
  it.each([
    '0',
    '-0',
    '1.5',
    '9007199254740991',
    '-9007199254740991',
    '0.1',
    '1e23',
    '100000000000000000000000e-2',
    '3.141592653589793',
    '0.30000000000000004',
    '0.10000000000000001',
    '0.1000000000000000055511151231257827',
    '0.500000000000000000000000',
    '5e-324',
    '4.9E-324',
    '1.7976931348623157e308',
    '0e999',
    '0.0000000000000000000000000000000000000000001',
    '-122.41941550000000',
    '1000000000000000.2',
    '0.12345678901234568',
  ])('%s', (text) => {
    expect(wideNumbersOf(text)).toEqual([]);
    expect(parseExactly(`[${text}]`, {})).toEqual([Number(text)]);
  });

  it('every number that programs write for a double, with any number of digits', () => {
    const written = fc
      .tuple(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: 1, max: 40 }))
      .filter(([double]) => Math.abs(double) >= 1e21 || !Number.isInteger(double) || Number.isSafeInteger(double))
      .chain(([double, digits]) =>
        fc.constantFrom(String(double), double.toExponential(), double.toExponential(digits), double.toPrecision(17)),
      );
    fc.assert(
      fc.property(
        written.filter((text) => /[.e]/.test(text) && Number.isFinite(Number(text))),
        (text) => wideNumbersOf(text).length === 0,
      ),
      { numRuns: draws(800, 2_000) },
    );
  });
});

describe('numbers that a double does not hold', () => {
  it.each<[text: string, kind: 'int64' | 'decimals', isExact: boolean]>([
    ['9007199254740993', 'int64', false],
    ['-9007199254740993', 'int64', false],
    ['9007199254740992', 'int64', true],
    ['1790000000000000001', 'int64', false],
    ['1152921504606847000', 'int64', false],
    ['1152921504606846976', 'int64', true],
    [`1${'0'.repeat(400)}`, 'int64', false],
    ['1e999', 'decimals', false],
    ['-1E+400', 'decimals', false],
    ['1e-400', 'decimals', false],
    ['3e-324', 'decimals', false],
    ['1.2345678901234e-320', 'decimals', false],
    ['0.1000000000000000055', 'decimals', false],
    ['3.3333333333333333', 'decimals', false],
    ['12345678901234.567', 'decimals', false],
    ['1234567890123456.7', 'decimals', false],
    ['12345678901234567890.0', 'decimals', false],
    ['3.14159265358979323846', 'decimals', false],
    [`0.${'0'.repeat(330)}1`, 'decimals', false],
  ])('%s falls under `%s`', (text, kind, isExact) => {
    expect(wideNumbersOf(text)).toEqual([{ start: 0, end: text.length, kind, isExact }]);
    const line = `{"a":1,"b":[${text}]}`;
    expect(wideNumbersOf(line)).toMatchObject([{ start: 12, end: line.length - 2 }]);
    const suspects = new NumberSuspects({ decimals: true });
    suspects.reset(line, codesOf(line));
    expect(suspects.areBetween(0, line.length)).toBe(true);
  });

  it('is decided exactly, for integers and decimals of 14 to 20 digits', () => {
    const digits = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 13, max: 19 }))
      .chain(([first, count]) =>
        fc
          .array(fc.integer({ min: 0, max: 9 }), { minLength: count, maxLength: count })
          .map((rest) => [first, ...rest].join('')),
      );
    fc.assert(
      fc.property(digits, fc.integer({ min: 0, max: 30 }), (text, scale) => {
        const isExact = BigInt(Number(text)) === BigInt(text);
        const isUnsafe = BigInt(text) > BigInt(Number.MAX_SAFE_INTEGER);
        expect(wideNumbersOf(text)).toMatchObject(isUnsafe ? [{ isExact }] : []);
        const decimal = `${text}e-${scale}`;
        const difference = differenceInHalves(BigInt(text), scale);
        if (Math.abs(difference) !== 1) expect(wideNumbersOf(decimal)).toHaveLength(Math.abs(difference) < 1 ? 0 : 1);
      }),
      { numRuns: draws(2_000, 5_000) },
    );
  });

  it('integers that are doubles, and their neighbors, up to 22 digits', () => {
    const doubles = fc.double({ min: 2 ** 53, max: 1e22, noNaN: true });
    fc.assert(
      fc.property(doubles, fc.constantFrom(-1n, 0n, 1n), fc.constantFrom('', '-'), (double, more, sign) => {
        const integer = BigInt(double) + more;
        if (integer <= BigInt(Number.MAX_SAFE_INTEGER)) return;
        const json = `${sign}${integer}`;
        const isExact = BigInt(Number(json)) === BigInt(json);
        expect(wideNumbersOf(json)).toEqual([{ start: 0, end: json.length, kind: 'int64', isExact }]);
      }),
      { numRuns: draws(800, 2_000) },
    );
  });

  it('fractions below 1 of 14 to 18 digits, followed by anything, by the exact distance of the nearest double', () => {
    const fraction = fc.tuple(
      fc.nat({ max: 6 }),
      fc.bigInt({ min: 10n ** 13n, max: 10n ** 18n - 1n }),
      fc.constantFrom('', ',', ']', ' ', '}', ',1234567890123456', 'e0', 'E-3'),
    );
    fc.assert(
      fc.property(fraction, ([zeros, digits, after]) => {
        const scale = zeros + String(digits).length;
        const exponent = /^[eE]/.test(after) ? Number(after.slice(1)) : 0;
        const difference = differenceInHalves(digits, scale - exponent);
        if (Math.abs(difference) === 1) return true;
        const text = `0.${'0'.repeat(zeros)}${digits}${after}`;
        // The counterexample says enough, and `expect` takes longer than the question.
        const found = wideNumbersOf(text).filter(({ start }) => start === 0);
        return found.length === (Math.abs(difference) < 1 ? 0 : 1);
      }),
      { numRuns: draws(8_000, 20_000), seed: 20_261_128 },
    );
  });

  /** The distance of the nearest double from `digits / 10^scale`, in halves of the last digit that is not zero. */
  function differenceInHalves(digits: bigint, scale: number): number {
    const double = Number(`${digits}e-${scale}`);
    const shift = 200;
    const exact = BigInt(double * 2 ** 120) << BigInt(shift - 120);
    let unit = 1n << BigInt(shift);
    const difference = exact * 10n ** BigInt(scale) - digits * unit;
    for (let rest = digits; rest % 10n === 0n; rest /= 10n) unit *= 10n;
    return Number((difference * 2n * 2n ** 60n) / unit) / 2 ** 60;
  }
});

it('quoted numbers are texts, however they look', () => {
  const line = '{"id":"1790000000000000001","1790000000000000001":"\\\\","x":"\\",1e999,","y":"\\\\\\"1e999"}';
  expect(wideNumbersOf(line)).toEqual([]);
  expect(parseExactly(line, {})).toEqual(JSON.parse(line));
});

describe('the values by option', () => {
  const line =
    '{"id":9007199254740993,"ids":[1,-9007199254740994],"amount":1.00000000000000000001,"text":"9007199254740993"}';
  const id = 9007199254740993n;
  it.each<[options: JsonValueOptions, value: object]>([
    [
      { int64: 'bigint', decimals: 'string' },
      { id, ids: [1, -9007199254740994n], amount: '1.00000000000000000001', text: String(id) },
    ],
    [
      { int64: 'string', decimals: 'string' },
      { id: String(id), ids: [1, '-9007199254740994'], amount: '1.00000000000000000001', text: String(id) },
    ],
    [
      { int64: 'bigint', decimals: 'rounded' },
      { id, ids: [1, -9007199254740994n], amount: 1, text: String(id) },
    ],
    [
      { int64: 'string', decimals: 'rounded' },
      { id: String(id), ids: [1, '-9007199254740994'], amount: 1, text: String(id) },
    ],
  ])('%j', (options, value) => {
    expect(parseExactly(line, options)).toEqual(value);
    expect(findNumberFault(line, options)).toBeUndefined();
  });

  it.each<[line: string, options: JsonValueOptions, index: number, problem: string]>([
    [line, {}, 6, "\"id\": 9007199254740993 does not fit into a number. Set `int64` to 'bigint' or 'string'"],
    [
      line,
      { int64: 'bigint' },
      60,
      "\"amount\": 1.00000000000000000001 does not fit into a number. Set `decimals` to 'string' or 'rounded'",
    ],
    ['-1e999', { int64: 'string' }, 0, "-1e999 does not fit into a number. Set `decimals` to 'string' or 'rounded'"],
    [
      '{"a":[{"__proto__":9007199254740993}]}',
      {},
      19,
      "\"a.0.__proto__\": 9007199254740993 does not fit into a number. Set `int64` to 'bigint' or 'string'",
    ],
  ])('%s with %j is refused', (text, options, index, problem) => {
    expect(() => parseExactly(text, options)).toThrow(RangeError);
    expect(findNumberFault(text, options)).toEqual({ index, problem });
  });

  it('`__proto__` stays an ordinary key', () => {
    const value = parseExactly('{"__proto__":{"a":9007199254740993},"b":1}', { int64: 'bigint' });
    expect(Object.entries(value as object)).toEqual([
      ['__proto__', { a: id }],
      ['b', 1],
    ]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});

it('suspects are all wide numbers of a text, line by line', () => {
  const number = fc.constantFrom(
    '9007199254740993',
    '1e999',
    '12345678901.2345678',
    '17',
    '0.5',
    '"9007199254740993"',
    '-3e-05',
    '1E-310',
  );
  const lines = fc.array(
    fc.array(number, { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(lines, (texts) => {
      const suspects = new NumberSuspects({ decimals: true });
      const integers = new NumberSuspects({ decimals: false });
      integers.reset(texts.join('\n'), codesOf(texts.join('\n')));
      suspects.reset(texts.join('\n'), codesOf(texts.join('\n')));
      let at = 0;
      for (const text of texts) {
        const wide = wideNumbersOf(text);
        const end = at + text.length;
        const areThere = [suspects.areBetween(at, end), integers.areBetween(at, end)];
        if (wide.length > 0) expect(areThere[0]).toBe(true);
        if (wide.some(({ kind }) => kind === 'int64')) expect(areThere[1]).toBe(true);
        at = end + 1;
      }
    }),
  );
});

it('a quoted id is not a suspect', () => {
  const suspects = new NumberSuspects({ decimals: true });
  const text = '{"id":"1790000000000000001","n":1}\n'.repeat(50);
  suspects.reset(text, codesOf(text));
  expect(suspects.areBetween(0, text.length)).toBe(false);
});
