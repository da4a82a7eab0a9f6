import { inQuotes } from '../../foreign-value.ts';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import type * as hyparquetWriter from 'hyparquet-writer';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { Sink, SinkWriter } from '../../operators/sink.ts';
import { checkInteger, checkOptions, checkWord } from '../../options.ts';
import { checkOutputPath } from '../file-problem.ts';
import { type ColumnType, columnType, columnTypeNames, nothing, type ParquetColumnType } from './column-type.ts';
import { RowGroupBuffer } from './row-group-buffer.ts';
import { PartFile } from '../outputs/part-file.ts';

export interface ToParquetFileOptions<In> {
  /**
   * The columns in their order, with what they hold. Other properties are not written. Default: those of the records of
   * the first row group, each with the type of its first value: number as `double`, bigint as `int64`, string, boolean,
   * `Date` as `timestamp`, `Uint8Array` as `binary`, objects and arrays as `json`. Subtasks decide that each for itself.
   */
  readonly columns?: Readonly<Partial<Record<keyof In & string, ParquetColumnType>>> | undefined;
  /** The most rows in a row group, which is what is held in memory. Default 16 384. A group of 32 MB ends sooner. */
  readonly rowGroupSize?: number | undefined;
  /** Default `snappy`. */
  readonly compression?: 'snappy' | 'gzip' | 'none' | undefined;
}

const codecs = { snappy: 'SNAPPY', gzip: 'GZIP', none: 'UNCOMPRESSED' } as const;
const maxGroupBytes = 32 << 20;

/**
 * Writes objects as a Parquet file, a column for each property. Needs the package `hyparquet-writer`. Null and undefined
 * are null. `parquetFile` reads the values back as they were (with `int64: 'bigint'` where there are bigints); a value that
 * its column cannot hold exactly is an error that names row and column.
 *
 * To `path` itself when the sink has one subtask, otherwise each subtask to its own file beside it,
 * `name-00000-of-00004.ext`. Directories are created. Part files that a run of another parallelism left are not touched.
 *
 * Exactly once: a subtask's file appears at once when the subtask finishes, and replaces the one of an earlier attempt or
 * run. Of an attempt that failed nothing is left. A restarted subtask writes its file anew.
 */
export function toParquetFile<In extends object>(path: string, options: ToParquetFileOptions<In> = {}): Sink<In> {
  checkOutputPath(path);
  checkOptions('toParquetFile', options, { columns: true, rowGroupSize: true, compression: true });
  const { rowGroupSize = 16_384, compression = 'snappy' } = options;
  checkInteger('rowGroupSize', rowGroupSize, 1, Number.MAX_SAFE_INTEGER);
  checkWord('compression', compression, Object.keys(codecs));
  const columns = options.columns === undefined ? undefined : typesOf(options.columns);
  return {
    name: basename(path),
    target: { kind: 'file', path },
    guarantee: 'exactly-once',
    open: async (context) => {
      const library = await loadLibrary();
      const file = await PartFile.open(path, context);
      return new ParquetSinkWriter(
        library,
        file,
        new RowGroupBuffer(file.path, columns),
        rowGroupSize,
        codecs[compression],
      );
    },
  };
}

function typesOf(columns: Readonly<Partial<Record<string, ParquetColumnType>>>): ReadonlyMap<string, ColumnType> {
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns)) {
    throw new InvalidArgumentError('columns', columns, 'an object: the type of each column by its name');
  }
  const typeByName = new Map<string, ColumnType>();
  for (const [name, given] of Object.entries(columns)) {
    const type = given && columnType(given);
    if (type === undefined) {
      const expected = `${columnTypeNames.join(', ')} or { decimal: [precision, scale] }`;
      throw new InvalidArgumentError(`columns: ${inQuotes(name)}`, given, expected);
    }
    typeByName.set(name, type);
  }
  if (typeByName.size === 0) throw new InvalidArgumentError('columns', columns, 'at least one, or no `columns`');
  return typeByName;
}

type WriterLibrary = Pick<typeof hyparquetWriter, 'ByteWriter' | 'ParquetWriter'>;

async function loadLibrary(): Promise<WriterLibrary> {
  try {
    return await import('hyparquet-writer');
  } catch (cause) {
    throw new UnrecoverableError(
      `toParquetFile needs one more package: npm install hyparquet-writer (${toError(cause).message})`,
      { cause },
    );
  }
}

class ParquetSinkWriter<In> implements SinkWriter<In> {
  readonly #library: WriterLibrary;
  readonly #file: PartFile;
  readonly #buffer: RowGroupBuffer;
  readonly #rowGroupSize: number;
  readonly #codec: (typeof codecs)[keyof typeof codecs];
  readonly #bytes: hyparquetWriter.ByteWriter;
  /** From the first row group on, when the columns are known. */
  #parquet: hyparquetWriter.ParquetWriter | undefined;

  constructor(
    library: WriterLibrary,
    file: PartFile,
    buffer: RowGroupBuffer,
    rowGroupSize: number,
    codec: (typeof codecs)[keyof typeof codecs],
  ) {
    this.#library = library;
    this.#file = file;
    this.#buffer = buffer;
    this.#rowGroupSize = rowGroupSize;
    this.#codec = codec;
    this.#bytes = new library.ByteWriter();
  }

  write(records: readonly In[]): void | Promise<void> {
    return this.#writeFrom(records, 0);
  }

  async commit(): Promise<void> {
    try {
      await this.#writeGroup();
      const parquet = this.#started();
      parquet.schema = this.#schema(({ element }) => element);
      void parquet.finish();
      await this.#file.append(this.#takeBytes());
    } catch (error) {
      await this.#file.abort();
      throw error;
    }
    await this.#file.commit();
  }

  abort(): Promise<void> {
    return this.#file.abort();
  }

  #writeFrom(records: readonly In[], start: number): void | Promise<void> {
    for (let at = start; at < records.length; at++) {
      this.#buffer.add(records[at]);
      if (this.#buffer.rows < this.#rowGroupSize && this.#buffer.bytes < maxGroupBytes) continue;
      const written = this.#writeGroup();
      if (written !== undefined) return written.then(() => this.#writeFrom(records, at + 1));
    }
  }

  #writeGroup(): void | Promise<void> {
    const { rows, columns } = this.#buffer;
    if (rows === 0) return;
    const columnData = columns.map(({ name, type, values }) => ({
      name,
      data: values,
      // The library's dictionary takes -0 for 0.
      ...(type?.element.type === 'DOUBLE' &&
        values.some((value) => Object.is(value, -0)) && { encoding: 'PLAIN' as const }),
    }));
    // The promise is of a writer that flushes: this one holds what is written.
    void this.#started().write({ columnData, rowGroupSize: rows });
    this.#buffer.clear();
    return this.#file.append(this.#takeBytes());
  }

  #started(): hyparquetWriter.ParquetWriter {
    this.#parquet ??= new this.#library.ParquetWriter({
      writer: this.#bytes,
      schema: this.#schema(({ element: { converted_type, ...element } }) => {
        // JSON is stored as text that we made: by its older name the library would take it for a value.
        return converted_type === undefined || converted_type === 'JSON' ? element : { ...element, converted_type };
      }),
      codec: this.#codec,
      compressors: { GZIP: (bytes) => gzipSync(bytes) },
      createdBy: 'kintsugi',
    });
    return this.#parquet;
  }

  #schema(elementOf: (type: ColumnType) => ColumnType['element']): SchemaElement[] {
    const { columns } = this.#buffer;
    const elements = columns.map(({ name, type = nothing }) => ({ name, ...elementOf(type) }));
    return [{ name: 'schema', num_children: columns.length }, ...elements];
  }

  /** What was written since, as bytes of their own: the writer goes on in the same memory. */
  #takeBytes(): Uint8Array {
    const bytes = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    return bytes;
  }
}
