import type {
  CheckpointManifest,
  CheckpointStorage,
  CheckpointStorageAddress,
  Chunks,
  FoundCheckpoint,
  PieceName,
  StoredPiece,
  SweptFiles,
  WrittenPiece,
} from '../../checkpoints/checkpoint-storage.ts';
import {
  CheckpointConflictError,
  CheckpointFormatError,
  CheckpointStorageError,
  CheckpointUnreadableError,
} from '../../errors/checkpoint-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import { crc32 } from '../records/checksum.ts';
import { packData, unpackData } from '../records/packed-data.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import {
  encodeChunk,
  manifestFile,
  parseFileName,
  pieceFile,
  readChunkOf,
  readChunksOf,
  safeName,
} from './checkpoint-format.ts';

/** Where the files of a storage are. */
export interface CheckpointPlace {
  /** For messages. */
  readonly description: string;
  readonly address: CheckpointStorageAddress | undefined;
  /** The files of a scope, whose name is safe in paths. */
  open(scope: string): CheckpointFiles;
  /** Rejects if it cannot be used, as far as that is known without asking it. */
  readonly check?: (() => Promise<void>) | undefined;
  /** Ends what is still under way in a scope. */
  giveUp?(scope: string): void;
}

/**
 * Checkpoints as files: the same format in every place.
 *
 * Invariants:
 * - CS1 A checkpoint that was committed is found, with every byte as it was written, or is reported as damaged.
 * - CS2 A piece to which a manifest refers is not removed while the manifest is there.
 * - CS3 Files of another format are never changed or removed, nor is anything else in their scope.
 */
export class StoredCheckpoints implements CheckpointStorage {
  readonly description: string;
  readonly address: CheckpointStorageAddress | undefined;
  readonly check: (() => Promise<void>) | undefined;
  readonly #place: CheckpointPlace;
  /** By scope: the pieces of the manifests that the last discard found, which do not change. Those that cannot be removed add up. */
  readonly #piecesByScope = new Map<string, ReadonlyMap<CheckpointId, readonly string[]>>();

  constructor(place: CheckpointPlace) {
    this.#place = place;
    this.description = place.description;
    this.address = place.address;
    this.check = place.check;
  }

  async write(
    { scope, checkpoint, name }: PieceName,
    chunks: Chunks | ((offsets: readonly number[]) => Chunks),
  ): Promise<WrittenPiece> {
    const files = this.#open(scope);
    const file = pieceFile(checkpoint, name);
    const tally = { offsets: [] as number[], bytes: 0, crc: 0 };
    await this.#create(
      files,
      file,
      recordsOf('CHNK', typeof chunks === 'function' ? chunks(tally.offsets) : chunks, tally),
    );
    return { location: `${safeName(scope)}/${file}`, ...tally };
  }

  async read(location: string): Promise<Uint8Array> {
    const { files, name } = this.#locate(location);
    const chunks = await reading(files, name, () => readChunksOf(files, name, 'CHNK'));
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : new Uint8Array(Buffer.concat(chunks));
  }

  async readChunk(location: string, offset: number): Promise<Uint8Array> {
    const { files, name } = this.#locate(location);
    return await reading(files, name, () => readChunkOf(files, name, offset));
  }

  async commit(manifest: CheckpointManifest): Promise<void> {
    const files = this.#open(manifest.scope);
    const tally = { offsets: [], bytes: 0, crc: 0 };
    await this.#create(files, manifestFile(manifest.checkpoint), recordsOf('CMAN', [packData([manifest])], tally));
  }

  async *find(scope: string): AsyncIterable<FoundCheckpoint> {
    const files = this.#open(scope);
    for (const checkpoint of await manifestsIn(files)) {
      const found = await this.#examine(files, checkpoint);
      if (found !== undefined) yield found;
    }
  }

  async lastNumber(scope: string): Promise<CheckpointId | undefined> {
    const listed = await list(this.#open(scope));
    const numbers = listed.flatMap(({ name }) => parseFileName(name)?.checkpoint ?? []);
    return numbers.length === 0 ? undefined : (Math.max(...numbers) as CheckpointId);
  }

  async discard(scope: string, checkpoint: CheckpointId): Promise<void> {
    const files = this.#open(scope);
    const kept = await this.#referredToBy(scope, await manifestsIn(files), checkpoint);
    await remove(files, [manifestFile(checkpoint)]);
    const garbage = (await list(files)).filter(({ name }) => {
      const parsed = parseFileName(name);
      return parsed?.kind === 'piece' && parsed.checkpoint <= checkpoint && !kept.has(`${safeName(scope)}/${name}`);
    });
    await remove(
      files,
      garbage.map(({ name }) => name),
    );
  }

  async sweep(scope: string, before: CheckpointId): Promise<SweptFiles> {
    const files = this.#open(scope);
    const kept = new Set<string>();
    const removed: string[] = [];
    for (const checkpoint of await manifestsIn(files)) {
      const found = await this.#examine(files, checkpoint);
      if (found?.kind === 'complete') for (const { location } of found.manifest.pieces) kept.add(location);
      else if (found !== undefined && checkpoint < before) removed.push(manifestFile(checkpoint));
    }
    for (const { name } of await list(files)) {
      const parsed = parseFileName(name);
      if (parsed === undefined || parsed.kind === 'manifest' || parsed.checkpoint >= before) continue;
      if (!kept.has(`${safeName(scope)}/${name}`)) removed.push(name);
    }
    await remove(files, removed);
    return { removed: removed.map((name) => files.pathOf(name)) };
  }

  async remove(scope: string): Promise<void> {
    const files = this.#open(scope);
    const manifests = await manifestsIn(files);
    await this.#referredToBy(scope, manifests);
    this.#piecesByScope.delete(scope);
    const names = (await list(files)).map(({ name }) => name).filter((name) => parseFileName(name) !== undefined);
    await remove(files, [...manifests.map(manifestFile), ...names]);
  }

  giveUp(scope: string): void {
    this.#piecesByScope.delete(scope);
    this.#place.giveUp?.(safeName(scope));
  }

  #open(scope: string): CheckpointFiles {
    return this.#place.open(safeName(scope));
  }

  /** @throws CheckpointUnreadableError for a location that is not of this storage */
  #locate(location: string): { readonly scope: string; readonly files: CheckpointFiles; readonly name: string } {
    const [, scope, name] = /^([\w%-][\w.%-]*)\/([^/]+)$/.exec(location) ?? [];
    if (scope === undefined || name === undefined || parseFileName(name)?.kind !== 'piece') {
      throw new CheckpointUnreadableError(location, `it is no piece of state in ${this.description}`);
    }
    return { scope, files: this.#place.open(scope), name };
  }

  async #create(files: CheckpointFiles, name: string, records: AsyncIterable<Uint8Array>): Promise<void> {
    const guarded = new GuardedChunks(records);
    let isNew: boolean;
    try {
      isNew = await files.create(name, guarded);
    } catch (cause) {
      // A state that cannot be packed is not a failure of the storage.
      if (guarded.failure !== undefined) throw guarded.failure.error;
      throw new CheckpointStorageError(files.pathOf(name), 'write', cause);
    }
    if (!isNew) throw new CheckpointConflictError(files.pathOf(name));
  }

  /** The locations to which readable manifests refer: the damaged ones restore nothing. */
  async #referredToBy(
    scope: string,
    checkpoints: readonly CheckpointId[],
    except?: CheckpointId,
  ): Promise<ReadonlySet<string>> {
    const files = this.#open(scope);
    const known = this.#piecesByScope.get(scope);
    const found = new Map<CheckpointId, readonly string[]>();
    const read = async (checkpoint: CheckpointId): Promise<void> => {
      const pieces = known?.get(checkpoint) ?? (await piecesOf(files, checkpoint));
      if (pieces !== undefined) found.set(checkpoint, pieces);
    };
    await Promise.all(checkpoints.map(read));
    this.#piecesByScope.set(scope, found);
    return new Set(Array.from(found, ([checkpoint, pieces]) => (checkpoint === except ? [] : pieces)).flat());
  }

  async #examine(files: CheckpointFiles, checkpoint: CheckpointId): Promise<FoundCheckpoint | undefined> {
    const found = await readManifest(files, checkpoint);
    if (found?.kind !== 'complete') return found;
    const problem = await this.#problemOf(found.manifest.pieces);
    return problem === undefined ? found : { kind: 'damaged', checkpoint, ...problem };
  }

  /** What is wrong with one of these pieces as far as its length tells. */
  async #problemOf(pieces: readonly StoredPiece[]): Promise<{ location: string; problem: string } | undefined> {
    const bytesByLocation = new Map<string, number>();
    const scopes = new Set(pieces.map(({ location }) => this.#locate(location).scope));
    for (const scope of scopes) {
      for (const { name, bytes } of await list(this.#place.open(scope))) bytesByLocation.set(`${scope}/${name}`, bytes);
    }
    for (const { location, bytes } of pieces) {
      const found = bytesByLocation.get(location);
      if (found === bytes) continue;
      const problem = found === undefined ? 'it is missing' : `it has ${found} bytes, and had ${bytes}`;
      return { location, problem };
    }
    return undefined;
  }
}

/** The records of a file: the chunks and the end. Notes the offsets, the length and the CRC in `tally`. */
async function* recordsOf(
  kind: 'CHNK' | 'CMAN',
  chunks: Chunks,
  tally: { readonly offsets: number[]; bytes: number; crc: number },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const record = encodeChunk(kind, chunk, tally.bytes);
    tally.offsets.push(tally.bytes);
    tally.bytes += record.length;
    tally.crc = crc32(chunk, tally.crc);
    yield record;
  }
  const end = encodeChunk('CEND', new Uint8Array(), tally.bytes);
  tally.bytes += end.length;
  yield end;
}

/** Chunks whose own failure can be told from that of the storage. */
class GuardedChunks implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterable<Uint8Array>;
  failure: { readonly error: unknown } | undefined;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const iterator = this.#chunks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#next(iterator);
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  async #next(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    try {
      return await iterator.next();
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

/** Numbers of the manifests, newest first. */
async function manifestsIn(files: CheckpointFiles): Promise<CheckpointId[]> {
  const parsed = (await list(files)).flatMap(({ name }) => parseFileName(name) ?? []);
  const numbers = parsed.filter(({ kind }) => kind === 'manifest').map(({ checkpoint }) => checkpoint);
  return numbers.sort((one, other) => other - one);
}

/** undefined if it was removed meanwhile. */
async function readManifest(files: CheckpointFiles, checkpoint: CheckpointId): Promise<FoundCheckpoint | undefined> {
  const name = manifestFile(checkpoint);
  try {
    const [packed] = await reading(files, name, () => readChunksOf(files, name, 'CMAN'));
    return { kind: 'complete', manifest: manifestOf(files.pathOf(name), packed) };
  } catch (error) {
    if (!(error instanceof CheckpointUnreadableError)) throw error;
    if ((await files.read(name, 0, 1)) === undefined) return undefined;
    return { kind: 'damaged', checkpoint, location: error.location, problem: error.problem };
  }
}

/** Where the pieces of a checkpoint are; undefined if its manifest is damaged, or was removed meanwhile. */
async function piecesOf(files: CheckpointFiles, checkpoint: CheckpointId): Promise<readonly string[] | undefined> {
  const found = await readManifest(files, checkpoint);
  return found?.kind === 'complete' ? found.manifest.pieces.map(({ location }) => location) : undefined;
}

/** @throws CheckpointUnreadableError */
function manifestOf(location: string, packed: Uint8Array | undefined): CheckpointManifest {
  try {
    const [manifest] = unpackData(packed as Uint8Array);
    return manifest as CheckpointManifest;
  } catch (cause) {
    throw new CheckpointUnreadableError(location, 'it is no manifest', { cause });
  }
}

async function reading<Result>(files: CheckpointFiles, name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CheckpointUnreadableError || error instanceof CheckpointFormatError) throw error;
    throw new CheckpointStorageError(files.pathOf(name), 'read', error);
  }
}

async function list(files: CheckpointFiles): ReturnType<CheckpointFiles['list']> {
  try {
    return await files.list();
  } catch (cause) {
    throw new CheckpointStorageError(files.pathOf(''), 'list', cause);
  }
}

async function remove(files: CheckpointFiles, names: readonly string[]): Promise<void> {
  try {
    await files.remove(names);
  } catch (cause) {
    throw new CheckpointStorageError(files.pathOf(names[0] ?? ''), 'remove', cause);
  }
}
