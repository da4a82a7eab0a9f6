import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { InputChangedError, FileAccessError, MalformedInputError } from '../../errors/connector-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { formatOf } from './content-format.ts';
import type { FileSplit } from './file-splits.ts';
import type { FilesPlan, InputFile } from './files-plan.ts';
import { type FixedFile, OpenFile } from './fixed-file.ts';

/** A Parquet file with its footer, which is read once per run. */
export interface ParquetInputFile extends InputFile {
  readonly metadata: FileMetaData;
}

/**
 * Reads the footer of a fixed Parquet file.
 * @throws MalformedInputError if the file is not Parquet, or its footer is broken
 */
export async function parquetInput(
  file: FixedFile,
  firstBytes: Uint8Array,
  readMetadata: (bytes: AsyncBuffer) => Promise<FileMetaData>,
): Promise<ParquetInputFile> {
  const refused = (problem: string, cause?: unknown): MalformedInputError =>
    new MalformedInputError({ file: file.path }, `not a Parquet file: ${problem}`, { cause });
  const format = formatOf(firstBytes);
  if (format !== undefined && format.name !== 'a Parquet file') throw refused(`it is ${format.name}. ${format.remedy}`);
  if (file.end === 0) throw refused('it is empty');
  const opened = await OpenFile.open(file);
  try {
    return { ...file, metadata: await readMetadata(bufferOf(opened)) };
  } catch (error) {
    if (error instanceof FileAccessError || error instanceof InputChangedError) throw error;
    throw refused(toError(error).message, error);
  } finally {
    await opened.close();
  }
}

/** An open file as the buffer that hyparquet reads from. */
export function bufferOf(opened: OpenFile): AsyncBuffer {
  const { path, end: byteLength } = opened.file;
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      if (end > byteLength) {
        throw new MalformedInputError({ file: path }, `refers to byte ${end}, but has ${byteLength}`);
      }
      const bytes = new Uint8Array(Math.max(0, end - start));
      for (let length = 0; length < bytes.length; ) {
        length += await opened.read(bytes.subarray(length), start + length);
      }
      return bytes.buffer;
    },
  };
}

/**
 * The plan for `files`: each subtask reads adjacent row groups, with about the same number of rows each. `start` and
 * `end` of a split count row groups.
 */
export function planRowGroups(files: readonly ParquetInputFile[], parallelism: number): FilesPlan<ParquetInputFile> {
  const groups = files.flatMap(({ metadata }, file) =>
    metadata.row_groups.map(({ num_rows }, group) => ({
      file,
      group,
      rows: Math.max(1, Number(num_rows)),
    })),
  );
  const total = groups.reduce((sum, { rows }) => sum + rows, 0);
  const splits = Array.from({ length: parallelism }, (): FileSplit[] => []);
  let before = 0;
  for (const { file, group, rows } of groups) {
    // The row group goes to the subtask in whose equal share of all rows its middle lies.
    const own = splits[Math.floor(((before + rows / 2) / total) * parallelism)];
    before += rows;
    const last = own?.at(-1);
    if (last?.file === file) own?.splice(-1, 1, { ...last, end: group + 1 });
    else own?.push({ file, start: group, end: group + 1 });
  }
  return { files, splits };
}
