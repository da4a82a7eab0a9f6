import { FileAccessError, type InputChange, InputChangedError } from '../../errors/connector-errors.ts';
import { type InputFile, inOrder } from './files-plan.ts';
import { type FixedFile, isSameContent, OpenFile } from './fixed-file.ts';

/**
 * How files are read: by lines, where a last line without a newline may be continued; or by information at their end.
 */
export type ReadAs = 'lines' | 'blocks';

const verbs: Readonly<Record<InputChange, string>> = {
  shorter: 'was shortened',
  'beginning differs': 'was replaced',
  'end differs': 'was overwritten',
  'written to': 'was written to',
  'last line continued': 'was continued in the middle of a line',
};

/**
 * What happened to files since they were fixed, perhaps by another process: `orders.csv was replaced: its first 64 KiB
 * differ`. undefined if each can still be read up to its fixed end.
 */
export async function changeOf(
  files: readonly InputFile[],
  readAs: ReadAs,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await inOrder(files, signal, (file) => changeOfFile(file, readAs));
  const changes = found.filter((change) => change !== undefined);
  const others = changes.length === 1 ? '' : ` (and ${changes.length - 1} more of ${files.length} files changed)`;
  return changes[0] && `${changes[0]}${others}`;
}

async function changeOfFile(file: InputFile, readAs: ReadAs): Promise<string | undefined> {
  let opened: OpenFile | undefined;
  try {
    opened = await OpenFile.open(file);
    if (readAs === 'lines' && file.compression === undefined) await opened.verifyOpenLine();
    return undefined;
  } catch (error) {
    if (error instanceof InputChangedError) return `${file.path} ${verbs[error.change]}: ${error.details}`;
    if (error instanceof FileAccessError) return error.message;
    throw error;
  } finally {
    await opened?.close();
  }
}

/** How a file differs from an earlier state, as a phrase for one file and for several. */
const differences = {
  added: ['was added', 'were added'],
  grown: ['has grown', 'have grown'],
  changed: ['has changed', 'have changed'],
  removed: ['was removed', 'were removed'],
} as const;

/**
 * How a set of files differs from an earlier one, by path: `3 files have grown, b.csv was removed`. undefined if the
 * same records are read from both.
 */
export function changeBetween(before: readonly FixedFile[], now: readonly FixedFile[]): string | undefined {
  const earlier = new Map(before.map((file) => [file.path, file]));
  const differenceOf = (file: FixedFile): keyof typeof differences | undefined => {
    const previous = earlier.get(file.path);
    if (previous === undefined) return 'added';
    if (isSameContent(previous, file)) return undefined;
    return file.end > previous.end ? 'grown' : 'changed';
  };
  const current = new Set(now.map(({ path }) => path));
  const found = [
    ...now.map((file) => ({ path: file.path, difference: differenceOf(file) })),
    ...before.filter(({ path }) => !current.has(path)).map(({ path }) => ({ path, difference: 'removed' as const })),
  ];
  const said = (Object.keys(differences) as (keyof typeof differences)[]).flatMap((kind) => {
    const paths = found.filter(({ difference }) => difference === kind).map(({ path }) => path);
    const [one, many] = differences[kind];
    return paths.length === 0 ? [] : [paths.length === 1 ? `${paths[0]} ${one}` : `${paths.length} files ${many}`];
  });
  return said.length === 0 ? undefined : said.join(', ');
}
