import type { SourcePlanContext } from '../../operators/source.ts';
import type { Compression } from './content-format.ts';
import { type FileSplit, type RestOfSplit, divideFiles } from './file-splits.ts';
import { fixFile, type FixedFile } from './fixed-file.ts';
import { filesOf } from './input-files.ts';

/** How many files are examined at the same time. */
const concurrency = 16;

/** A file that a source reads in one run. */
export interface InputFile extends FixedFile {
  /** How the file is compressed, if it is. */
  readonly compression?: Compression;
}

/** The files and splits that a file source reads in one run. Plain data. */
export interface FilesPlan<File extends InputFile = InputFile> {
  readonly files: readonly File[];
  /** The splits of each subtask. */
  readonly splits: readonly (readonly FileSplit[])[];
}

/** A split with its file, ready to open. */
export interface PlannedSplit<File extends InputFile = InputFile> extends Pick<FileSplit, 'start' | 'end'> {
  readonly file: File;
}

/**
 * Fixes the files that `paths` name now. `examine` looks at each fixed file and adds what its source needs to know for
 * this run; it throws for a file that the source cannot read.
 */
export async function fixFiles<File extends InputFile>(
  paths: readonly string[],
  { signal }: Pick<SourcePlanContext, 'signal'>,
  examine: (file: FixedFile, firstBytes: Uint8Array) => File | Promise<File>,
): Promise<File[]> {
  return inOrder(await filesOf(paths, signal), signal, async (path) => {
    const { file, firstBytes } = await fixFile(path);
    return examine(file, firstBytes);
  });
}

/** The answers of `ask` for each of `items`, in their order; several are asked at the same time. */
export async function inOrder<Item, Answer>(
  items: readonly Item[],
  signal: AbortSignal,
  ask: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const waiting = [...items.entries()];
  const answers: Answer[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      signal.throwIfAborted();
      const [index, item] = next;
      answers[index] = await ask(item);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, work));
    return answers;
  } finally {
    // Stops the other workers after a failure.
    waiting.length = 0;
  }
}

/** The plan for `files`. Compressed files, and those that `isSplittable` rejects, are not split. */
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

/** The splits of one subtask. @param from its position, which has splits of its own if they were divided anew */
export function splitsOf<File extends InputFile>(
  plan: FilesPlan<File>,
  subtask: number,
  from?: { readonly own?: readonly RestOfSplit[] },
): PlannedSplit<File>[] {
  const splits: readonly (FileSplit & { readonly skipped?: number })[] = from?.own ?? plan.splits[subtask] ?? [];
  return splits.map(({ file, ...split }) => ({ ...split, file: plan.files[file] as File }));
}
