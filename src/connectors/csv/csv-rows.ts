import { inQuotes } from '../../foreign-value.ts';
import type * as library from 'csv-parse/sync';
import { toError } from '../../errors/thrown-value.ts';
import type { LineEnd } from '../lines/line-end.ts';

/** What parses records with quotes. */
export type CsvParser = Pick<typeof library, 'parse' | 'CsvError'>;

/** Loads it, with the first reader: a process without one does not pay for it. */
export const loadCsvParser = (): Promise<CsvParser> => import('csv-parse/sync');

/** The dialect of a CSV file. */
export interface CsvDialect {
  readonly delimiter: string;
  readonly newlinesInValues: boolean;
  readonly lineEnd: LineEnd;
}

/** What is wrong with a record, and at which index in its text. */
export interface CsvFault {
  readonly index: number;
  readonly problem: string;
}

const problemByCode: Readonly<Record<string, string>> = {
  INVALID_OPENING_QUOTE: 'a quote in an unquoted value',
  CSV_INVALID_CLOSING_QUOTE: 'a quote inside a quoted value that is not doubled',
  CSV_QUOTE_NOT_CLOSED: 'an unclosed quote',
};

const strayProblems: Readonly<Record<LineEnd, string>> = {
  '\n': 'a carriage return in an unquoted value, in a file whose lines end in LF or CRLF. Use one kind of line end',
  '\r': 'a line feed in an unquoted value, in a file whose lines end in a carriage return. Use one kind of line end',
};

/**
 * The records in `text`, which ends at the end of a record, without empty lines. Undefined if one is malformed;
 * {@link findCsvFault} then finds the fault, record by record.
 */
export function parseCsvRows(text: string, dialect: CsvDialect, parser: CsvParser): string[][] | undefined {
  const { lineEnd, newlinesInValues } = dialect;
  if (findStrayEnd(text, lineEnd) !== undefined) return undefined;
  if (!text.includes('"')) return splitRows(text, dialect);
  try {
    const rows = parseQuoted(text, dialect, parser);
    return newlinesInValues || rows.length === countLines(text, lineEnd) ? rows : undefined;
  } catch {
    return undefined;
  }
}

/** The text of a record, and the index where it begins. */
export interface CsvRecord {
  readonly index: number;
  readonly record: string;
}

/** The text of each record in `text` and the index where it begins, without empty lines. */
export function* csvRecords(text: string, dialect: CsvDialect): Generator<CsvRecord> {
  const { lineEnd } = dialect;
  let isInQuotes = false;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    const char = at === text.length ? lineEnd : text[at];
    if (char === '"') isInQuotes = !isInQuotes;
    if (char !== lineEnd || (isInQuotes && dialect.newlinesInValues && at < text.length)) continue;
    const record = text.slice(start, at).replace(/\r$/, '');
    if (record !== '') yield { index: start, record };
    start = at + 1;
    isInQuotes = false;
  }
}

/** The fault in the text of one record, which should have `columns.length` values; undefined if it has none. */
export function findCsvFault(
  record: string,
  columns: readonly string[],
  dialect: CsvDialect,
  parser: CsvParser,
): CsvFault | undefined {
  const stray = findStrayEnd(record, dialect.lineEnd);
  if (stray !== undefined) return { index: stray, problem: strayProblems[dialect.lineEnd] };
  try {
    const count = parseQuoted(record, dialect, parser)[0]?.length ?? 0;
    if (count === columns.length) return undefined;
    const index = count > columns.length ? fieldStart(record, columns.length, dialect.delimiter) : record.length;
    return { index, problem: `expected ${columns.length} values, got ${count}` };
  } catch (error) {
    if (!(error instanceof parser.CsvError)) return { index: 0, problem: toError(error).message };
    const field = typeof error['index'] === 'number' ? error['index'] : 0;
    const hint =
      error.code === 'CSV_QUOTE_NOT_CLOSED' && !dialect.newlinesInValues
        ? '. If values contain newlines, leave out `newlinesInValues: false`'
        : '';
    const name = columns[field] === undefined ? '' : ` in column ${inQuotes(columns[field])}`;
    return {
      index: fieldStart(record, field, dialect.delimiter),
      problem: `${problemByCode[error.code] ?? error.message}${name}${hint}`,
    };
  }
}

/** Index of a CR or LF that neither ends a line nor is quoted. */
function findStrayEnd(text: string, lineEnd: LineEnd): number | undefined {
  const stray = lineEnd === '\n' ? /\r(?!\n|$)/g : /\n/g;
  let isInQuotes = false;
  let from = 0;
  for (let found = stray.exec(text); found !== null; found = stray.exec(text)) {
    for (let at = text.indexOf('"', from); at >= 0 && at < found.index; at = text.indexOf('"', at + 1)) {
      isInQuotes = !isInQuotes;
    }
    if (!isInQuotes) return found.index;
    from = found.index;
  }
  return undefined;
}

function parseQuoted(text: string, { delimiter, lineEnd }: CsvDialect, parser: CsvParser): string[][] {
  return parser.parse(text.endsWith('\r') ? text.slice(0, -1) : text, {
    delimiter,
    record_delimiter: lineEnd === '\n' ? ['\r\n', '\n'] : ['\r'],
    relax_column_count: true,
    skip_empty_lines: true,
  });
}

/** A fast `parseQuoted` for text without quotes. */
function splitRows(text: string, { delimiter, lineEnd }: CsvDialect): string[][] {
  const rows: string[][] = [];
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf(lineEnd, at);
    if (end < 0) end = text.length;
    const line = text.slice(at, end > at && text.charCodeAt(end - 1) === 0x0d ? end - 1 : end);
    if (line !== '') rows.push(line.split(delimiter));
    at = end + 1;
  }
  return rows;
}

function countLines(text: string, lineEnd: LineEnd): number {
  let count = 0;
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf(lineEnd, at);
    if (end < 0) end = text.length;
    const isEmpty = end === at || (end === at + 1 && text[at] === '\r');
    if (!isEmpty) count++;
    at = end + 1;
  }
  return count;
}

/** Index where value `field` (from 0) begins, in a record whose earlier values are well formed. */
function fieldStart(record: string, field: number, delimiter: string): number {
  let isInQuotes = false;
  let at = 0;
  for (let passed = 0; passed < field && at < record.length; ) {
    if (record[at] === '"') isInQuotes = !isInQuotes;
    const isDelimiter = !isInQuotes && record.startsWith(delimiter, at);
    if (isDelimiter) passed++;
    at += isDelimiter ? delimiter.length : 1;
  }
  return at;
}
