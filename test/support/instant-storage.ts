import type {
  CheckpointManifest,
  CheckpointStorage,
  FoundCheckpoint,
} from '../../src/checkpoints/checkpoint-storage.ts';
import type { CheckpointId } from '../../src/ids.ts';

type Settled<Value> = { readonly value: Value } | { readonly error: unknown };

type Then<Value> = (done: (value: Value) => void, failed: (error: unknown) => void) => void;

/** A promise whose callbacks a test calls. */
// oxlint-disable-next-line unicorn/no-thenable -- its purpose
const promised = <Value>(then: Then<Value>): Promise<Value> => ({ then }) as never;

/** A promise that is settled already, and says so at once. */
const settled = <Value>(outcome: Settled<Value>): Promise<Value> =>
  promised((done, failed) => ('value' in outcome ? done(outcome.value) : failed(outcome.error)));

/** What can go wrong with a storage. */
export interface StorageFaults {
  /** How often the first number cannot be drawn, and with what. */
  readonly numbers?: { times: number; readonly error: Error };
  readonly commit?: Error;
  /** Questions are answered when the test calls `answer`. */
  readonly isSlow?: boolean;
}

/** A storage that answers at once, or when the test says so, and holds no state: it notes what it is told. */
export class InstantStorage implements CheckpointStorage {
  readonly description = 'the test';
  readonly address = undefined;
  readonly manifests: CheckpointManifest[] = [];
  readonly discarded: number[] = [];
  isSlow: boolean;
  readonly #faults: StorageFaults;
  #waiting: (() => void)[] = [];

  constructor(faults: StorageFaults = {}) {
    this.#faults = faults;
    this.isSlow = faults.isSlow ?? false;
  }

  /** It answers what it was asked. */
  answer(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  lastNumber(): Promise<CheckpointId | undefined> {
    return this.#answered(() => {
      const { numbers } = this.#faults;
      if (numbers === undefined || numbers.times === 0) return { value: undefined };
      numbers.times--;
      return { error: numbers.error };
    });
  }

  commit(manifest: CheckpointManifest): Promise<void> {
    return this.#answered(() => {
      if (this.#faults.commit !== undefined) return { error: this.#faults.commit };
      this.manifests.push(manifest);
      return { value: undefined };
    });
  }

  discard(_scope: string, checkpoint: CheckpointId): Promise<void> {
    return this.#answered(() => {
      this.discarded.push(checkpoint);
      return { value: undefined };
    });
  }

  write(): never {
    throw new Error('The test writes no state');
  }

  read(): never {
    throw new Error('The test reads no state');
  }

  readChunk(): never {
    throw new Error('The test reads no state');
  }

  // biome-ignore lint/correctness/useYield: it has none
  async *find(): AsyncIterable<FoundCheckpoint> {}

  sweep(): never {
    throw new Error('The test sweeps nothing');
  }

  remove(): Promise<void> {
    return settled<void>({ value: undefined });
  }

  #answered<Value>(outcome: () => Settled<Value>): Promise<Value> {
    if (!this.isSlow) return settled(outcome());
    return promised((done, failed) => {
      this.#waiting.push(() => void settled(outcome()).then(done, failed));
    });
  }
}
