import type {
  AsyncBuffer,
  Compressors,
  FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
} from 'hyparquet';
import { FileAccessError, MalformedInputError, toError } from '../errors.ts';

/** What is used of the packages `hyparquet` and `hyparquet-compressors`. */
export interface ParquetLibrary {
  readonly parquetMetadataAsync: typeof parquetMetadataAsync;
  readonly parquetRead: typeof parquetRead;
  readonly parquetSchema: typeof parquetSchema;
  readonly compressors: Compressors;
}

/** What columns are read from, and how. */
export interface ParquetInput {
  readonly path: string;
  readonly library: ParquetLibrary;
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly int64: 'number' | 'bigint';
}

/** A row group and the rows of the file it holds. */
export interface RowGroupShare {
  /** Its place in the file, from 1. */
  readonly number: number;
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** Reads one column of one row group. Decoding a column at a time lets timers and other tasks run in between. */
export async function readColumn(
  input: ParquetInput,
  group: RowGroupShare,
  column: string,
): Promise<ArrayLike<unknown>> {
  const { library, path } = input;
  const chunks: ArrayLike<unknown>[] = [];
  const fail = (problem: string, cause?: unknown): never => {
    const place = `row group ${group.number} of ${input.metadata.row_groups.length}, column ${JSON.stringify(column)}`;
    throw new MalformedInputError({ file: path }, `${place}: ${problem}`, { cause });
  };
  try {
    await library.parquetRead({
      file: input.file,
      metadata: input.metadata,
      compressors: library.compressors,
      columns: [column],
      rowStart: group.rowStart,
      rowEnd: group.rowEnd,
      onChunk: ({ columnData }) => chunks.push(columnData),
    });
  } catch (error) {
    if (error instanceof FileAccessError) throw error;
    return fail(toError(error).message, error);
  }
  const values = chunks.length === 1 ? (chunks[0] as ArrayLike<unknown>) : joined(chunks);
  const count = group.rowEnd - group.rowStart;
  if (values.length !== count) return fail(`expected ${count} values, got ${values.length}`);
  return input.int64 === 'bigint' ? values : withoutBigints(values, fail);
}

function joined(chunks: readonly ArrayLike<unknown>[]): ArrayLike<unknown> {
  const values: unknown[] = [];
  for (const chunk of chunks) for (let at = 0; at < chunk.length; at++) values.push(chunk[at]);
  return values;
}

function withoutBigints(values: ArrayLike<unknown>, fail: (problem: string) => never): ArrayLike<unknown> {
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    return Array.from(values as ArrayLike<bigint>, (value) => toNumber(value, fail));
  }
  if (!Array.isArray(values)) return values;
  for (let at = 0; at < values.length; at++) {
    const value: unknown = values[at];
    if (typeof value === 'bigint') values[at] = toNumber(value, fail);
    else if (typeof value === 'object' && value !== null) values[at] = nestedWithoutBigints(value, fail);
  }
  return values;
}

/** Lists and structs, in place. */
function nestedWithoutBigints(value: object, fail: (problem: string) => never): unknown {
  if (Array.isArray(value)) return withoutBigints(value, fail);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const struct = value as Record<string, unknown>;
  for (const [key, member] of Object.entries(struct)) {
    if (typeof member === 'bigint') struct[key] = toNumber(member, fail);
    else if (typeof member === 'object' && member !== null) struct[key] = nestedWithoutBigints(member, fail);
  }
  return value;
}

function toNumber(value: bigint, fail: (problem: string) => never): number {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : fail(`${value} does not fit into a number. Set \`int64: 'bigint'\``);
}
