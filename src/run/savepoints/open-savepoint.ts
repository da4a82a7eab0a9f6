import { rmSync } from 'node:fs';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { CheckpointFormatError } from '../../errors/checkpoint-errors.ts';
import { SavepointUnreadableError } from '../../errors/savepoint-errors.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import { fileCheckpoints } from '../../partitions/checkpoints/checkpoint-storages.ts';
import { claimDirectory } from './savepoint-directory.ts';
import { type SavepointContent, savepointScope } from './savepoint-content.ts';

/** Where savepoints are. */
export interface SavepointPlaces {
  readonly open: (directory: string) => CheckpointStorage;
  /** Makes a directory that of one savepoint. Returns what ends that. */
  readonly claim: (path: string, directory: string) => () => void;
  /** Removes what is left of one that failed. */
  readonly remove: (directory: string) => void;
  /** Whether virtual time stands still while one is written and read: it cannot see work on files. */
  readonly holdsTime: boolean;
}

/** As users have them: directories of files. */
export const savepointFiles: SavepointPlaces = {
  open: fileCheckpoints,
  claim: claimDirectory,
  remove: (directory) => rmSync(directory, { recursive: true, force: true }),
  holdsTime: true,
};

/** A savepoint that is there. */
export interface OpenSavepoint {
  readonly directory: string;
  /** Names it among all savepoints. */
  readonly id: string;
  /** When it was complete, in ms since 1970. */
  readonly completedEpochMs: number;
  readonly content: SavepointContent;
  readonly storage: CheckpointStorage;
}

/** @throws SavepointUnreadableError | CheckpointFormatError | CheckpointStorageError (as a rejection) */
export async function openSavepoint(
  directory: string,
  { open }: Pick<SavepointPlaces, 'open'> = savepointFiles,
): Promise<OpenSavepoint> {
  const storage = open(directory);
  for await (const found of storage.find(savepointScope)) {
    if (found.kind === 'damaged') throw new SavepointUnreadableError(directory, `${found.location}: ${found.problem}`);
    const { completedEpochMs, content } = found.manifest;
    const savepoint = content as SavepointContent;
    if (savepoint.format !== 1) throw new CheckpointFormatError(directory, savepoint.format, 1);
    return { directory, id: `${savepoint.run}@${completedEpochMs}`, completedEpochMs, content: savepoint, storage };
  }
  throw new SavepointUnreadableError(directory, 'it has no manifest, so there is none, or it was not completed');
}

/**
 * Whether a run began with a savepoint. Such a run does not need it any more: if it is gone, its directory tells.
 * @throws SavepointUnreadableError | CheckpointFormatError | CheckpointStorageError (as a rejection)
 */
export async function hasBegunWith(
  { savepoint, savepointDirectory }: Pick<RunBooks, 'savepoint' | 'savepointDirectory'>,
  directory: string,
): Promise<boolean> {
  if (savepoint === undefined) return false;
  try {
    return (await openSavepoint(directory)).id === savepoint;
  } catch (error) {
    if (error instanceof SavepointUnreadableError && directory === savepointDirectory) return true;
    throw error;
  }
}
