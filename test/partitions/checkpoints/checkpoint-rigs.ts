import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  CheckpointManifest,
  CheckpointStorage,
  FoundCheckpoint,
} from '../../../src/checkpoints/checkpoint-storage.ts';
import type { CheckpointId } from '../../../src/ids.ts';
import type { CheckpointFiles } from '../../../src/partitions/checkpoints/checkpoint-files.ts';
import { DiskCheckpointFiles } from '../../../src/partitions/checkpoints/disk-checkpoint-files.ts';
import { MemoryCheckpointFiles } from '../../../src/partitions/checkpoints/memory-checkpoint-files.ts';
import { StoredCheckpoints } from '../../../src/partitions/checkpoints/stored-checkpoints.ts';
import { FileJournalStorage } from '../../../src/partitions/storage/file-journal-storage.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';

/** A storage, and its files without the storage. */
export interface CheckpointRig {
  readonly storage: CheckpointStorage;
  files(scope: string): CheckpointFiles;
}

/** A storage whose files of a scope are made by `make`. */
export function rigOf(make: (scope: string) => CheckpointFiles): CheckpointRig {
  const known = new Map<string, CheckpointFiles>();
  const files = (scope: string): CheckpointFiles => {
    const found = known.get(scope) ?? make(scope);
    known.set(scope, found);
    return found;
  };
  return { files, storage: new StoredCheckpoints({ description: 'a rig', address: undefined, open: files }) };
}

const root = mkdtempSync(join(tmpdir(), 'kintsugi-checkpoints-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Every kind of storage. Each call makes an empty one. */
export const checkpointRigs: readonly [name: string, make: () => CheckpointRig][] = [
  ['memory', () => rigOf(() => new MemoryCheckpointFiles())],
  ['a disk that loses power', () => rigOf(() => new DiskCheckpointFiles(new MemoryJournalStorage()))],
  [
    'files',
    () => {
      const directory = mkdtempSync(join(root, 'a-'));
      return rigOf((scope) => new DiskCheckpointFiles(new FileJournalStorage(join(directory, 'b', scope))));
    },
  ],
];

/** The number of a checkpoint. */
export const id = (number: number): CheckpointId => number as CheckpointId;

/** Text as bytes. */
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Writes a checkpoint whose only piece has `text`. */
export async function complete(
  storage: CheckpointStorage,
  checkpoint: number,
  text: string,
  { scope = 'run', earlier = [] as CheckpointManifest['pieces'] } = {},
): Promise<CheckpointManifest> {
  const piece = await storage.write({ scope, checkpoint: id(checkpoint), name: 'map' }, [bytesOf(text)]);
  const { location, bytes, crc } = piece;
  const manifest = {
    scope,
    checkpoint: id(checkpoint),
    completedEpochMs: checkpoint,
    pieces: [{ location, bytes, crc }, ...earlier],
    content: { text },
  };
  await storage.commit(manifest);
  return manifest;
}

/** What a storage finds, newest first. */
export async function found(storage: CheckpointStorage, scope = 'run'): Promise<FoundCheckpoint[]> {
  const all: FoundCheckpoint[] = [];
  for await (const one of storage.find(scope)) all.push(one);
  return all;
}

/** Its numbers, newest first; those of damaged ones are negative. */
export async function numbers(storage: CheckpointStorage, scope = 'run'): Promise<number[]> {
  return (await found(storage, scope)).map((one) =>
    one.kind === 'complete' ? one.manifest.checkpoint : -(one.checkpoint as number),
  );
}

/** Puts other bytes in place of a file. */
export async function rewrite(
  files: CheckpointFiles,
  name: string,
  change: (bytes: Uint8Array) => Uint8Array,
): Promise<void> {
  const bytes = (await files.read(name, 0, 1 << 30)) as Uint8Array;
  await files.remove([name]);
  await put(files, name, change(bytes.slice()));
}

/** Writes a file of one chunk. */
export async function put(files: CheckpointFiles, name: string, bytes: Uint8Array): Promise<void> {
  await files.create(
    name,
    (async function* () {
      yield await Promise.resolve(bytes);
    })(),
  );
}
