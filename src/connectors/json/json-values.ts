import { cutToFit, inQuotes } from '../../foreign-value.ts';
import type { JsonFault } from './json-fault.ts';
import { type CharCodes, charCodesOf, type WideNumber, wideNumbers, wideNumbersOf } from './json-numbers.ts';
import { setOwn } from '../own-property.ts';
import { checkValueOptions, type ValueChoice } from '../value-options.ts';

/**
 * What to do with JSON numbers that a double cannot hold as written. All other numbers stay numbers for every choice,
 * because JSON does not give their type.
 */
export interface JsonValueOptions {
  /**
   * Integers beyond 2^53. Default `number`: an integer that a number cannot hold exactly is an error with key and line.
   * `bigint` and `string` hold all of them.
   */
  readonly int64?: ValueChoice<'int64'> | undefined;
  /**
   * Decimals with more digits than a number holds (15 always, 16 sometimes), or beyond its range. Default `number`:
   * such a decimal is an error with key and line. `string` holds all digits; `rounded` is the nearest number, as in
   * `JSON.parse`.
   */
  readonly decimals?: ValueChoice<'decimals'> | undefined;
}

/** @throws InvalidArgumentError unless each given option is one of its choices */
export function checkJsonValueOptions({ int64, decimals }: JsonValueOptions): void {
  checkValueOptions({ ...(int64 !== undefined && { int64 }), ...(decimals !== undefined && { decimals }) });
}

/**
 * Parses `json`, with wide numbers as `options` say.
 *
 * @throws SyntaxError if it is not JSON, RangeError if it has a number that {@link findNumberFault} reports
 */
export function parseExactly(json: string, options: JsonValueOptions): unknown {
  return parseWithCodes(json, charCodesOf(json, Buffer.from(json)), 0, options);
}

/** {@link parseExactly} for callers that have the codes of `json`, which begin at `from`. */
export function parseWithCodes(json: string, codes: CharCodes, from: number, options: JsonValueOptions): unknown {
  const value: unknown = JSON.parse(json);
  const wide = wideNumbers(json, codes, from);
  if (wide.length === 0) return value;
  const { int64, decimals } = options;
  for (const number of wide) if (isRefused(number, options)) throw new RangeError('a number does not fit');
  if (int64 !== 'bigint' && int64 !== 'string' && decimals !== 'string') return value;
  const quoted = wide.filter(({ kind }) => isQuoted(kind, options));
  if (quoted.length === 0) return value;
  return replaceQuoted(value, JSON.parse(quote(json, quoted)), [], (digits) =>
    int64 === 'bigint' && /^-?\d+$/.test(digits) ? BigInt(digits) : digits,
  );
}

/** The first number in the JSON `text` that `options` do not allow; undefined if there is none. */
export function findNumberFault(text: string, options: JsonValueOptions): JsonFault | undefined {
  const number = wideNumbersOf(text).find((wide) => isRefused(wide, options));
  if (number === undefined) return undefined;
  let place = '';
  replaceQuoted(JSON.parse(text), JSON.parse(quote(text, [number])), [], (digits, path) => {
    place = path.length === 0 ? '' : `${inQuotes(path.join('.'))}: `;
    return digits;
  });
  const remedy = number.kind === 'int64' ? `'bigint' or 'string'` : `'string' or 'rounded'`;
  const digits = text.slice(number.start, number.end);
  return {
    index: number.start,
    problem: `${place}${cutToFit(digits, 60)} does not fit into a number. Set \`${number.kind}\` to ${remedy}`,
  };
}

function isRefused({ kind, isExact }: WideNumber, options: JsonValueOptions): boolean {
  return !isExact && (options[kind] ?? 'number') === 'number';
}

function isQuoted(kind: WideNumber['kind'], options: JsonValueOptions): boolean {
  return options[kind] === 'string' || options[kind] === 'bigint';
}

/** `text` with the given numbers in quotes. */
function quote(text: string, numbers: readonly WideNumber[]): string {
  let quoted = '';
  let at = 0;
  for (const { start, end } of numbers) {
    quoted += `${text.slice(at, start)}"${text.slice(start, end)}"`;
    at = end;
  }
  return quoted + text.slice(at);
}

/**
 * Replaces the numbers in `quoted` (which is `value` with some numbers as strings) by `make` of their digits.
 * Comparison with `value` finds them, so a string of the data is never mistaken for one.
 */
function replaceQuoted(
  value: unknown,
  quoted: unknown,
  path: (string | number)[],
  make: (digits: string, path: readonly (string | number)[]) => unknown,
): unknown {
  if (typeof value === 'number' && typeof quoted === 'string') return make(quoted, path);
  if (typeof value !== 'object' || value === null) return quoted;
  const members = value as Record<string, unknown>;
  const copy = quoted as Record<string, unknown>;
  for (const key of Object.keys(members)) {
    path.push(key);
    setOwn(copy, key, replaceQuoted(members[key], copy[key], path, make));
    path.pop();
  }
  return copy;
}
