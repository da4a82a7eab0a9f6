import { checkWord } from '../options.ts';

/**
 * The choices for values that a JavaScript number or `Date` cannot always hold: one vocabulary for all formats. The
 * table in `docs/values.md` lists the options of each format.
 */
export const valueChoices = {
  int64: ['number', 'bigint', 'string'],
  decimals: ['number', 'string', 'rounded'],
  timestamps: ['floor', 'date', 'bigint', 'string'],
  binary: ['bytes', 'utf8', 'base64'],
  maps: ['object', 'entries'],
} as const;

/** The choices of one value option. */
export type ValueChoice<Name extends keyof typeof valueChoices> = (typeof valueChoices)[Name][number];

/** How a source represents values for which JavaScript has more than one form. Each format has the options it needs. */
export interface ValueOptions {
  /**
   * 64-bit integers. Default `number`: an integer that a number cannot hold exactly (beyond 2^53) is an error with
   * column and row. `bigint` and `string` hold all of them.
   */
  readonly int64?: ValueChoice<'int64'> | undefined;
  /**
   * Decimals. Default `number`: a decimal with more digits than a number holds (15 always, 16 or 17 sometimes) is an
   * error with column and row. `string` holds all digits: `'12.30'`. `rounded` is the nearest number.
   */
  readonly decimals?: ValueChoice<'decimals'> | undefined;
  /**
   * Timestamps. Default `floor`: a `Date`, rounded down to the millisecond; dropped digits are logged once per column.
   * `date`: a timestamp that a `Date` cannot hold exactly is an error with column and row. `bigint`: an integer since
   * 1970, in the unit of the column. `string`: ISO 8601 with all digits, ending in `Z` if the file declares UTC.
   */
  readonly timestamps?: ValueChoice<'timestamps'> | undefined;
  /**
   * Bytes without a text annotation. Default `bytes`: a `Uint8Array`. `utf8` is for files from writers that omit the
   * annotation; bytes that are not UTF-8 are then an error with column and row. `base64`: a string.
   */
  readonly binary?: ValueChoice<'binary'> | undefined;
  /**
   * Maps. Default `object`, with the keys as properties; the keys must be strings or integers, without duplicates.
   * `entries`: an array of `[key, value]`, for any map.
   */
  readonly maps?: ValueChoice<'maps'> | undefined;
}

/** The choice for each of `names`: as given, or the default. */
export function chosenValues(
  options: ValueOptions,
  names: readonly (keyof ValueOptions)[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, options[name] ?? valueChoices[name][0]]));
}

/** @throws InvalidArgumentError unless each given value option is one of its choices */
export function checkValueOptions(options: ValueOptions): void {
  for (const name of Object.keys(valueChoices) as (keyof typeof valueChoices)[]) {
    if (options[name] !== undefined) checkWord(name, options[name], valueChoices[name]);
  }
}
