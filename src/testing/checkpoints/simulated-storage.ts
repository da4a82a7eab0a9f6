import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import type { CheckpointFile, CheckpointFiles } from '../../partitions/checkpoints/checkpoint-files.ts';
import { StoredCheckpoints } from '../../partitions/checkpoints/stored-checkpoints.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { checkpointMoments, type Moments, type OwnTimers, type StorageEffect } from './moments.ts';

export interface SimulatedStorageOptions {
  readonly timers: OwnTimers;
  readonly random: SeededRandom;
  readonly moments: Moments;
  /** Whether workers reach it, as a directory; otherwise states travel in messages. */
  readonly isShared: boolean;
  /** Called with a file that is read without end. */
  readonly stuck: (name: string) => void;
  /** Longest time of an operation, in ms, unless it is drawn to be slow, */
  readonly latencyMs: number;
  /** and that of one that is. */
  readonly slowMs: number;
}

/** A checkpoint storage in memory on virtual time, whose operations take time and go wrong as drawn. */
export class SimulatedStorage {
  readonly storage: CheckpointStorage;
  /** Whether nothing takes time: where virtual time stands still, as while a run reads what a dead process left. */
  isInstant = false;
  readonly #options: SimulatedStorageOptions;
  /** By scope, then by name. */
  readonly #files = new Map<string, Map<string, Uint8Array>>();
  #damaged = 0;

  constructor(options: SimulatedStorageOptions) {
    this.#options = options;
    this.storage = new StoredCheckpoints({
      description: 'simulated files',
      address: options.isShared ? { kind: 'files', directory: 'simulated' } : undefined,
      open: (scope) => this.#open(scope),
    });
  }

  /** The files that exist. */
  get files(): string[] {
    return [...this.#files].flatMap(([scope, files]) => [...files.keys()].map((name) => `${scope}/${name}`));
  }

  /** The greatest number of complete checkpoints of one component. */
  get manifestCount(): number {
    const counts = [...this.#files.values()].map(
      (files) => [...files.keys()].filter((name) => name.endsWith('.manifest')).length,
    );
    return Math.max(0, ...counts);
  }

  /** Number of files that were written and are not as they were, in this process or one before it. */
  get damagedCount(): number {
    return this.#damaged;
  }

  /** Has what another storage has now. */
  takeOver(other: SimulatedStorage): void {
    this.#damaged += other.#damaged;
    for (const [scope, files] of other.#files) this.#files.set(scope, new Map(files));
  }

  /** Removes everything; what is being written comes after that. */
  clear(): void {
    for (const files of this.#files.values()) files.clear();
  }

  #open(scope: string): CheckpointFiles {
    const files = this.#files.get(scope) ?? new Map<string, Uint8Array>();
    this.#files.set(scope, files);
    return {
      pathOf: (name) => `simulated/${scope}/${name}`,
      list: async () => {
        await this.#operation(checkpointMoments.list);
        return [...files].map(([name, { length }]): CheckpointFile => ({ name, bytes: length }));
      },
      create: async (name, chunks) => {
        const parts: Uint8Array[] = [];
        for await (const chunk of chunks) parts.push(chunk.slice());
        const isManifest = name.endsWith('.manifest');
        const effect = await this.#operation(isManifest ? checkpointMoments.store : checkpointMoments.write);
        if (files.has(name)) return false;
        if (effect !== undefined) this.#damaged++;
        const bytes = this.#spoilt(new Uint8Array(Buffer.concat(parts)), effect);
        if (bytes !== undefined) files.set(name, bytes);
        return true;
      },
      read: async (name, offset, length) => {
        await this.#operation(name.endsWith('.state') ? checkpointMoments.read : checkpointMoments.list, name);
        return files.get(name)?.slice(offset, offset + length);
      },
      remove: async (names) => {
        await this.#operation(checkpointMoments.remove);
        for (const name of names) files.delete(name);
      },
    };
  }

  /** Takes the time of an operation. @returns what becomes of what it writes */
  async #operation(
    moment: Parameters<Moments['pass']>[0],
    name?: string,
  ): Promise<Exclude<StorageEffect, 'fails' | 'is slow' | 'never ends'> | undefined> {
    const { timers, random, moments, latencyMs, slowMs, stuck } = this.#options;
    const effect = moments.pass(moment);
    const ms = effect === 'is slow' ? slowMs : random.integer(0, latencyMs);
    if (ms > 0 && !this.isInstant) await new Promise<void>((resolve) => timers.after(ms, resolve));
    if (effect === 'never ends') {
      if (name !== undefined) stuck(name);
      await new Promise<never>(() => {});
    }
    if (effect === 'fails') throw new Error(`${moment} failed as drawn`);
    return effect === 'is torn' || effect === 'has a bit flipped' || effect === 'is lost' ? effect : undefined;
  }

  #spoilt(bytes: Uint8Array, effect: StorageEffect | undefined): Uint8Array | undefined {
    const at = this.#options.random.integer(0, bytes.length - 1);
    switch (effect) {
      case 'is lost':
        return undefined;
      case 'is torn':
        return bytes.slice(0, at);
      case 'has a bit flipped':
        bytes[at] = (bytes[at] as number) ^ (1 << this.#options.random.integer(0, 7));
        return bytes;
      default:
        return bytes;
    }
  }
}
