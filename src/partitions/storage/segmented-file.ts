import { join } from 'node:path';
import type { FaultPoints } from '../../environment.ts';
import { SpillError, type SpillOption } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { FilePool } from './file-pool.ts';
import { FileSegment } from './file-segment.ts';
import type { RangeRead } from './range-read.ts';
import { resultFileName, segmentName } from './segment-header.ts';
import { type FilePlace, type SpillFile, spillFaultPoints, UnreadableFileError } from './spill-store.ts';

export interface SegmentedFileOptions {
  readonly id: ResultPartitionId;
  /** Parent directory, for messages before the run's directory exists. */
  readonly parent: string;
  /** Creates the run's directory if it is missing; resolves to its path. */
  readonly directory: () => Promise<string>;
  readonly pool: FilePool;
  /** Size at which a new segment begins. */
  readonly segmentBytes: number;
  readonly faults: FaultPoints;
  readonly noteGone: () => void;
  /** Names the directory, for messages. Default: `spillDirectory`. */
  readonly option?: SpillOption | undefined;
  /** The segments that another process has written and synced, and their directory. Default: none. */
  readonly existing?: { readonly directory: string; readonly segments: readonly number[] };
}

type Append = { readonly bytes: Uint8Array; readonly done: (error: Error | undefined, offset: number) => void };
type Sync = { readonly done: (error: Error | undefined) => void };
type Pending = ({ readonly kind: 'append' } & Append) | ({ readonly kind: 'sync' } & Sync);

/**
 * A log of bytes in segment files. A new segment begins when the last one is full.
 *
 * Invariants:
 * - SF1 Appends during a write are batched into the next write, up to the end of the segment.
 * - SF2 Segments are numbered from 0 without gaps. Each starts where the previous one ends, and only the last one is
 *   written.
 * - SF3 An append never spans segments; one that is longer than a segment gets its own.
 * - SF4 A sync begins when all earlier appends are done, and does not delay later ones.
 */
export class SegmentedFile implements SpillFile {
  readonly #options: SegmentedFileOptions;
  readonly #segments: FileSegment[] = [];
  readonly #pending: Pending[] = [];
  /** The segments that may have reads to start. */
  readonly #asked = new Set<FileSegment>();
  /** The directory of its segments, as far as known. */
  #directory: string;
  #name: string;
  #isWriting = false;
  /** Number of segments at the beginning that were removed, because nobody reads them again. */
  #dropped = 0;
  /** Settles once its removal is complete. */
  #removal: Promise<void> | undefined;

  constructor(options: SegmentedFileOptions) {
    this.#options = options;
    const { parent, existing } = options;
    this.#directory = existing?.directory ?? parent;
    this.#name = join(this.#directory, resultFileName(options.id));
    for (const bytes of existing?.segments ?? []) {
      this.#segments.push(this.#segment(this.#segments.length, this.#segments.at(-1)?.end ?? 0, bytes));
    }
  }

  get id(): ResultPartitionId {
    return this.#options.id;
  }

  get name(): string {
    return this.#name;
  }

  get isRemoved(): boolean {
    return this.#removal !== undefined;
  }

  /** Size of each segment in bytes, without its header. */
  get segments(): readonly number[] {
    return this.#segments.map(({ start, end }) => end - start);
  }

  get shared(): SpillFile['shared'] {
    return this.isRemoved ? undefined : { directory: this.#directory, segments: this.segments, writtenAs: this.id };
  }

  /**
   * Syncs and closes its files, which stay on disk, and says where. Unusable afterwards.
   * @throws SpillError (as a rejection) if they cannot be synced; they are closed all the same
   */
  async detach(): Promise<{ readonly directory: string; readonly segments: readonly number[] }> {
    const failure = await this.#sync();
    const closed = Promise.all(this.#segments.map((segment) => segment.close()));
    if (failure !== undefined) {
      await closed;
      throw failure;
    }
    this.#removal = closed.then(this.#options.noteGone);
    await this.#removal;
    return { directory: this.#directory, segments: this.segments };
  }

  append(bytes: Uint8Array, done: Append['done']): void {
    this.#enqueue({ kind: 'append', bytes, done });
  }

  sync(done: Sync['done']): void {
    this.#enqueue({ kind: 'sync', done });
  }

  read(offset: number, length: number, done: (error: Error | undefined, bytes: Uint8Array) => void): void {
    const resolve = (bytes: Uint8Array): void => done(undefined, bytes);
    const reject = (error: unknown): void => done(toError(error), new Uint8Array());
    try {
      this.#read({ offset, length, resolve, reject });
    } catch (error) {
      void Promise.resolve().then(() => reject(error));
    }
  }

  startReads(): void {
    for (const segment of this.#asked) segment.startReads();
    this.#asked.clear();
  }

  verify(done: (error: UnreadableFileError | undefined) => void): void {
    void this.#verify().then(
      () => done(undefined),
      (error: unknown) => done(error as UnreadableFileError),
    );
  }

  locate(offset: number): FilePlace {
    const segment = this.#segments.findLast(({ start }) => start <= offset) ?? this.#segment(0, 0);
    return segment.locate(offset);
  }

  /** The last segment stays. */
  dropBefore(offset: number): void {
    for (const segment of this.#segments.slice(this.#dropped, -1)) {
      if (segment.end > offset) return;
      this.#dropped++;
      void segment.remove();
    }
  }

  remove(): void {
    void this.gone();
  }

  /** Removes it; settles once all its files are gone. */
  gone(): Promise<void> {
    this.#removal ??= Promise.all(this.#segments.map((segment) => segment.remove())).then(this.#options.noteGone);
    return this.#removal;
  }

  #enqueue(pending: Pending): void {
    this.#pending.push(pending);
    if (!this.#isWriting) void this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      if (next.kind === 'append') {
        await this.#writeNext(this.#segmentFor(next.bytes.length));
      } else {
        // SF4.
        this.#pending.shift();
        void this.#sync().then(next.done);
      }
    }
    this.#isWriting = false;
  }

  async #writeNext(segment: FileSegment): Promise<void> {
    const appends = this.#takeAppends(segment);
    let offset = segment.end;
    const failure = await this.#failureOf(async () => {
      this.#options.faults.reach(spillFaultPoints.append, { file: this.name });
      this.#assertThere();
      await segment.write(appends.map(({ bytes }) => bytes));
    });
    for (const { bytes, done } of appends) {
      done(failure, offset);
      offset += bytes.length;
    }
  }

  #segmentFor(bytes: number): FileSegment {
    const last = this.#segments.at(-1);
    if (last !== undefined && (last.isEmpty || last.fileBytes(bytes) <= this.#options.segmentBytes)) return last;
    void last?.close();
    const segment = this.#segment(this.#segments.length, last?.end ?? 0);
    this.#segments.push(segment);
    return segment;
  }

  #segment(number: number, start: number, existingBytes = 0): FileSegment {
    const { id, pool } = this.#options;
    const path = (): string => join(this.#directory, segmentName(id, number));
    return new FileSegment({
      id,
      number,
      start,
      pool,
      path,
      makeDirectory: () => this.#makeDirectory(),
      existingBytes,
    });
  }

  async #makeDirectory(): Promise<void> {
    this.#directory = await this.#options.directory();
    this.#name = join(this.#directory, resultFileName(this.id));
  }

  /** The next append, and the following ones that fit into the segment. */
  #takeAppends(segment: FileSegment): readonly Append[] {
    const appends: Append[] = [];
    let length = 0;
    for (const next of this.#pending) {
      if (next.kind === 'sync') break;
      length += next.bytes.length;
      if (appends.length > 0 && segment.fileBytes(length) > this.#options.segmentBytes) break;
      appends.push(next);
    }
    this.#pending.splice(0, appends.length);
    return appends;
  }

  #sync(): Promise<SpillError | undefined> {
    return this.#failureOf(async () => {
      this.#options.faults.reach(spillFaultPoints.sync, { file: this.name });
      this.#assertThere();
      await Promise.all(this.#ofEach((segment) => segment.sync()));
    });
  }

  async #failureOf(work: () => Promise<void>): Promise<SpillError | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      const cause = toError(error);
      return new SpillError(this.#options.parent, cause.message, { cause }, this.#options.option);
    }
  }

  #read(range: RangeRead): void {
    const { offset, length } = range;
    this.#options.faults.reach(spillFaultPoints.read, { file: this.name, offset });
    this.#assertThere();
    const end = offset + length;
    const missing = Math.min(length, end - (this.#segments.at(-1)?.end ?? 0));
    if (missing > 0) throw new Error(`the file ends ${missing} bytes too early`);
    const first = this.#segments.findLastIndex(({ start }) => start <= offset);
    const segment = this.#segments[first];
    if (segment === undefined || end > segment.end) {
      this.#readParts(range, first);
      return;
    }
    this.#asked.add(segment);
    segment.read(range);
  }

  /** Reads a range of several segments. */
  #readParts({ offset, length, resolve, reject }: RangeRead, first: number): void {
    const end = offset + length;
    const parts: Promise<Uint8Array>[] = [];
    for (let index = first, from = offset; from < end; index++) {
      const segment = this.#segments[index] as FileSegment;
      const part = { offset: from, length: Math.min(end, segment.end) - from };
      parts.push(new Promise((accept, refuse) => segment.read({ ...part, resolve: accept, reject: refuse })));
      from += part.length;
    }
    Promise.all(parts).then((read) => resolve(Buffer.concat(read)), reject);
  }

  async #verify(): Promise<void> {
    if (this.#removal !== undefined) {
      throw new UnreadableFileError({ file: this.name, offset: 0 }, 'the file was removed');
    }
    // All at once; the error names the first damaged segment.
    const looks = await Promise.allSettled(this.#ofEach((segment) => segment.verify()));
    const failed = looks.find((look) => look.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Looks after each segment that is there. What becomes of one that is dropped meanwhile is of no concern. */
  #ofEach(look: (segment: FileSegment) => Promise<void>): Promise<void>[] {
    const first = this.#dropped;
    return this.#segments.slice(first).map((segment, at) =>
      look(segment).catch((error: unknown) => {
        if (first + at >= this.#dropped) throw error;
      }),
    );
  }

  #assertThere(): void {
    if (this.#removal !== undefined) throw new Error('the file was removed');
  }
}
