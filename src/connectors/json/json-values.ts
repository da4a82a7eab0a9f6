import { cutToFit, inQuotes } from '../../foreign-value.ts';
import type { JsonFault } from './json-fault.ts';
import { type CharCodes, charCodesOf, type WideNumber, wideNumbers, wideNumbersOf } from './json-numbers.ts';
import { setOwn } from '../own-property.ts';
import { checkValueOptions, type ValueChoice } from '../value-options.ts';

/**
 * What becomes of numbers in JSON that a double does not hold as they are written. All others are numbers, whatever is
 * chosen: JSON does not say of which type a number is.
 */
export interface JsonValueOptions {
  /**
   * Integers beyond 2^53. Default `number`: the first that a number does not hold exactly is an error that names key and
   * line. `bigint` and `string` hold all of them.
   */
  readonly int64?: ValueChoice<'int64'> | undefined;
  /**
   * Decimals with more digits than a number keeps (some have 16, all have 15), or beyond its range. Default `number`:
   * the first is an error that names key and line. `string` holds all digits; `rounded` is the nearest number, as
   * `JSON.parse` has it.
   */
  readonly decimals?: ValueChoice<'decimals'> | undefined;
}

/** @throws InvalidArgumentError unless the options that are given are among their choices */
export function checkJsonValueOptions({ int64, decimals }: JsonValueOptions): void {
  checkValueOptions({ ...(int64 !== undefined && { int64 }), ...(decimals !== undefined && { decimals }) });
}

/**
 * The value of `json`, with its wide numbers as `options` want them.
 *
 * @throws SyntaxError when it is not JSON, RangeError when it has a number that {@link findNumberFault} tells
 */
export function parseExactly(json: string, options: JsonValueOptions): unknown {
  return parseWithCodes(json, charCodesOf(json, Buffer.from(json)), 0, options);
}

/** {@link parseExactly} for who has the codes of `json`, which begin at `from`. */
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

/** The first number in `text`, which is JSON, that `options` do not allow; undefined if there is none. */
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

/** `text` with these numbers in quotes. */
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
 * `quoted`, which is `value` with some of its numbers as strings, with what `make` makes of those. They are found by
 * comparison, so no string of the data can be taken for one.
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
