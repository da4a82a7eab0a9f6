import { type Clock, type FaultPoints, noFaults } from '../../environment.ts';
import { SpillError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { type ResultPartitionId, resultPartitionKey } from '../../ids.ts';
import {
  type FilePlace,
  type SpillFile,
  spillFaultPoints,
  type SpillStore,
  UnreadableFileError,
} from '../../partitions/storage/spill-store.ts';

/**
 * Spill files in memory, on the clock of a test: for repeatable runs, full disks (arm `spillFaultPoints.append`),
 * vanished files and damaged bytes (change `files`). One file per result, without segments.
 */
export class MemorySpillStore implements SpillStore {
  /** The existing files by name, as appended. A test may change their bytes. */
  readonly files = new Map<string, Uint8Array[]>();
  readonly #clock: Clock;
  readonly #faults: FaultPoints;

  constructor(clock: Clock, { faults = noFaults }: { readonly faults?: FaultPoints } = {}) {
    this.#clock = clock;
    this.#faults = faults;
  }

  create(id: ResultPartitionId): SpillFile {
    return new MemoryFile(`memory/${resultPartitionKey(id)}`, this.files, this.#clock, this.#faults);
  }

  dispose(): Promise<void> {
    this.files.clear();
    return Promise.resolve();
  }
}

class MemoryFile implements SpillFile {
  readonly name: string;
  readonly #files: Map<string, Uint8Array[]>;
  readonly #clock: Clock;
  readonly #faults: FaultPoints;
  /** Appends and syncs in order of request, because a clock may shuffle callbacks of one instant. */
  readonly #pending: (() => void)[] = [];
  #size = 0;
  #isRemoved = false;

  constructor(name: string, files: Map<string, Uint8Array[]>, clock: Clock, faults: FaultPoints) {
    this.name = name;
    this.#files = files;
    this.#clock = clock;
    this.#faults = faults;
  }

  append(bytes: Uint8Array, done: (error: Error | undefined, offset: number) => void): void {
    this.#enqueue(() => {
      const offset = this.#size;
      done(
        this.#failureOf(() => this.#append(bytes)),
        offset,
      );
    });
  }

  sync(done: (error: Error | undefined) => void): void {
    this.#enqueue(() => {
      done(
        this.#failureOf(() => {
          this.#assertThere();
          this.#faults.reach(spillFaultPoints.sync, { file: this.name });
        }),
      );
    });
  }

  read(offset: number, length: number, done: (error: Error | undefined, bytes: Uint8Array) => void): void {
    this.#clock.setImmediate(() => {
      let bytes = new Uint8Array();
      const failure = failureOf(() => {
        bytes = this.#read(offset, length);
      });
      done(failure, bytes);
    });
  }

  verify(done: (error: UnreadableFileError | undefined) => void): void {
    this.#clock.setImmediate(() => {
      const chunks = this.#files.get(this.name);
      const size = sizeOf(chunks ?? []);
      if (this.#isRemoved) done(this.#unreadable('the file was removed', 0));
      else if (chunks === undefined && this.#size > 0) done(this.#unreadable('the file is missing', 0));
      else if (size < this.#size) done(this.#unreadable(`the file has ${size} of ${this.#size} bytes`, size));
      else done(undefined);
    });
  }

  locate(offset: number): FilePlace {
    return { file: this.name, offset };
  }

  remove(): void {
    this.#isRemoved = true;
    this.#files.delete(this.name);
  }

  #enqueue(work: () => void): void {
    this.#pending.push(work);
    this.#clock.setImmediate(() => this.#pending.shift()?.());
  }

  #failureOf(work: () => void): SpillError | undefined {
    const failure = failureOf(work);
    return failure && new SpillError('memory', failure.message, { cause: failure });
  }

  #unreadable(problem: string, offset: number): UnreadableFileError {
    return new UnreadableFileError(this.locate(offset), problem);
  }

  #assertThere(): void {
    if (this.#isRemoved) throw new Error('the file was removed');
  }

  #append(bytes: Uint8Array): void {
    this.#assertThere();
    this.#faults.reach(spillFaultPoints.append, { file: this.name });
    const chunks = this.#files.get(this.name);
    // A file that vanished has a hole in place of its earlier bytes, like a file on disk.
    if (chunks === undefined)
      this.#files.set(this.name, this.#size === 0 ? [bytes] : [new Uint8Array(this.#size), bytes]);
    else chunks.push(bytes);
    this.#size += bytes.length;
  }

  #read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    this.#faults.reach(spillFaultPoints.read, { file: this.name, offset });
    const chunks = this.#files.get(this.name);
    if (chunks === undefined) throw new Error(this.#isRemoved ? 'the file was removed' : 'the file is gone');
    const bytes = new Uint8Array(length);
    let filled = 0;
    let start = 0;
    for (const chunk of chunks) {
      const from = offset + filled - start;
      start += chunk.length;
      // Files of small frames have thousands of chunks: the ones that are not wanted cost nothing but a comparison.
      if (from >= chunk.length) continue;
      const part = chunk.subarray(from, from + length - filled);
      bytes.set(part, filled);
      filled += part.length;
      if (filled === length) break;
    }
    if (filled < length) throw new Error(`the file ends ${length - filled} bytes too early`);
    return bytes;
  }
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function failureOf(action: () => void): Error | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return toError(error);
  }
}
