import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { FileAccessError, InvalidArgumentError, MalformedInputError, toError, UnrecoverableError } from '../errors.ts';
import type { Source, SourceReader } from '../operators/source.ts';
import { shareOf } from './byte-range.ts';
import { checkPath, fileProblem } from './file-problem.ts';
import { type ColumnPlan, planColumns } from './parquet/column-plan.ts';
import { type RowBuilder, rowBuilder } from './parquet/row-builder.ts';
import { type ParquetInput, type ParquetLibrary, type RowGroupShare, readColumn } from './parquet/read-column.ts';
import { checkValueOptions, type ValueOptions } from './value-options.ts';

export interface ParquetFileOptions<Out> extends ValueOptions {
  /** Names of the columns to read; only these are decoded. Default: all. */
  readonly columns?: readonly string[];
  /** Checks or converts a row. What it throws is reported as malformed input, with file and row. */
  readonly parse?: (row: Readonly<Record<string, unknown>>) => Out;
}

/**
 * Reads a Parquet file as objects, one a row, with the columns as properties. Needs the packages `hyparquet` and
 * `hyparquet-compressors`. Holds one row group in memory per subtask.
 *
 * Splittable, by row group: a subtask reads contiguous groups, and none if there are more subtasks than groups.
 * Replayable: a restarted subtask reads its groups again and no others, so the file must not change while a job runs.
 *
 * Reading fails with a {@link MalformedInputError} that names the row group when the file is broken, and with a
 * {@link FileAccessError}, which a restart may cure, when it is missing.
 */
export function parquetFile<Out = Readonly<Record<string, unknown>>>(
  path: string,
  options: ParquetFileOptions<Out> = {},
): Source<Out> {
  checkPath(path);
  const { columns, parse } = options;
  if (columns?.length === 0) throw new InvalidArgumentError('columns', columns, 'at least one name, or no `columns`');
  checkValueOptions(options);
  return {
    name: basename(path),
    origin: { kind: 'files', paths: [path] },
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    open: async ({ subtask, parallelism, environment }) => {
      const library = await loadLibrary();
      const handle = await openFile(path);
      try {
        const file = await bufferOf(handle, path);
        const metadata = await readMetadata(library, file, path);
        const groups = groupsOf(metadata, subtask, parallelism);
        const plans = planOf(library, metadata, path, options);
        return new ParquetReader(
          { path, library, file, metadata, logger: environment.logger },
          handle,
          groups,
          plans,
          parse,
        );
      } catch (error) {
        await handle.close();
        throw error;
      }
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

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw fileProblem(path, 'read', error);
  }
}

async function bufferOf(handle: FileHandle, path: string): Promise<AsyncBuffer> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new FileAccessError(path, 'cannot read: not a file', { recovery: 'never' });
  return {
    byteLength: stat.size,
    slice: async (start, end = stat.size) => {
      const bytes = new Uint8Array(Math.max(0, end - start));
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await handle
          .read(bytes, length, bytes.length - length, start + length)
          .catch((error: unknown) => Promise.reject(fileProblem(path, 'read', error)));
        if (bytesRead === 0) {
          if (end <= stat.size) throw new FileAccessError(path, 'is shorter than when it was opened');
          throw new MalformedInputError({ file: path }, `refers to byte ${end}, but has ${stat.size}`);
        }
        length += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

async function readMetadata(library: ParquetLibrary, file: AsyncBuffer, path: string): Promise<FileMetaData> {
  try {
    return await library.parquetMetadataAsync(file);
  } catch (cause) {
    if (cause instanceof FileAccessError) throw cause;
    throw new MalformedInputError({ file: path }, `not a Parquet file: ${toError(cause).message}`, { cause });
  }
}

function groupsOf(metadata: FileMetaData, subtask: number, parallelism: number): RowGroupShare[] {
  const groups: RowGroupShare[] = [];
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    groups.push({ number: groups.length + 1, rowStart, rowEnd });
    rowStart = rowEnd;
  }
  const { start, end } = shareOf(subtask, parallelism, groups.length);
  return groups.slice(start, end);
}

function planOf(
  library: ParquetLibrary,
  metadata: FileMetaData,
  path: string,
  options: ParquetFileOptions<unknown>,
): readonly ColumnPlan[] {
  const schema = library.parquetSchema(metadata);
  const names = schema.children.map(({ element }) => element.name);
  const unknown = options.columns?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError('columns', unknown, `columns of ${path}, which are ${names.join(', ')}`);
  }
  return planColumns(path, schema, options.columns ?? names, options);
}

class ParquetReader<Out> implements SourceReader<Out> {
  readonly #input: ParquetInput;
  readonly #handle: FileHandle;
  readonly #groups: readonly RowGroupShare[];
  readonly #plans: readonly ColumnPlan[];
  readonly #rows: RowBuilder;
  readonly #parse: ((row: Readonly<Record<string, unknown>>) => Out) | undefined;
  #nextGroup = 0;
  /** Values of the present row group, parallel to `#plans`. */
  #columns: readonly ArrayLike<unknown>[] = [];
  #rowCount = 0;
  #at = 0;
  #isClosed = false;

  constructor(
    input: ParquetInput,
    handle: FileHandle,
    groups: readonly RowGroupShare[],
    plans: readonly ColumnPlan[],
    parse: ((row: Readonly<Record<string, unknown>>) => Out) | undefined,
  ) {
    this.#input = input;
    this.#handle = handle;
    this.#groups = groups;
    this.#plans = plans;
    this.#rows = rowBuilder(plans.map(({ name }) => name));
    this.#parse = parse;
  }

  read(maxRecords: number): readonly Out[] | null | Promise<readonly Out[] | null> {
    if (this.#at >= this.#rowCount) return this.#readGroup(maxRecords);
    const end = Math.min(this.#rowCount, this.#at + maxRecords);
    const rows = this.#rows(this.#columns, this.#at, end);
    const records = this.#parse === undefined ? (rows as Out[]) : this.#parsed(rows, this.#parse);
    this.#at = end;
    return records;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#columns = [];
    await this.#handle.close();
  }

  async #readGroup(maxRecords: number): Promise<readonly Out[] | null> {
    this.#columns = [];
    const group = this.#groups[this.#nextGroup++];
    if (group === undefined) return null;
    const columns: ArrayLike<unknown>[] = [];
    try {
      for (const plan of this.#plans) columns.push(await readColumn(this.#input, group, plan));
    } catch (error) {
      if (!this.#isClosed) throw error;
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
