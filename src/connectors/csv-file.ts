import { InvalidArgumentError, MalformedInputError, toError } from '../errors.ts';
import type { Source, SourcePlanContext, SourceReader } from '../operators/source.ts';
import { csvRecords, type CsvDialect, findCsvFault, parseCsvRows } from './csv-rows.ts';
import { type FilesPlan, fixFiles, type InputFile, planOf, splitsOf } from './inputs/files-plan.ts';
import { areSeveral, checkInputPaths, type InputPaths, nameOfInput } from './inputs/input-files.ts';
import { locateLine } from './inputs/locate-line.ts';
import { assertSameColumns, type FileColumns } from './inputs/same-columns.ts';
import { SplitsReader } from './inputs/splits-reader.ts';
import { textFile } from './inputs/text-file.ts';
import { LineBlocks } from './line-blocks.ts';
import type { LineBlock } from './line-feeder.ts';

export interface CsvFileOptions<Out> {
  /** Whether the first line holds names, not values. Default: yes, unless `columns` are given. */
  readonly header?: boolean;
  /** Names of the columns. Default: those of the first line. */
  readonly columns?: readonly string[];
  /** Default `,`. */
  readonly delimiter?: string;
  /**
   * Whether a value in quotes may hold a newline. Default: yes, and then the file cannot be split, since where a record
   * begins depends on everything before it. `false` makes it splittable, and a newline inside quotes an error.
   */
  readonly newlinesInValues?: boolean;
  /** Checks or converts a row. What it throws is reported as malformed input, with file and line. */
  readonly parse?: (row: Readonly<Record<string, string>>) => Out;
}

/**
 * Reads CSV files (RFC 4180): UTF-8, with or without a byte order mark, lines ended by LF or CRLF, empty lines skipped.
 * A record is an object with a string for each column.
 *
 * With `newlinesInValues: false` splittable to any parallelism, by byte range: a subtask reads the lines that start in
 * its range; otherwise, and where it is packed, one subtask reads all of a file. Replayable: which files there are, and
 * what is in them, is fixed once per run. What is appended meanwhile is not read; any other change fails the job with an
 * `InputChangedError`.
 *
 * `path` is a file, a directory, a glob pattern, or a list of these, as for `jsonLinesFile`. Each file has its own header,
 * and all of them the same columns.
 *
 * Reading fails with a {@link MalformedInputError} at a record with a broken quote or with more or fewer values than
 * there are columns, and with a `FileAccessError` or `NoInputError` where there is no file.
 */
export function csvFile<Out = Readonly<Record<string, string>>>(
  path: InputPaths,
  options: CsvFileOptions<Out> = {},
): Source<Out> {
  const paths = checkInputPaths(path);
  const { columns, delimiter = ',', newlinesInValues = true, parse } = options;
  const header = options.header ?? columns === undefined;
  if (!isDelimiter(delimiter)) {
    throw new InvalidArgumentError('delimiter', delimiter, 'some characters other than quotes and newlines');
  }
  if (!header && columns === undefined) {
    throw new InvalidArgumentError('columns', columns, 'the names of the columns, as there is no header');
  }
  const problem = columns === undefined ? undefined : findNameProblem(columns);
  if (problem !== undefined) throw new InvalidArgumentError('columns', columns, `names of columns, but ${problem}`);
  const dialect = { delimiter, newlinesInValues };
  const isSplittable = !newlinesInValues;
  const plan = async (context: SourcePlanContext): Promise<FilesPlan<CsvInput>> => {
    const files = await fixFiles(paths, context, async (file, firstBytes) => {
      const input = textFile(file, firstBytes);
      const named = header ? await readHeader(input, dialect, columns, context) : columns;
      return { ...input, columns: named ?? [] };
    });
    assertSameColumns(files);
    return planOf(files, context.parallelism, isSplittable);
  };
  return {
    name: nameOfInput(paths),
    origin: { kind: 'files', paths },
    maxParallelism: isSplittable || areSeveral(paths) ? Number.MAX_SAFE_INTEGER : 1,
    deterministic: true,
    ...(!isSplittable && {
      splitLimit: 'a CSV file is read by one subtask unless `newlinesInValues` is false',
    }),
    plan,
    open: async (context, planned?: FilesPlan<CsvInput>) => {
      const lineOptions = { environment: context.environment, newlinesInQuotes: newlinesInValues };
      const beginningsIn = (text: string) => [...csvRecords(text, dialect)].map(({ index }) => index);
      return SplitsReader.open(splitsOf(planned ?? (await plan(context)), context.subtask), {
        open: async (split) => {
          const blocks = await LineBlocks.open(split, lineOptions);
          return new CsvReader(blocks, split.file.columns, header && split.start === 0, dialect, parse);
        },
        locate: (split, record) => {
          const headers = header && split.start === 0 ? 1 : 0;
          return locateLine(split, lineOptions, headers + record, beginningsIn);
        },
      });
    },
  };
}

/** A CSV file and its columns. */
type CsvInput = InputFile & FileColumns;

function isDelimiter(delimiter: unknown): boolean {
  return typeof delimiter === 'string' && delimiter !== '' && !/["\r\n]/.test(delimiter);
}

function findNameProblem(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (const name of names) {
    if (name === '__proto__') return 'no column can be called "__proto__"';
    if (seen.has(name)) return `there are two called ${JSON.stringify(name)}`;
    seen.add(name);
  }
  return names.length === 0 ? 'there are none' : undefined;
}

/** The names of the columns: `columns`, or those of the first line; undefined if the file is empty. */
async function readHeader(
  file: InputFile,
  dialect: CsvDialect,
  columns: readonly string[] | undefined,
  { environment }: SourcePlanContext,
): Promise<readonly string[] | undefined> {
  const { path, end } = file;
  const options = { environment, newlinesInQuotes: dialect.newlinesInValues };
  const blocks = await LineBlocks.open({ file, start: 0, end }, options);
  try {
    const block = await blocks.next();
    if (block === null) return undefined;
    const [first] = csvRecords(block.text, dialect);
    if (first?.index !== 0) throw headerProblem(path, 'the first line is empty');
    if (columns !== undefined) return columns;
    const names = parseCsvRows(first.record, dialect)?.[0];
    const problem = names === undefined ? findCsvFault(first.record, [], dialect)?.problem : findNameProblem(names);
    if (problem !== undefined) throw headerProblem(path, problem);
    return names;
  } finally {
    await blocks.close();
  }
}

function headerProblem(file: string, problem: string): MalformedInputError {
  return new MalformedInputError({ file, line: 1, column: 1 }, `the header cannot be used: ${problem}`);
}

class CsvReader<Out> implements SourceReader<Out> {
  readonly #blocks: LineBlocks;
  readonly #columns: readonly string[];
  readonly #dialect: CsvDialect;
  readonly #parse: ((row: Readonly<Record<string, string>>) => Out) | undefined;
  /** Of the block that is read from. */
  #rows: readonly string[][] = [];
  #at = 0;
  #block: LineBlock = { text: '', bytes: Buffer.alloc(0), offset: 0 };
  /** Rows to pass over at the start of the next block, and of the present one: the header. */
  #skipNext: number;
  #skip = 0;

  constructor(
    blocks: LineBlocks,
    columns: readonly string[],
    hasHeader: boolean,
    dialect: CsvDialect,
    parse: ((row: Readonly<Record<string, string>>) => Out) | undefined,
  ) {
    this.#blocks = blocks;
    this.#columns = columns;
    this.#skipNext = hasHeader ? 1 : 0;
    this.#dialect = dialect;
    this.#parse = parse;
  }

  read(maxRecords: number): readonly Out[] | Promise<readonly Out[] | null> {
    const rows = this.#rows;
    const columns = this.#columns;
    const parse = this.#parse;
    const end = Math.min(rows.length, this.#at + maxRecords);
    if (this.#at >= end) return this.#readOn(maxRecords);
    const records: Out[] = [];
    for (let at = this.#at; at < end; at++) {
      const values = rows[at] ?? [];
      if (values.length !== columns.length) return this.#malformed(at);
      const row: Record<string, string> = {};
      for (let index = 0; index < columns.length; index++) row[columns[index] as string] = values[index] as string;
      try {
        records.push(parse === undefined ? (row as Out) : parse(row));
      } catch (error) {
        return this.#malformed(at, error);
      }
    }
    this.#at = end;
    return records;
  }

  close(): Promise<void> {
    return this.#blocks.close();
  }

  async #readOn(maxRecords: number): Promise<readonly Out[] | null> {
    const block = await this.#blocks.next();
    if (block === null) return null;
    this.#block = block;
    this.#skip = this.#skipNext;
    this.#skipNext = 0;
    const rows = parseCsvRows(block.text, this.#dialect);
    if (rows === undefined) return this.#malformed(Infinity);
    this.#rows = rows;
    this.#at = this.#skip;
    return this.read(maxRecords);
  }

  /** Finds the first malformed record up to row `row` of the block; if there is none, `cause` is about that row. */
  async #malformed(row: number, cause?: unknown): Promise<never> {
    let count = 0;
    for (const { index, record } of csvRecords(this.#block.text, this.#dialect)) {
      const isHeader = this.#skip > count;
      const fault = isHeader ? undefined : findCsvFault(record, this.#columns, this.#dialect);
      if (fault !== undefined) return this.#fail(index + fault.index, fault.problem);
      if (count++ === row) return this.#fail(index, toError(cause).message, cause);
    }
    return this.#fail(0, 'not valid CSV');
  }

  async #fail(index: number, problem: string, cause?: unknown): Promise<never> {
    const before = this.#block.text.slice(0, index);
    throw new MalformedInputError(
      {
        file: this.#blocks.path,
        line: await this.#blocks.lineAt(this.#block.offset + Buffer.byteLength(before)),
        column: index - before.lastIndexOf('\n'),
      },
      problem,
      { cause },
    );
  }
}
