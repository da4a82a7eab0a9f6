import { MalformedInputError } from '../../errors/connector-errors.ts';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { cutToFit } from '../../foreign-value.ts';
import { checkFunction, checkOptions, type OptionNames } from '../../options.ts';
import type { Source, SourcePlanContext, SourceReader } from '../../operators/source.ts';
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
import { type ParquetInput, type ParquetLibrary, type RowGroupShare, readColumn } from './read-column.ts';
import { checkValueOptions, chosenValues, type ValueOptions } from '../value-options.ts';

export interface ParquetFileOptions<Out> extends ValueOptions {
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
 * Reading fails with a {@link MalformedInputError} that names the row of a value that does not fit the options, the
 * column of unknown form, or the row group where the file is broken; and with a `FileAccessError` or `NoInputError` if
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
    maxParallelism: Number.MAX_SAFE_INTEGER,
    plan,
    open: async (context, planned?: FilesPlan<ParquetInputFile>, from?: unknown) => {
      const library = await loadLibrary();
      const { logger } = context.environment;
      return SplitsReader.open(
        splitsOf(planned ?? (await plan(context)), context.subtask),
        {
          open: async (split) => {
            const { metadata, path: file } = split.file;
            const columnPlans = columnPlansOf(library, split.file, options);
            const opened = await OpenFile.open(split.file);
            const input = { path: file, library, file: bufferOf(opened), metadata, logger };
            return new ParquetReader(input, opened, groupsOf(split), columnPlans, parse);
          },
          restOf: (split, { group }) => (group > split.start ? { ...split, start: group } : undefined),
          locate: async (split, record) => {
            const row = (groupsOf(split)[0]?.rowStart ?? 0) + record + 1;
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
  ) {
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
    const end = Math.min(this.#rowCount, this.#at + maxRecords);
    const rows = this.#rows(this.#names, this.#columns, this.#at, end);
    const records = this.#parse === undefined ? (rows as Out[]) : this.#parsed(rows, this.#parse);
    this.#at = end;
    return records;
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
    try {
      for (const plan of this.#plans) columns.push(await readColumn(this.#input, group, plan));
    } catch (error) {
      if (!this.#isClosed) {
        // If the file was changed during the run, report that instead of the broken bytes.
        await this.#opened.verify();
        throw error;
      }
    }
    if (this.#isClosed) return null;
    this.#columns = columns;
    this.#rowCount = group.rowEnd - group.rowStart;
    this.#at = 0;
    return this.read(maxRecords);
  }

  #parsed(rows: Record<string, unknown>[], parse: (row: Readonly<Record<string, unknown>>) => Out): Out[] {
    const records: Out[] = [];
    try {
      for (const row of rows) records.push(parse(row));
      return records;
    } catch (cause) {
      const rowStart = this.#groups[this.#nextGroup - 1]?.rowStart ?? 0;
      const row = rowStart + this.#at + records.length + 1;
      throw new MalformedInputError({ file: this.#input.path, row }, toError(cause).message, { cause });
    }
  }
}
