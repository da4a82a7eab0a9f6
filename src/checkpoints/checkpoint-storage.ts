import type { CheckpointId } from '../ids.ts';

/** A piece of state that is stored. Plain data. */
export interface StoredPiece {
  /** Unique in its storage. */
  readonly location: string;
  /** Length of the stored file. */
  readonly bytes: number;
  /** CRC-32 of its chunks, one after the other. */
  readonly crc: number;
}

/** A piece that was just written. */
export interface WrittenPiece extends StoredPiece {
  /** By chunk: its offset, at which `readChunk` finds it. */
  readonly offsets: readonly number[];
}

/** The parts of a piece, each of which can be read by itself. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The name of a piece before it is written. */
export interface PieceName {
  /** Names a series of checkpoints: a component of a run. Checkpoints of different scopes know nothing of each other. */
  readonly scope: string;
  readonly checkpoint: CheckpointId;
  /** Unique in its checkpoint, such as `map.3#1`: vertex, subtask and attempt. */
  readonly name: string;
}

/** A complete checkpoint: what it refers to, and what its coordinator knows about it. Plain data. */
export interface CheckpointManifest<Content = unknown> {
  readonly scope: string;
  readonly checkpoint: CheckpointId;
  /** Wall-clock time of its completion, in ms since 1970. */
  readonly completedEpochMs: number;
  /**
   * Every piece that a restore reads, also those written by earlier checkpoints: they are kept as long as this manifest
   * is.
   */
  readonly pieces: readonly StoredPiece[];
  /** Plain data that the storage does not look at. */
  readonly content: Content;
}

/** A checkpoint found in a storage. */
export type FoundCheckpoint =
  | { readonly kind: 'complete'; readonly manifest: CheckpointManifest }
  /** Its manifest, or a piece of it, is missing or damaged. */
  | {
      readonly kind: 'damaged';
      readonly checkpoint: CheckpointId;
      readonly location: string;
      readonly problem: string;
    };

/** What a sweep removed. */
export interface SweptFiles {
  /** Locations of pieces to which no manifest refers, of damaged manifests, and of files that were not completed. */
  readonly removed: readonly string[];
}

/** How another thread or process opens the same storage. Plain data. */
export type CheckpointStorageAddress = { readonly kind: 'files'; readonly directory: string } | S3Address;

/** A bucket. Plain data. */
export interface S3Address {
  readonly kind: 's3';
  readonly bucket: string;
  readonly prefix: string;
  readonly region: string;
  readonly endpoint: string;
  /** undefined: those of the environment. */
  readonly credentials: S3Credentials | undefined;
  readonly requestTimeoutMs?: number | undefined;
}

/** The keys of an S3 account. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/**
 * Where checkpoints are kept. Pieces of state are written first, by the executors, and the manifest last, by the
 * coordinator: a checkpoint exists when its manifest does.
 *
 * All methods reject with CheckpointStorageError if the storage fails, and with CheckpointFormatError, changing nothing,
 * for files of a newer format.
 */
export interface CheckpointStorage {
  /** For messages: `files in /var/lib/app`. */
  readonly description: string;
  /** undefined if only this thread can reach it, as memory: the state of others then travels in their messages. */
  readonly address: CheckpointStorageAddress | undefined;

  /**
   * Called before a run that takes checkpoints does anything: rejects if the storage cannot be used here, as far as that is
   * known without asking it, such as without a package that it needs. Default: the first checkpoint shows it.
   */
  readonly check?: (() => Promise<void>) | undefined;

  /**
   * Writes a piece of state, a chunk after another; settles when it is durable. A piece that is not completed leaves
   * nothing that can be mistaken for one.
   *
   * @param chunks the next one is asked for when the last is written; a function gets the offsets of those written so far
   * @throws CheckpointConflictError if there is one of that name
   */
  write(piece: PieceName, chunks: Chunks | ((offsets: readonly number[]) => Chunks)): Promise<WrittenPiece>;
  /** The bytes of a piece. @throws CheckpointUnreadableError if it is missing or damaged */
  read(location: string): Promise<Uint8Array>;
  /** One chunk of a piece. @throws CheckpointUnreadableError if it is missing or damaged */
  readChunk(location: string, offset: number): Promise<Uint8Array>;

  /** Completes a checkpoint; settles when it is durable. @throws CheckpointConflictError if it is complete already */
  commit(manifest: CheckpointManifest): Promise<void>;
  /** The checkpoints of a scope, newest first. Looks whether the pieces exist in full, but does not read them. */
  find(scope: string): AsyncIterable<FoundCheckpoint>;
  /** The greatest number that any file of a scope has, complete or not: new checkpoints continue from there. */
  lastNumber(scope: string): Promise<CheckpointId | undefined>;

  /**
   * Removes a checkpoint that was subsumed or aborted: its manifest, then the pieces of it and of earlier checkpoints to
   * which no other manifest refers. Idempotent. Not while a checkpoint is pending that was triggered when this was the
   * newest complete one: it may refer to the same pieces.
   */
  discard(scope: string, checkpoint: CheckpointId): Promise<void>;
  /**
   * Removes what crashed writers left: files of checkpoints before `before` to which no manifest refers, and manifests
   * that are damaged.
   */
  sweep(scope: string, before: CheckpointId): Promise<SweptFiles>;
  /** Removes everything of a scope. */
  remove(scope: string): Promise<void>;

  /** A run of this scope has ended: what is still under way may fail, so that it does not keep the process alive. */
  giveUp?(scope: string): void;
}
