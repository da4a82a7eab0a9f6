import type { SourcePlanContext } from '../../operators/source.ts';
import type { Compression } from './content-format.ts';
import { type FileSplit, divideFiles } from './file-splits.ts';
import { fixFile, type FixedFile } from './fixed-file.ts';
import { filesOf } from './input-files.ts';

/** Files that are looked at at the same time. */
const concurrency = 16;

/** A file that a source reads in one run. */
export interface InputFile extends FixedFile {
  /** How it is packed, if it is. */
  readonly compression?: Compression;
}

/** What a source of files reads in one run: plain data. */
export interface FilesPlan<File extends InputFile = InputFile> {
  readonly files: readonly File[];
  /** For each subtask, in its order. */
  readonly splits: readonly (readonly FileSplit[])[];
}

/** A file with its split, as it is handed to whoever opens it. */
export interface PlannedSplit<File extends InputFile = InputFile> extends Pick<FileSplit, 'start' | 'end'> {
  readonly file: File;
}

/**
 * Fixes the files that `paths` name now. `examine` looks at a fixed file, and says what else is to be known of it in this
 * run; it throws where the file is not what can be read.
 */
export async function fixFiles<File extends InputFile>(
  paths: readonly string[],
  { signal }: Pick<SourcePlanContext, 'signal'>,
  examine: (file: FixedFile, firstBytes: Uint8Array) => File | Promise<File>,
): Promise<File[]> {
  const waiting = [...(await filesOf(paths, signal)).entries()];
  const fixed: File[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      signal.throwIfAborted();
      const [index, path] = next;
      const { file, firstBytes } = await fixFile(path);
      fixed[index] = await examine(file, firstBytes);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, work));
    return fixed;
  } finally {
    // Of what fails, the others learn by this.
    waiting.length = 0;
  }
}

/** The plan for `files`, of which packed ones are not split, nor those that `isSplittable` refuses. */
export function planOf<File extends InputFile>(
  files: readonly File[],
  parallelism: number,
  isSplittable = true,
): FilesPlan<File> {
  const divided = files.map(({ end, compression }) => ({
    bytes: end,
    isSplittable: isSplittable && compression === undefined,
  }));
  return { files, splits: divideFiles(divided, parallelism) };
}

/** What a subtask reads. */
export function splitsOf<File extends InputFile>(plan: FilesPlan<File>, subtask: number): PlannedSplit<File>[] {
  return (plan.splits[subtask] ?? []).map(({ file, start, end }) => ({ file: plan.files[file] as File, start, end }));
}
