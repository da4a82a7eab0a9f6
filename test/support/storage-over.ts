import type { CheckpointStorage } from '../../src/checkpoints/checkpoint-storage.ts';

/** A storage of which some methods are others. */
export function storageOver(storage: CheckpointStorage, changes: Partial<CheckpointStorage>): CheckpointStorage {
  return {
    ...{ description: storage.description, address: storage.address },
    write: (piece, chunks) => storage.write(piece, chunks),
    read: (location) => storage.read(location),
    readChunk: (location, offset) => storage.readChunk(location, offset),
    commit: (manifest) => storage.commit(manifest),
    find: (scope) => storage.find(scope),
    lastNumber: (scope) => storage.lastNumber(scope),
    discard: (scope, checkpoint) => storage.discard(scope, checkpoint),
    sweep: (scope, before) => storage.sweep(scope, before),
    remove: (scope) => storage.remove(scope),
    ...changes,
  };
}
