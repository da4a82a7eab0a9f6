import { checkWord } from '../options.ts';

/**
 * What may become of values that a JavaScript number or `Date` cannot always hold: one vocabulary for all formats. The
 * table in `docs/values.md` says which format knows which of them.
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

/** How a source gives values for which JavaScript has more than one form. A format has those that it needs. */
export interface ValueOptions {
  /**
   * Integers of 64 bits. Default `number`: the first that a number does not hold exactly (beyond 2^53) is an error that
   * names column and row. `bigint` and `string` hold all of them.
   */
  readonly int64?: ValueChoice<'int64'> | undefined;
  /**
   * Decimal numbers. Default `number`: the first that has more digits than a number keeps (15 always, 16 or 17 now and
   * then) is an error that names column and row. `string` holds all digits: `'12.30'`. `rounded` is the nearest number.
   */
  readonly decimals?: ValueChoice<'decimals'> | undefined;
  /**
   * Points in time. Default `floor`: a `Date`, of the millisecond at or before; digits that are dropped are told to the
   * logger once a column. `date`: the first that a `Date` does not hold exactly is an error that names column and row.
   * `bigint`: integers since 1970, in the unit of the column. `string`: ISO 8601 with all digits, ended by `Z` where
   * the file says that it is UTC.
   */
  readonly timestamps?: ValueChoice<'timestamps'> | undefined;
  /**
   * Bytes that the file does not call text. Default `bytes`: a `Uint8Array`. `utf8` is for files of writers that left
   * the word out; bytes that are no UTF-8 are then an error that names column and row. `base64`: a string.
   */
  readonly binary?: ValueChoice<'binary'> | undefined;
  /**
   * Maps. Default `object`, with the keys as properties: for keys that are strings or integers, and only where no key is
   * there twice. `entries`: an array of `[key, value]`, for all.
   */
  readonly maps?: ValueChoice<'maps'> | undefined;
}

/** @throws InvalidArgumentError unless each value option that is given is one of its choices */
export function checkValueOptions(options: ValueOptions): void {
  for (const name of Object.keys(valueChoices) as (keyof typeof valueChoices)[]) {
    if (options[name] !== undefined) checkWord(name, options[name], valueChoices[name]);
  }
}
