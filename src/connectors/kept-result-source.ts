import type { Source, SourceReader } from '../operators/source.ts';
import { type KeptPartition, readManifest } from '../partitions/kept-manifest.ts';
import { keptBatches } from '../partitions/kept-result.ts';
import { shareOf } from './byte-range.ts';
import { checkPath } from './file-problem.ts';

/**
 * Reads a result that another job has kept (`keepResults: { directory }` of an exchange): its records as they were
 * written, in order within each task that wrote and each that was to read.
 *
 * Splittable by the tasks that wrote it; further subtasks read nothing. Replayable: it must not be released while a job
 * runs.
 *
 * Reading fails with a `KeptResultError`, which no restart cures, where it is not what it was: the job that wrote it has
 * to run again.
 */
export function keptResult<Out>(directory: string): Source<Out> {
  checkPath(directory);
  return {
    name: directory,
    origin: { kind: 'files', paths: [directory] },
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    open: async ({ subtask, parallelism }) => {
      const { partitions, isBroadcast } = await readManifest(directory);
      // Everybody who wrote a broadcast wrote records of its own.
      const { start, end } = shareOf(subtask, parallelism, partitions.length);
      return new KeptResultReader<Out>(directory, partitions.slice(start, end), isBroadcast);
    },
  };
}

class KeptResultReader<Out> implements SourceReader<Out> {
  readonly #batches: AsyncIterator<readonly unknown[]>;
  #batch: readonly unknown[] = [];
  #at = 0;

  constructor(directory: string, partitions: readonly KeptPartition[], isBroadcast: boolean) {
    this.#batches = batchesOf(directory, partitions, isBroadcast);
  }

  read(maxRecords: number): readonly Out[] | Promise<readonly Out[] | null> {
    if (this.#at === this.#batch.length) return this.#readOn(maxRecords);
    const end = Math.min(this.#batch.length, this.#at + maxRecords);
    const records = this.#batch.slice(this.#at, end) as readonly Out[];
    this.#at = end;
    return records;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }

  async #readOn(maxRecords: number): Promise<readonly Out[] | null> {
    const next = await this.#batches.next();
    if (next.done === true) return null;
    this.#batch = next.value;
    this.#at = 0;
    return this.read(maxRecords);
  }
}

async function* batchesOf(
  directory: string,
  partitions: readonly KeptPartition[],
  isBroadcast: boolean,
): AsyncGenerator<readonly unknown[]> {
  for (const partition of partitions) yield* keptBatches(directory, partition, isBroadcast);
}
