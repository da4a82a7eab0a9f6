import { MalformedInputError } from '../../errors/connector-errors.ts';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { cutToFit } from '../../foreign-value.ts';
import { checkFunction, checkOptions, type OptionNames } from '../../options.ts';
import { type ErrorOptions, errorOptionNames } from '../../operators/rejected/on-error.ts';
import type { Source, SourcePlanContext, SourceReader } from '../../operators/source.ts';
import { RejectedRows, rejectingSource } from '../rejecting-rows.ts';
import { checkColumns } from '../csv/csv-head.ts';
import { type FilesPlan, fixFiles, type PlannedSplit, splitsOf } from '../inputs/files-plan.ts';
import { OpenFile } from '../inputs/fixed-file.ts';
import { fileSource } from '../inputs/file-source.ts';
import { checkInputPaths, type InputPaths } from '../inputs/input-files.ts';
import { bufferOf, parquetInput, type ParquetInputFile, planRowGroups } from '../inputs/row-groups.ts';
import { assertSameColumns } from '../inputs/same-columns.ts';
import { type SplitsPosition, SplitsReader } from '../inputs/splits-reader.ts';
import { type ColumnPlan, planColumns } from './column-plan.ts';
import { type RowBuilder, rowBuilder } from './row-builder.ts';
import { findUnfit } from './value-faults.ts';
import { type ParquetInput, type ParquetLibrary, type RowGroupShare, readColumn } from './read-column.ts';
import { checkValueOptions, chosenValues, type ValueOptions } from '../value-options.ts';

/** Options of `parquetFile`. The record of a rejected row is the row, without the values that do not fit. */
export interface ParquetFileOptions<Out>
  extends ValueOptions,
    ErrorOptions<Readonly<Record<string, unknown>>, NoInfer<Out>> {
  /** The columns to read; only these are decoded. Default: all. */
  readonly columns?: readonly string[] | undefined;
  /** Checks or converts a row. An error it throws is reported as malformed input, with file and row. */
  readonly parse?: ((row: Readonly<Record<string, unknown>>) => Out) | undefined;
}

const optionNames = {
  columns: true,
  parse: true,
  int64: true,
  decimals: true,
  timestamps: true,
  binary: true,
  maps: true,
  ...errorOptionNames,
} satisfies OptionNames<ParquetFileOptions<unknown>>;

/**
 * Reads Parquet files as objects, one per row, with the columns as properties. Needs the packages `hyparquet` and
 * `hyparquet-compressors`. Holds one row group per subtask in memory.
 *
 * The schema of the file and the options decide how values are converted; `docs/values.md` has the table. Every column
 * becomes an own property of the record, whatever its name. Null is null at every depth.
 *
 * Splittable by row group: a subtask reads contiguous groups; subtasks beyond the number of groups read none.
 * Replayable: the set of files and their footers are fixed once per run; a file that changes during the run fails the
 * job with an `InputChangedError`. `path` is a file, a directory, a glob pattern, or a list of these; all files have
 * the same columns.
 *
 * Reading fails with a {@link MalformedInputError} that names the row of a value that does not fit the options (unless
 * `onError` rejects the row), the column of unknown form, or the row group where the file is broken; and with a `FileAccessError` or `NoInputError` if
 * there is no file.
 */
export function parquetFile<Out = Readonly<Record<string, unknown>>>(
  path: InputPaths,
  options: ParquetFileOptions<Out> = {},
): Source<Out> {
  const paths = checkInputPaths(path);
  checkOptions('parquetFile', options, optionNames);
  const { columns, parse } = options;
  if (Array.isArray(columns) && columns.length === 0) {
    throw new InvalidArgumentError('columns', columns, 'at least one name, or no `columns`');
  }
  if (columns !== undefined) checkColumns(columns);
  if (parse !== undefined) checkFunction('parse', parse);
  checkValueOptions(options);
  const values = chosenValues(options, ['int64', 'decimals', 'timestamps', 'binary', 'maps']);
  const made = { kind: 'parquetFile', functions: { parse }, options: { columns, ...values } };
  const rejecting = rejectingSource<Out>('parquetFile', options);
  const plan = async (context: SourcePlanContext): Promise<FilesPlan<ParquetInputFile>> => {
    const library = await loadLibrary();
    const files = await fixFiles(paths, context, (file, firstBytes) =>
      parquetInput(file, firstBytes, (bytes) => library.parquetMetadataAsync(bytes)),
    );
    assertSameColumns(
      files.map((file) => ({
        path: file.path,
        columns: columnPlansOf(library, file, options).map(({ name }) => name),
      })),
    );
    return planRowGroups(files, context.parallelism);
  };
  return {
    ...fileSource<ParquetInputFile>(paths, made, 'blocks'),
    ...rejecting,
    maxParallelism: Number.MAX_SAFE_INTEGER,
    plan,
    open: async (context, planned?: FilesPlan<ParquetInputFile>, from?: unknown) => {
      const library = await loadLibrary();
      const { logger } = context.environment;
      return SplitsReader.open(
        splitsOf(planned ?? (await plan(context)), context.subtask, from as SplitsPosition | undefined),
        {
          open: async (split) => {
            const { metadata, path: file } = split.file;
            const columnPlans = columnPlansOf(library, split.file, options);
            const opened = await OpenFile.open(split.file);
            const input = { path: file, library, file: bufferOf(opened), metadata, logger };
            const rejected = rejecting.errors && new RejectedRows(context);
            return new ParquetReader(input, opened, groupsOf(split), columnPlans, parse, rejected);
          },
          restOf: (split, { group }) => (group > split.start ? { ...split, start: group } : undefined),
          locate: async (split, at) => {
            const row = (groupsOf(split)[0]?.rowStart ?? 0) + at + 1;
            return `${split.file.path}: row ${row}`;
          },
        },
        from as SplitsPosition | undefined,
      );
    },
  };
}

async function loadLibrary(): Promise<ParquetLibrary> {
  try {
    const [hyparquet, { compressors }] = await Promise.all([import('hyparquet'), import('hyparquet-compressors')]);
    return { ...hyparquet, compressors };
  } catch (cause) {
    throw new UnrecoverableError(
      `parquetFile needs two more packages: npm install hyparquet hyparquet-compressors (${toError(cause).message})`,
      { cause },
    );
  }
}

function groupsOf({ file, start, end }: PlannedSplit<ParquetInputFile>): RowGroupShare[] {
  const groups: RowGroupShare[] = [];
  let rowStart = 0;
  for (const { num_rows } of file.metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    groups.push({ number: groups.length + 1, rowStart, rowEnd });
    rowStart = rowEnd;
  }
  return groups.slice(start, end);
}

function columnPlansOf(
  library: ParquetLibrary,
  { path, metadata }: ParquetInputFile,
  options: ParquetFileOptions<unknown>,
): readonly ColumnPlan[] {
  const schema = library.parquetSchema(metadata);
  const names = schema.children.map(({ element }) => element.name);
  // A sink subtask without rows writes such a file.
  if (names.length === 0 && metadata.num_rows === 0n) return [];
  const unknown = options.columns?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      'columns',
      unknown,
      `columns of ${path}, which are ${cutToFit(names.join(', '), 400)}`,
    );
  }
  return planColumns(path, schema, options.columns ?? names, options);
}

class ParquetReader<Out> implements SourceReader<Out> {
  readonly #input: ParquetInput;
  readonly #opened: OpenFile;
  readonly #groups: readonly RowGroupShare[];
  readonly #plans: readonly ColumnPlan[];
  readonly #names: readonly string[];
  readonly #rows: RowBuilder;
  readonly #parse: ((row: Readonly<Record<string, unknown>>) => Out) | undefined;
  readonly #rejected: RejectedRows | undefined;
  /** Rows of the current row group with values that do not fit: the problem. */
  #unfit = new Map<number, string>();
  #nextGroup = 0;
  /** Values of the current row group, parallel to `#plans`. */
  #columns: readonly ArrayLike<unknown>[] = [];
  #rowCount = 0;
  #at = 0;
  #isClosed = false;

  constructor(
    input: ParquetInput,
    opened: OpenFile,
    groups: readonly RowGroupShare[],
    plans: readonly ColumnPlan[],
    parse: ((row: Readonly<Record<string, unknown>>) => Out) | undefined,
    rejected: RejectedRows | undefined,
  ) {
    this.#rejected = rejected;
    this.#input = input;
    this.#opened = opened;
    this.#groups = groups;
    this.#plans = plans;
    this.#names = plans.map(({ name }) => name);
    this.#rows = rowBuilder(this.#names);
    this.#parse = parse;
  }

  read(maxRecords: number): readonly Out[] | null | Promise<readonly Out[] | null> {
    if (this.#at >= this.#rowCount) return this.#readGroup(maxRecords);
    const end = this.#endOfFit(Math.min(this.#rowCount, this.#at + maxRecords));
    const unfit = this.#unfit.get(this.#at);
    if (unfit !== undefined) return this.#reject(unfit);
    const rows = this.#rows(this.#names, this.#columns, this.#at, end);
    if (this.#parse !== undefined) return this.#parsed(rows, this.#parse);
    this.#at = end;
    return rows as Out[];
  }

  /** Rows that it has left out. */
  get leftOut(): number {
    return this.#rejected?.leftOut ?? 0;
  }

  /** Index in the file of the row group whose rows it hands out. */
  get group(): number {
    return (this.#groups[this.#nextGroup - 1]?.number ?? 1) - 1;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#columns = [];
    await this.#opened.close();
  }

  async #readGroup(maxRecords: number): Promise<readonly Out[] | null> {
    this.#columns = [];
    const group = this.#groups[this.#nextGroup++];
    if (group === undefined) {
      if (!this.#isClosed) await this.#opened.verify();
      return null;
    }
    const columns: ArrayLike<unknown>[] = [];
    const unfit = this.#rejected && new Map<number, string>();
    try {
      for (const plan of this.#plans) columns.push(await readColumn(this.#input, group, plan, unfit));
    } catch (error) {
      if (!this.#isClosed) {
        // If the file was changed during the run, report that instead of the broken bytes.
        await this.#opened.verify();
        throw error;
      }
    }
    if (this.#isClosed) return null;
    this.#columns = columns;
    this.#unfit = unfit ?? this.#unfit;
    this.#rowCount = group.rowEnd - group.rowStart;
    this.#at = 0;
    return this.read(maxRecords);
  }

  #parsed(rows: Record<string, unknown>[], parse: (row: Readonly<Record<string, unknown>>) => Out): readonly Out[] {
    const records: Out[] = [];
    try {
      for (const row of rows) records.push(parse(row));
    } catch (cause) {
      this.#at += records.length;
      // The rows before it come first; then it is alone.
      return this.#rejected !== undefined && records.length > 0 ? records : this.#reject(toError(cause).message, cause);
    }
    this.#at += rows.length;
    return records;
  }

  /** Where the rows from the next one on end that have no value that does not fit. */
  #endOfFit(end: number): number {
    if (this.#unfit.size === 0) return end;
    for (let at = this.#at + 1; at < end; at++) if (this.#unfit.has(at)) return at;
    return end;
  }

  /** The next row cannot be a record. @throws MalformedInputError unless it is rejected */
  #reject(problem: string, cause?: unknown): readonly Out[] {
    const row = (this.#groups[this.#nextGroup - 1]?.rowStart ?? 0) + this.#at + 1;
    const error = new MalformedInputError({ file: this.#input.path, row }, problem, { cause });
    if (this.#rejected === undefined) throw error;
    const [raw = {}] = this.#rows(this.#names, this.#columns, this.#at, this.#at + 1);
    for (const [name, value] of Object.entries(raw)) if (findUnfit(value) !== undefined) delete raw[name];
    const records = this.#rejected.reject<Out>(error, raw, `${this.#input.path}: row ${row}`);
    this.#at++;
    return records;
  }
}
