import { join, resolve } from 'node:path';
import type { CheckpointStorage, CheckpointStorageAddress } from '../../checkpoints/checkpoint-storage.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { FileJournalStorage } from '../storage/file-journal-storage.ts';
import { DiskCheckpointFiles } from './disk-checkpoint-files.ts';
import { MemoryCheckpointFiles } from './memory-checkpoint-files.ts';
import { s3Checkpoints } from './s3-checkpoints.ts';
import { StoredCheckpoints } from './stored-checkpoints.ts';

/**
 * Checkpoints in the memory of the thread that runs the job: they survive tasks and executors, but not the process.
 * Each call makes a storage of its own.
 */
export function memoryCheckpoints(): CheckpointStorage {
  const filesByScope = new Map<string, MemoryCheckpointFiles>();
  return new StoredCheckpoints({
    description: 'memory',
    address: undefined,
    open(scope) {
      const files = filesByScope.get(scope) ?? new MemoryCheckpointFiles();
      filesByScope.set(scope, files);
      return files;
    },
  });
}

/**
 * Checkpoints as files of a directory, which is created when it is needed. Each file is synced and then renamed to its
 * name, and each has checksums: a power loss leaves whole checkpoints.
 *
 * @param directory on a disk that all executors reach
 * @throws InvalidArgumentError
 */
export function fileCheckpoints(directory: string): CheckpointStorage {
  if (typeof directory !== 'string' || directory === '') {
    throw new InvalidArgumentError('directory', directory, 'the path of a directory');
  }
  const path = resolve(directory);
  return new StoredCheckpoints({
    description: `files in ${path}`,
    address: { kind: 'files', directory: path },
    open: (scope) => new DiskCheckpointFiles(new FileJournalStorage(join(path, scope))),
  });
}

/** Opens a storage by its address, in another thread or process. */
export function openCheckpoints(address: CheckpointStorageAddress): CheckpointStorage {
  if (address.kind === 'files') return fileCheckpoints(address.directory);
  const { kind: _, ...options } = address;
  return s3Checkpoints(options);
}
