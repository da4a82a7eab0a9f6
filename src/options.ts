import { InvalidArgumentError } from './errors/usage-errors.ts';
import { nearestName } from './nearest-name.ts';

/**
 * The names of all options of a call. In a literal, the compiler rejects a missing and an extra name: `{ header: true,
 * columns: true } satisfies OptionNames<CsvFileOptions<never>>`.
 */
export type OptionNames<Options extends object> = Readonly<Record<keyof Options, true>>;

/** The longest delay of a Node timer: 24.8 days. */
export const longestTimerMs = 2 ** 31 - 1;

/**
 * Refuses options that are not an object, unknown options, which JavaScript would silently ignore, and null values.
 * Each function with options calls it first; the functions below check the values.
 *
 * For example `checkOptions('toNodeWritable', options, { end: true })`.
 *
 * @param of the call, for the message: `mapAsync`, or `mapAsync "embed"` with its operator
 * @throws InvalidArgumentError that names the nearest option
 */
export function checkOptions<Options extends object>(
  of: string,
  options: Options,
  names: OptionNames<NoInfer<Options>>,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(`options of ${of}`, options, 'an object');
  }
  for (const [name, given] of Object.entries(options)) {
    if (given === undefined) continue;
    if (!Object.hasOwn(names, name)) {
      throw new InvalidArgumentError(`${name} of ${of}`, given, hintOf(name, Object.keys(names)));
    }
    if (given === null)
      throw new InvalidArgumentError(`${name} of ${of}`, given, 'a value, or undefined for the default');
  }
}

/**
 * Refuses arguments to a call that takes none, which JavaScript would silently ignore.
 * @throws InvalidArgumentError
 */
export function checkNoArguments(of: string, given: readonly unknown[]): void {
  if (given.length > 0) throw new InvalidArgumentError(`arguments of ${of}`, given[0], 'none');
}

/** The given options without those that are `undefined`, so that spreading them does not override defaults. */
export function givenOf<Options extends object>(
  options: Options,
): { [Name in keyof Options]?: NonNullable<Options[Name]> } {
  return Object.fromEntries(Object.entries(options).filter(([, given]) => given !== undefined)) as never;
}

function hintOf(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'no options';
  const near = nearestName(name, known);
  return near === undefined
    ? `one of its options: ${known.join(', ')}`
    : `an option that exists (did you mean \`${near}\`?)`;
}

/** @throws InvalidArgumentError unless `given` is true or false. */
export function checkBoolean(what: string, given: unknown): asserts given is boolean {
  if (typeof given !== 'boolean') throw new InvalidArgumentError(what, given, 'true or false');
}

/** @throws InvalidArgumentError unless `given` is a function. */
export function checkFunction(what: string, given: unknown): void {
  if (typeof given !== 'function') throw new InvalidArgumentError(what, given, 'a function');
}

/** @throws InvalidArgumentError unless `given` is one of `words`. */
export function checkWord(what: string, given: unknown, words: readonly string[]): void {
  if (words.includes(given as string)) return;
  throw new InvalidArgumentError(what, given, words.map((word) => `"${word}"`).join(' or '));
}

/**
 * @throws InvalidArgumentError unless `given` is an integer from `least` to `most`. If `most` is Infinity, so may
 *   `given` be.
 */
export function checkInteger(what: string, given: unknown, least: number, most: number = Infinity): void {
  const isUnlimited = given === Infinity && most === Infinity;
  if (isUnlimited || (Number.isSafeInteger(given) && (given as number) >= least && (given as number) <= most)) return;
  const range = most === Infinity ? `an integer ≥ ${least} or Infinity` : `an integer from ${least} to ${most}`;
  throw new InvalidArgumentError(what, given, range);
}

/** @throws InvalidArgumentError unless `given` is a valid timer delay: above 0 unless `mayBeZero`. */
export function checkMilliseconds(what: string, given: unknown, { mayBeZero = false } = {}): void {
  const isTime = typeof given === 'number' && (mayBeZero ? given >= 0 : given > 0) && given <= longestTimerMs;
  if (isTime) return;
  const least = mayBeZero ? '0' : 'above 0';
  throw new InvalidArgumentError(what, given, `milliseconds from ${least} to ${longestTimerMs}`);
}

/** Milliseconds above 0 that a timer can wait. */
export function milliseconds(option: string, given: number | undefined, otherwise: number): number {
  const value = given ?? otherwise;
  checkMilliseconds(option, value);
  return value;
}

/** An integer from 1 to `most`; without a limit also Infinity. */
export function count(
  option: string,
  given: number | undefined,
  otherwise: number,
  most = Number.POSITIVE_INFINITY,
): number {
  const value = given ?? otherwise;
  checkInteger(option, value, 1, most);
  return value;
}

/** Bytes, from 0; Infinity for no limit. */
export function budget(option: string, given: number | undefined, otherwise: number): number {
  const value = given ?? otherwise;
  if (!(typeof value === 'number' && value >= 0))
    throw new InvalidArgumentError(option, value, 'bytes ≥ 0; Infinity for no limit');
  return value;
}
