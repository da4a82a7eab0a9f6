import { InvalidArgumentError, MalformedInputError } from '../errors.ts';
import { checkBoolean, checkFunction } from '../options.ts';
import { csvRecords, findCsvFault, parseCsvRows } from './csv-rows.ts';
import type { LineEnd } from './line-end.ts';
import type { LineBlock } from './line-feeder.ts';

export interface CsvOptions<Out> {
  /** Whether the first line holds names, not values. Default: yes, unless `columns` are given. */
  readonly header?: boolean;
  /** Names of the columns. Default: those of the first line. */
  readonly columns?: readonly string[];
  /** Default `,`, or what a first line `sep=;` says, which spreadsheets write. */
  readonly delimiter?: string;
  /** Checks or converts a row. What it throws is reported as malformed input, with file and line. */
  readonly parse?: (row: Readonly<Record<string, string>>) => Out;
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
 * The head of `file`, of which `block` is the first that is not empty lines alone; undefined if it is.
 * @throws MalformedInputError
 */
export function csvHeadOf(file: string, block: LineBlock, lineEnd: LineEnd, format: CsvFormat): CsvHead | undefined {
  const { header, columns, newlinesInValues } = format;
  const dialect = { delimiter: format.delimiter ?? ',', newlinesInValues, lineEnd };
  const byteOf = (index: number): number => block.offset + Buffer.byteLength(block.text.slice(0, index));
  const records = csvRecords(block.text, dialect);
  let first = nextOf(records);
  if (first === undefined) return undefined;
  let lastByte = -1;
  const said = first.index === 0 ? /^sep=([^"])$/i.exec(first.record)?.[1] : undefined;
  if (said !== undefined) {
    if (format.delimiter !== undefined && format.delimiter !== said) {
      const given = JSON.stringify(format.delimiter);
      throw headerProblem(file, `it says that the delimiter is ${JSON.stringify(said)}, and the option says ${given}`);
    }
    dialect.delimiter = said;
    lastByte = byteOf(first.index);
    first = nextOf(records);
  } else if (header && first.index !== 0) {
    throw headerProblem(file, 'the first line is empty');
  }
  const { delimiter } = dialect;
  if (!header || first === undefined) return { columns: columns ?? [], delimiter, lineEnd, lastByte };
  const names = columns ?? parseCsvRows(first.record, dialect)?.[0];
  const problem = names === undefined ? findCsvFault(first.record, [], dialect)?.problem : findNameProblem(names);
  if (problem !== undefined) throw headerProblem(file, problem);
  return { columns: names ?? [], delimiter, lineEnd, lastByte: byteOf(first.index) };
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
    if (seen.has(name)) return `there are two called ${JSON.stringify(name)}`;
    seen.add(name);
  }
  return names.length === 0 ? 'there are none' : undefined;
}
