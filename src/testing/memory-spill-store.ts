import type { Clock, FaultPoints } from '../environment.ts';
import { noFaults } from '../environment.ts';
import { SpillError, toError } from '../errors.ts';
import { type ResultPartitionId, resultPartitionKey } from '../ids.ts';
import { type SpillFile, spillFaultPoints, type SpillStore } from '../partitions/spill-store.ts';

/**
 * Spill files in memory, on the clock of a test: for runs that repeat, and for disks that are full, files that vanish,
 * bytes that rot.
 */
export class MemorySpillStore implements SpillStore {
  /** The files there are, by name. A test may change their bytes. */
  readonly files = new Map<string, Uint8Array[]>();
  readonly #clock: Clock;
  readonly #faults: FaultPoints;

  constructor(clock: Clock, { faults = noFaults }: { readonly faults?: FaultPoints } = {}) {
    this.#clock = clock;
    this.#faults = faults;
  }

  create(id: ResultPartitionId): SpillFile {
    const name = `memory/${resultPartitionKey(id)}`;
    this.files.set(name, []);
    return {
      name,
      append: (bytes, done) => this.#later(() => this.#append(name, bytes, done)),
      read: (offset, length, done) => this.#later(() => this.#read(name, offset, length, done)),
      remove: () => this.files.delete(name),
    };
  }

  dispose(): Promise<void> {
    this.files.clear();
    return Promise.resolve();
  }

  #append(name: string, bytes: Uint8Array, done: (error: Error | undefined, offset: number) => void): void {
    const chunks = this.files.get(name);
    const offset = chunks?.reduce((sum, chunk) => sum + chunk.length, 0) ?? 0;
    try {
      this.#faults.reach(spillFaultPoints.append, { file: name });
      chunks?.push(bytes);
      done(undefined, offset);
    } catch (error) {
      done(new SpillError('memory', toError(error).message, { cause: error }), offset);
    }
  }

  #read(
    name: string,
    offset: number,
    length: number,
    done: (error: Error | undefined, bytes: Uint8Array) => void,
  ): void {
    const chunks = this.files.get(name);
    let failure: Error | undefined = chunks === undefined ? new Error('the file is gone') : undefined;
    try {
      this.#faults.reach(spillFaultPoints.read, { file: name, offset });
    } catch (error) {
      failure ??= toError(error);
    }
    const all = Buffer.concat(chunks ?? []);
    if (all.length < offset + length)
      failure ??= new Error(`the file ends ${offset + length - all.length} bytes too early`);
    done(failure, failure === undefined ? Uint8Array.from(all.subarray(offset, offset + length)) : new Uint8Array());
  }

  #later(action: () => void): void {
    this.#clock.setImmediate(action);
  }
}
