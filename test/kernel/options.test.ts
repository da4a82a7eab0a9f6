import { nearestName } from '../../src/nearest-name.ts';
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOptions,
  checkWord,
} from '../../src/options.ts';

interface Example {
  readonly concurrency?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly ordered: boolean;
}

const check = (options: object) =>
  checkOptions('example', options as Example, { concurrency: true, timeoutMs: true, ordered: true });

describe('the names of options', () => {
  it.each<[string, object]>([
    ['all of them', { concurrency: 1, timeoutMs: 2, ordered: true }],
    ['none', {}],
    ['an undefined one', { conurrency: undefined }],
    [
      'an instance of a class',
      new (class Config {
        readonly concurrency = 1;
      })(),
    ],
    ['no prototype', Object.create(null)],
  ])('may be %s', (_, options) => {
    expect(() => check(options)).not.toThrow();
  });

  it.each<[object, string]>([
    [{ concurency: 8 }, 'concurency of example: expected an option that exists (did you mean `concurrency`?), got 8'],
    [{ TimeoutMS: 8 }, 'TimeoutMS of example: expected an option that exists (did you mean `timeoutMs`?), got 8'],
    [{ timeout: 8 }, 'timeout of example: expected an option that exists (did you mean `timeoutMs`?), got 8'],
    [{ odrered: true }, 'odrered of example: expected an option that exists (did you mean `ordered`?), got true'],
    [{ batch: 8 }, 'batch of example: expected one of its options: concurrency, timeoutMs, ordered, got 8'],
    [{ constructor: 8 }, 'constructor of example: expected one of its options: concurrency, timeoutMs, ordered, got 8'],
    [
      JSON.parse('{"__proto__": 8}') as object,
      '__proto__ of example: expected one of its options: concurrency, timeoutMs, ordered, got 8',
    ],
    [null as never, 'options of example: expected an object, got null'],
    ['concurrency' as never, 'options of example: expected an object, got "concurrency"'],
    [[1], 'options of example: expected an object, got [1]'],
    [(() => 1) as never, 'options of example: expected an object, got function (anonymous)'],
  ])('refuses %p', (options, message) => {
    expect(() => check(options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }));
  });

  it('are none if the call has no options', () => {
    expect(() => checkOptions('pipelined', { sync: 'never' } as object, {})).toThrow(
      'sync of pipelined: expected no options, got "never"',
    );
  });
});

describe('the nearest name', () => {
  const known = ['uid', 'memoryBudgetBytes', 'diskBudgetBytes', 'sync'];

  it.each([
    ['memoryBudgetByte', 'memoryBudgetBytes'],
    ['diskBudget', 'diskBudgetBytes'],
    ['budgetBytes', 'diskBudgetBytes'],
    ['ui', 'uid'],
    ['id', 'uid'],
    ['UID', 'uid'],
    ['snyc', 'sync'],
    ['name', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('to %s is %s', (name, nearest) => {
    expect(nearestName(name, known)).toBe(nearest);
  });
});

describe('values of options', () => {
  const rules: readonly [string, (given: unknown) => void, readonly unknown[], readonly unknown[], string][] = [
    ['boolean', (given) => checkBoolean('x', given), [true, false], ['true', 1, null], 'true or false'],
    ['function', (given) => checkFunction('x', given), [() => 1, class {}], ['f', {}, null], 'a function'],
    ['word', (given) => checkWord('x', given, ['a', 'b']), ['a', 'b'], ['c', '', 1, ['a']], '"a" or "b"'],
    [
      'bounded integer',
      (given) => checkInteger('x', given, 1, 9),
      [1, 9],
      ['8', NaN, -1, 0, 1.5, 10, Infinity, 8n],
      'an integer from 1 to 9',
    ],
    [
      'unbounded integer',
      (given) => checkInteger('x', given, 0),
      [0, Infinity],
      ['8', NaN, -1, 1.5, -Infinity, 2 ** 53],
      'an integer ≥ 0 or Infinity',
    ],
    [
      'time',
      (given) => checkMilliseconds('x', given),
      [0.5, 2 ** 31 - 1],
      ['8', NaN, -1, 0, 2 ** 31, Infinity, [5]],
      'milliseconds from above 0 to 2147483647',
    ],
    [
      'time or none',
      (given) => checkMilliseconds('x', given, { mayBeZero: true }),
      [0, 1],
      ['8', NaN, -1, Infinity],
      'milliseconds from 0 to 2147483647',
    ],
  ];

  it.each(rules)('a %s accepts valid values, and nothing else', (_, checkValue, good, bad, expected) => {
    for (const given of good) expect(() => checkValue(given)).not.toThrow();
    for (const given of bad) {
      expect(() => checkValue(given)).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(`x: expected ${expected}, got `) as string,
        }),
      );
    }
  });
});
