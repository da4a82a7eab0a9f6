import { inQuotes } from '../../foreign-value.ts';
import type {
  AsyncBuffer,
  ColumnChunk,
  Compressors,
  FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
} from 'hyparquet';
import type { Logger } from '../../environment.ts';
import { FileAccessError, InputChangedError, MalformedInputError } from '../../errors/connector-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ColumnPlan, LeafPlan } from './column-plan.ts';
import { findUnfit } from './value-faults.ts';

/** The parts of the packages `hyparquet` and `hyparquet-compressors` in use. */
export interface ParquetLibrary {
  readonly parquetMetadataAsync: typeof parquetMetadataAsync;
  readonly parquetRead: typeof parquetRead;
  readonly parquetSchema: typeof parquetSchema;
  readonly compressors: Compressors;
}

/** The file to read columns from. */
export interface ParquetInput {
  readonly path: string;
  readonly library: ParquetLibrary;
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly logger: Pick<Logger, 'warn'>;
}

/** A row group and its rows in the file. */
export interface RowGroupShare {
  /** Number in the file, from 1. */
  readonly number: number;
  readonly rowStart: number;
  readonly rowEnd: number;
}

/**
 * Reads one column of one row group. Between columns, timers and other tasks can run.
 *
 * @param unfit is told of values that do not fit the options: by index of the row in the group, the problem
 * @throws MalformedInputError that names the row of the first value that does not fit the options, without `unfit`; or
 *   the row group where the file is broken
 */
export async function readColumn(
  input: ParquetInput,
  group: RowGroupShare,
  column: ColumnPlan,
  unfit?: Map<number, string>,
): Promise<ArrayLike<unknown>> {
  const { faults, assemble } = column;
  faults.hasUnfit = false;
  const leaves: ArrayLike<unknown>[] = [];
  for (const leaf of column.leaves) leaves.push(await readLeaf(input, group, column.name, leaf));
  const values = assemble === undefined ? (leaves[0] as ArrayLike<unknown>) : assembled(leaves, assemble);
  if (faults.hasUnfit) noteUnfit(input, group, column.name, values, unfit);
  if (faults.hasDropped) warnOnce(input, column);
  return values;
}

function assembled(leaves: readonly ArrayLike<unknown>[], assemble: (slots: unknown[]) => unknown): unknown[] {
  const count = leaves[0]?.length ?? 0;
  const slots: unknown[] = [];
  const values: unknown[] = [];
  for (let row = 0; row < count; row++) {
    for (let leaf = 0; leaf < leaves.length; leaf++) slots[leaf] = leaves[leaf]?.[row];
    values.push(assemble(slots));
  }
  return values;
}

function warnOnce({ logger, path }: ParquetInput, { faults, name }: ColumnPlan): void {
  if (faults.isDropToldAlready) return;
  faults.isDropToldAlready = true;
  logger.warn(
    `${path}: column ${inQuotes(name)} has digits below the millisecond, which a Date drops. Set \`timestamps\``,
    { file: path, column: name },
  );
}

function noteUnfit(
  input: ParquetInput,
  group: RowGroupShare,
  column: string,
  values: ArrayLike<unknown>,
  unfitRows: Map<number, string> | undefined,
): void {
  for (let at = 0; at < values.length; at++) {
    const unfit = findUnfit(values[at]);
    if (unfit === undefined) continue;
    const problem = `column ${inQuotes(column)}: ${unfit.problem}`;
    if (unfitRows === undefined) {
      throw new MalformedInputError({ file: input.path, row: group.rowStart + at + 1 }, problem);
    }
    if (!unfitRows.has(at)) unfitRows.set(at, problem);
  }
}

/**
 * The values of a leaf, row by row. The library gets metadata of a file with only this leaf, under neutral names and
 * with the annotation that calls our decoder; its own handling of names, structs, maps and annotations loses
 * information.
 */
async function readLeaf(
  input: ParquetInput,
  group: RowGroupShare,
  column: string,
  leaf: LeafPlan,
): Promise<ArrayLike<unknown>> {
  const { library, path, metadata } = input;
  const fail = (problem: string, cause?: unknown): never => {
    const place = `row group ${group.number} of ${metadata.row_groups.length}, column ${inQuotes(column)}`;
    throw new MalformedInputError({ file: path }, `${place}: ${problem}`, { cause });
  };
  const count = group.rowEnd - group.rowStart;
  const chunk = metadata.row_groups[group.number - 1]?.columns[leaf.number];
  const stored = chunk?.meta_data?.path_in_schema;
  if (chunk === undefined || stored?.join('\n') !== leaf.path.map(({ name }) => name).join('\n')) {
    return fail(`found ${stored === undefined ? 'nothing' : inQuotes(stored.join('.'))} in its place`);
  }
  const [type, expected] = [chunk.meta_data?.type, leaf.path.at(-1)?.type];
  if (type !== expected) return fail(`stored as ${type}, but the schema says ${expected}`);
  const chunks: ArrayLike<unknown>[] = [];
  try {
    await library.parquetRead({
      file: input.file,
      metadata: fileOfLeaf(metadata, chunk, leaf, count),
      compressors: library.compressors,
      parsers: leaf.decoder.parsers,
      utf8: false,
      onPage: ({ columnData }) => chunks.push(columnData),
    });
  } catch (error) {
    if (error instanceof FileAccessError || error instanceof InputChangedError) throw error;
    return fail(toError(error).message, error);
  }
  const values = chunks.length === 1 ? (chunks[0] as ArrayLike<unknown>) : joined(chunks);
  return values.length === count ? values : fail(`expected ${count} values, got ${values.length}`);
}

function fileOfLeaf(metadata: FileMetaData, chunk: ColumnChunk, leaf: LeafPlan, count: number): FileMetaData {
  const names = leaf.path.map((_, depth) => String(depth));
  const rows = BigInt(count);
  const schema = leaf.path.map(({ type, type_length, repetition_type }, depth) => {
    const element = { name: String(depth), ...(repetition_type && { repetition_type }) };
    if (depth < leaf.path.length - 1) return { ...element, num_children: 1 };
    return {
      ...element,
      ...(type && { type }),
      ...(type_length !== undefined && { type_length }),
      ...leaf.decoder.annotation,
    };
  });
  const column = { ...chunk, ...(chunk.meta_data && { meta_data: { ...chunk.meta_data, path_in_schema: names } }) };
  return {
    version: metadata.version,
    metadata_length: metadata.metadata_length,
    num_rows: rows,
    schema: [{ name: 'root', num_children: 1 }, ...schema],
    row_groups: [
      { columns: [column], total_byte_size: chunk.meta_data?.total_uncompressed_size ?? 0n, num_rows: rows },
    ],
  };
}

function joined(chunks: readonly ArrayLike<unknown>[]): ArrayLike<unknown> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const [first] = chunks;
  // A page of plain numbers is a typed array. All pages have the same type, unless some refer to a dictionary.
  if (first instanceof Float64Array && chunks.every((chunk) => chunk instanceof Float64Array)) {
    return filled(new Float64Array(length), chunks as Float64Array[]);
  }
  if (first instanceof Int32Array && chunks.every((chunk) => chunk instanceof Int32Array)) {
    return filled(new Int32Array(length), chunks as Int32Array[]);
  }
  const values: unknown[] = [];
  for (const chunk of chunks) for (let at = 0; at < chunk.length; at++) values.push(chunk[at]);
  return values;
}

function filled<Values extends Float64Array | Int32Array>(whole: Values, chunks: readonly Values[]): Values {
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
