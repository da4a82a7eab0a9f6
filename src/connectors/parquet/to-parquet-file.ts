import { inQuotes } from '../../foreign-value.ts';
import { gzipSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import type * as hyparquetWriter from 'hyparquet-writer';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { Sink } from '../../operators/sink.ts';
import { checkInteger, checkOptions, checkWord } from '../../options.ts';
import { checkOutputPath } from '../file-problem.ts';
import { type ColumnType, columnType, columnTypeNames, nothing, type ParquetColumnType } from './column-type.ts';
import { RowGroupBuffer } from './row-group-buffer.ts';
import type { PartFile } from '../outputs/part-file.ts';
import { partFileSink } from '../outputs/part-file-sink.ts';
import { type PartContent, PartWriter } from '../outputs/part-writer.ts';
import { checkRollingOptions, type RollingOptions } from '../outputs/part-options.ts';

export interface ToParquetFileOptions<In> extends Pick<RollingOptions, 'rollBytes'> {
  /**
   * The columns and their types, in order. Other properties are not written. Default: the properties of the records in
   * the first row group, each with the type of its first value: number as `double`, bigint as `int64`, string, boolean,
   * `Date` as `timestamp`, `Uint8Array` as `binary`, objects and arrays as `json`. Each subtask decides for itself.
   */
  readonly columns?: Readonly<Partial<Record<keyof In & string, ParquetColumnType>>> | undefined;
  /** Maximum number of rows in a row group; one group is held in memory. Default 16 384. A group also ends at 32 MB. */
  readonly rowGroupSize?: number | undefined;
  /** Default `snappy`. */
  readonly compression?: 'snappy' | 'gzip' | 'none' | undefined;
}

const codecs = { snappy: 'SNAPPY', gzip: 'GZIP', none: 'UNCOMPRESSED' } as const;
const maxGroupBytes = 32 << 20;

/**
 * Writes objects as a Parquet file with a column per property. Needs the package `hyparquet-writer`. Null and undefined
 * become null. `parquetFile` reads the same values back (with `int64: 'bigint'` if there are bigints). A value that its
 * column cannot hold exactly is an error that names row and column.
 *
 * A sink with one subtask writes to `path` itself; otherwise each subtask writes its own file beside it,
 * `name-00000-of-00004.ext`. Missing directories are created. Part files from a run with a different parallelism are
 * left alone.
 *
 * Exactly once: a subtask's file appears in one step when the subtask finishes, and replaces the file of an earlier
 * attempt or run. A failed attempt leaves nothing behind; a restarted subtask writes its file from the start. With
 * checkpoints, it writes a file for each interval with records, `name_part-00001.ext` after the first, which appears when
 * the checkpoint is complete; a restarted subtask continues behind those of its checkpoint. `rollBytes` makes more of them,
 * and counts the row groups that are written.
 */
export function toParquetFile<In extends object>(path: string, options: ToParquetFileOptions<In> = {}): Sink<In> {
  checkOutputPath(path);
  checkOptions('toParquetFile', options, { columns: true, rowGroupSize: true, compression: true, rollBytes: true });
  const { rowGroupSize = 16_384, compression = 'snappy', rollBytes } = options;
  checkRollingOptions({ rollBytes });
  checkInteger('rowGroupSize', rowGroupSize, 1, Number.MAX_SAFE_INTEGER);
  checkWord('compression', compression, Object.keys(codecs));
  const columns = options.columns === undefined ? undefined : typesOf(options.columns);
  const sink = partFileSink(path, {
    kind: 'toParquetFile',
    options: { columns: options.columns, rowGroupSize, compression, rollBytes },
  });
  return {
    ...sink,
    open: async (context, from) => {
      const library = await loadLibrary();
      const begin = (file: PartFile): PartContent<In> =>
        new ParquetContent(library, file, new RowGroupBuffer(file.path, columns), rowGroupSize, codecs[compression]);
      return PartWriter.open(sink.target.path, context, { packing: 'none', rollBytes, begin }, from);
    },
  };
}

function typesOf(columns: Readonly<Partial<Record<string, ParquetColumnType>>>): ReadonlyMap<string, ColumnType> {
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns)) {
    throw new InvalidArgumentError('columns', columns, 'an object with the type of each column by name');
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

/** The content of one Parquet file. */
class ParquetContent<In> implements PartContent<In> {
  readonly #library: WriterLibrary;
  readonly #file: PartFile;
  readonly #buffer: RowGroupBuffer;
  readonly #rowGroupSize: number;
  readonly #codec: (typeof codecs)[keyof typeof codecs];
  readonly #bytes: hyparquetWriter.ByteWriter;
  /** Set at the first row group, when the columns are known. */
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

  async end(): Promise<void> {
    await this.#writeGroup();
    const parquet = this.#started();
    parquet.schema = this.#schema(({ element }) => element);
    void parquet.finish();
    await this.#file.append(this.#takeBytes());
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
      // The library's dictionary treats -0 as 0.
      ...(type?.element.type === 'DOUBLE' &&
        values.some((value) => Object.is(value, -0)) && { encoding: 'PLAIN' as const }),
    }));
    // The promise only matters for a writer that flushes; this one buffers its output.
    void this.#started().write({ columnData, rowGroupSize: rows });
    this.#buffer.clear();
    return this.#file.append(this.#takeBytes());
  }

  #started(): hyparquetWriter.ParquetWriter {
    this.#parquet ??= new this.#library.ParquetWriter({
      writer: this.#bytes,
      schema: this.#schema(({ element: { converted_type, ...element } }) => {
        // JSON is passed as text; with the older annotation the library would encode it again.
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

  /** A copy of the bytes written since the last call; the writer reuses its memory. */
  #takeBytes(): Uint8Array {
    const bytes = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    return bytes;
  }
}
