import { join } from 'node:path';
import { KeptResultError } from '../errors/result-errors.ts';
import type { Source, SourceReader } from '../operators/source.ts';
import {
  encodeManifest,
  type KeptManifest,
  type KeptPartition,
  manifestFile,
  readManifest,
} from '../partitions/storage/kept-manifest.ts';
import { keptBatches } from '../partitions/storage/kept-result.ts';
import { shareOf } from './byte-range.ts';
import { checkPath } from './file-problem.ts';

/**
 * Reads a result that another job has kept (`keepResults: { directory }` of an exchange): its records as they were
 * written, in order within each task that wrote and each that was to read.
 *
 * Splittable by the tasks that wrote it; further subtasks read nothing. Replayable: what it is is fixed once per run, and
 * one that is released, or replaced by another, while a job runs fails it.
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
    plan: () => readManifest(directory),
    open: async ({ subtask, parallelism }, planned?: KeptManifest) => {
      const manifest = planned ?? (await readManifest(directory));
      await assertSame(directory, manifest);
      const { partitions } = manifest;
      // Everybody who wrote a broadcast wrote records of its own.
      const { start, end } = shareOf(subtask, parallelism, partitions.length);
      return new KeptResultReader<Out>(directory, manifest, partitions.slice(start, end));
    },
  };
}

class KeptResultReader<Out> implements SourceReader<Out> {
  readonly #directory: string;
  readonly #manifest: KeptManifest;
  readonly #batches: AsyncIterator<readonly unknown[]>;
  #batch: readonly unknown[] = [];
  #at = 0;

  constructor(directory: string, manifest: KeptManifest, partitions: readonly KeptPartition[]) {
    this.#directory = directory;
    this.#manifest = manifest;
    this.#batches = batchesOf(directory, partitions, manifest.isBroadcast);
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
    const next = await this.#next();
    if (next.done === true) return null;
    this.#batch = next.value;
    this.#at = 0;
    return this.read(maxRecords);
  }

  /** That it was replaced is the better message for what is wrong with it, and the only one where nothing is. */
  async #next(): Promise<IteratorResult<readonly unknown[]>> {
    try {
      const next = await this.#batches.next();
      if (next.done === true) await assertSame(this.#directory, this.#manifest);
      return next;
    } catch (error) {
      await assertSame(this.#directory, this.#manifest);
      throw error;
    }
  }
}

/** @throws KeptResultError where another result lies there by now, or none: what was read may be of both */
async function assertSame(directory: string, manifest: KeptManifest): Promise<void> {
  const present = await readManifest(directory);
  if (Buffer.from(encodeManifest(present)).equals(encodeManifest(manifest))) return;
  const at = { file: join(directory, manifestFile), offset: 0 };
  throw new KeptResultError(directory, at, 'it was replaced by another one since the run began');
}

async function* batchesOf(
  directory: string,
  partitions: readonly KeptPartition[],
  isBroadcast: boolean,
): AsyncGenerator<readonly unknown[]> {
  for (const partition of partitions) yield* keptBatches(directory, partition, isBroadcast);
}
