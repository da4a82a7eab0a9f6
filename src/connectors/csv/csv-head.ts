import { inQuotes } from '../../foreign-value.ts';
import { MalformedInputError } from '../../errors/connector-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkBoolean, checkFunction } from '../../options.ts';
import { type CsvParser, csvRecords, findCsvFault, parseCsvRows } from './csv-rows.ts';
import type { LineEnd } from '../lines/line-end.ts';
import type { LineBlock } from '../lines/line-feeder.ts';

export interface CsvOptions<Out> {
  /** Whether the first line holds column names. Default: yes, unless `columns` is given. */
  readonly header?: boolean | undefined;
  /** The column names. Default: those in the first line. */
  readonly columns?: readonly string[] | undefined;
  /** Default: `,`, or the delimiter of a first line `sep=;`, as spreadsheets write it. */
  readonly delimiter?: string | undefined;
  /** Checks or converts a row. An error it throws is reported as malformed input, with file and line. */
  readonly parse?: ((row: Readonly<Record<string, string>>) => Out) | undefined;
}

/** How to read a CSV file, as far as the options say it before the file is opened. */
export interface CsvFormat {
  readonly header: boolean;
  readonly columns: readonly string[] | undefined;
  readonly delimiter: string | undefined;
  readonly newlinesInValues: boolean;
}

/** The facts in the beginning of a CSV file that its reader needs. Plain data. */
export interface CsvHead {
  /** Empty if the file is. */
  readonly columns: readonly string[];
  readonly delimiter: string;
  readonly lineEnd: LineEnd;
  /** Byte offset of the last line that is not a row; -1 if every line is one. */
  readonly lastByte: number;
  /** The header line has not been read yet. */
  readonly isOpen: boolean;
}

/** @throws InvalidArgumentError */
export function csvFormatOf(options: CsvOptions<unknown>, newlinesInValues: boolean): CsvFormat {
  const { columns, delimiter, header = columns === undefined, parse } = options;
  checkBoolean('header', header);
  if (parse !== undefined) checkFunction('parse', parse);
  if (delimiter !== undefined) checkDelimiter(delimiter);
  if (!header && columns === undefined) {
    throw new InvalidArgumentError('columns', columns, 'the column names, because there is no header');
  }
  if (columns !== undefined) checkColumns(columns);
  return { header, columns, delimiter, newlinesInValues };
}

/**
 * The head of `file` after its next `block`; undefined if the block holds only empty lines.
 *
 * @param before the head up to this block
 * @throws MalformedInputError
 */
export function csvHeadOf(
  file: string,
  block: LineBlock,
  lineEnd: LineEnd,
  format: CsvFormat,
  before: CsvHead | undefined,
  parser: CsvParser,
): CsvHead | undefined {
  const { header, columns, newlinesInValues } = format;
  const isContinued = before !== undefined && block.offset > before.lastByte;
  const dialect = { delimiter: format.delimiter ?? ',', newlinesInValues, lineEnd };
  const byteOf = (index: number): number => block.offset + Buffer.byteLength(block.text.slice(0, index));
  const records = csvRecords(block.text, dialect);
  let first = nextOf(records);
  if (first === undefined) return before;
  let lastByte = -1;
  const said = isContinued ? before.delimiter : saidDelimiter(file, first, format);
  if (said !== undefined) dialect.delimiter = said;
  if (said !== undefined && !isContinued) {
    lastByte = byteOf(first.index);
    first = nextOf(records);
  } else if (header && !isContinued && first.index !== 0) {
    throw headerProblem(file, 'the first line is empty');
  }
  const { delimiter } = dialect;
  if (!header) return { columns: columns ?? [], delimiter, lineEnd, lastByte, isOpen: false };
  if (first === undefined) return { columns: [], delimiter, lineEnd, lastByte, isOpen: true };
  const names = columns ?? parseCsvRows(first.record, dialect, parser)?.[0];
  const problem =
    names === undefined ? findCsvFault(first.record, [], dialect, parser)?.problem : findNameProblem(names);
  if (problem !== undefined) throw headerProblem(file, problem);
  return { columns: names ?? [], delimiter, lineEnd, lastByte: byteOf(first.index), isOpen: false };
}

/** The delimiter set by a first line `sep=;`. @throws MalformedInputError if the option sets another one */
function saidDelimiter(
  file: string,
  { index, record }: { readonly index: number; readonly record: string },
  { delimiter }: CsvFormat,
): string | undefined {
  const said = index === 0 ? /^sep=([^"])$/i.exec(record)?.[1] : undefined;
  if (said === undefined || delimiter === undefined || delimiter === said) return said;
  const [first, second] = [said, delimiter].map((given) => JSON.stringify(given));
  throw headerProblem(file, `its \`sep=\` line sets the delimiter ${first}, but the option sets ${second}`);
}

function headerProblem(file: string, problem: string): MalformedInputError {
  return new MalformedInputError({ file, line: 1, column: 1 }, `the header cannot be used: ${problem}`);
}

function nextOf<Value>(values: Iterator<Value>): Value | undefined {
  const next = values.next();
  return next.done === true ? undefined : next.value;
}

/** @throws InvalidArgumentError */
export function checkDelimiter(delimiter: unknown): void {
  if (typeof delimiter === 'string' && delimiter !== '' && !/["\r\n]/.test(delimiter)) return;
  throw new InvalidArgumentError('delimiter', delimiter, 'one or more characters other than quotes and newlines');
}

/** @throws InvalidArgumentError unless they are distinct names */
export function checkColumns(columns: readonly string[]): void {
  if (!Array.isArray(columns) || columns.some((name) => typeof name !== 'string')) {
    throw new InvalidArgumentError('columns', columns, 'column names');
  }
  const problem = findNameProblem(columns);
  if (problem !== undefined) throw new InvalidArgumentError('columns', columns, `column names, but ${problem}`);
}

function findNameProblem(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) return `there are two called ${inQuotes(name)}`;
    seen.add(name);
  }
  return names.length === 0 ? 'there are none' : undefined;
}
