import { inQuotes } from '../../foreign-value.ts';
import { MalformedInputError } from '../../errors/connector-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkBoolean, checkFunction } from '../../options.ts';
import { csvRecords, findCsvFault, parseCsvRows } from './csv-rows.ts';
import type { LineEnd } from '../lines/line-end.ts';
import type { LineBlock } from '../lines/line-feeder.ts';

export interface CsvOptions<Out> {
  /** Whether the first line holds names, not values. Default: yes, unless `columns` are given. */
  readonly header?: boolean | undefined;
  /** Names of the columns. Default: those of the first line. */
  readonly columns?: readonly string[] | undefined;
  /** Default `,`, or what a first line `sep=;` says, which spreadsheets write. */
  readonly delimiter?: string | undefined;
  /** Checks or converts a row. What it throws is reported as malformed input, with file and line. */
  readonly parse?: ((row: Readonly<Record<string, string>>) => Out) | undefined;
}

/** How a CSV file is to be read, as far as nobody has looked at it. */
export interface CsvFormat {
  readonly header: boolean;
  readonly columns: readonly string[] | undefined;
  readonly delimiter: string | undefined;
  readonly newlinesInValues: boolean;
}

/** What the beginning of a CSV file says of the rest. Plain data. */
export interface CsvHead {
  /** None if the file is empty. */
  readonly columns: readonly string[];
  readonly delimiter: string;
  readonly lineEnd: LineEnd;
  /** Where the last line that holds no row begins, in bytes; -1 if all do. */
  readonly lastByte: number;
  /** The line with the names is still to come. */
  readonly isOpen: boolean;
}

/** @throws InvalidArgumentError */
export function csvFormatOf(options: CsvOptions<unknown>, newlinesInValues: boolean): CsvFormat {
  const { columns, delimiter, header = columns === undefined, parse } = options;
  checkBoolean('header', header);
  if (parse !== undefined) checkFunction('parse', parse);
  if (delimiter !== undefined) checkDelimiter(delimiter);
  if (!header && columns === undefined) {
    throw new InvalidArgumentError('columns', columns, 'the names of the columns, as there is no header');
  }
  if (columns !== undefined) checkColumns(columns);
  return { header, columns, delimiter, newlinesInValues };
}

/**
 * The head of `file`, of which `block` is the next; undefined if it holds empty lines alone.
 *
 * @param before what it was up to this block
 * @throws MalformedInputError
 */
export function csvHeadOf(
  file: string,
  block: LineBlock,
  lineEnd: LineEnd,
  format: CsvFormat,
  before: CsvHead | undefined,
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
  const names = columns ?? parseCsvRows(first.record, dialect)?.[0];
  const problem = names === undefined ? findCsvFault(first.record, [], dialect)?.problem : findNameProblem(names);
  if (problem !== undefined) throw headerProblem(file, problem);
  return { columns: names ?? [], delimiter, lineEnd, lastByte: byteOf(first.index), isOpen: false };
}

/** What a first line `sep=;` says. @throws MalformedInputError when the option says something else */
function saidDelimiter(
  file: string,
  { index, record }: { readonly index: number; readonly record: string },
  { delimiter }: CsvFormat,
): string | undefined {
  const said = index === 0 ? /^sep=([^"])$/i.exec(record)?.[1] : undefined;
  if (said === undefined || delimiter === undefined || delimiter === said) return said;
  const [first, second] = [said, delimiter].map((given) => JSON.stringify(given));
  throw headerProblem(file, `it says that the delimiter is ${first}, and the option says ${second}`);
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
  throw new InvalidArgumentError('delimiter', delimiter, 'some characters other than quotes and newlines');
}

/** @throws InvalidArgumentError unless they are names, each there once */
export function checkColumns(columns: readonly string[]): void {
  if (!Array.isArray(columns) || columns.some((name) => typeof name !== 'string')) {
    throw new InvalidArgumentError('columns', columns, 'names of columns');
  }
  const problem = findNameProblem(columns);
  if (problem !== undefined) throw new InvalidArgumentError('columns', columns, `names of columns, but ${problem}`);
}

function findNameProblem(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) return `there are two called ${inQuotes(name)}`;
    seen.add(name);
  }
  return names.length === 0 ? 'there are none' : undefined;
}
