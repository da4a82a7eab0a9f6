import { join } from 'node:path';
import { KeptResultError } from '../errors/result-errors.ts';
import { toError } from '../errors/thrown-value.ts';
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
 * Reads a result that another job has kept (`keepResults: { directory }` of an exchange). Records are as written, in
 * order for each pair of producer and consumer task.
 *
 * Splittable by producer task; further subtasks read nothing. Replayable: the result is fixed once per run, and the job
 * fails if it is released or replaced during the run.
 *
 * Reading fails with a `KeptResultError`, which no restart cures, if the result was replaced or damaged: run the job
 * that wrote it again.
 */
export function keptResult<Out>(directory: string): Source<Out> {
  checkPath(directory);
  return {
    name: directory,
    definition: { kind: 'keptResult', options: { directory } },
    origin: { kind: 'files', paths: [directory] },
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    plan: () => readManifest(directory),
    changedSince: async (manifest: KeptManifest) => {
      try {
        return isSame(await readManifest(directory), manifest) ? undefined : replaced(directory);
      } catch (error) {
        return toError(error).message;
      }
    },
    describeChange: () => replaced(directory),
    open: async ({ subtask, parallelism }, planned?: KeptManifest) => {
      const manifest = planned ?? (await readManifest(directory));
      await assertSame(directory, manifest);
      const { partitions } = manifest;
      // Each producer of a broadcast wrote different records, so the shares are by producer.
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

  /** If the result was replaced, that explains any fault in it; without a fault, it is the only sign. */
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

function isSame(present: KeptManifest, manifest: KeptManifest): boolean {
  return Buffer.from(encodeManifest(present)).equals(encodeManifest(manifest));
}

function replaced(directory: string): string {
  return `the result in ${directory} was replaced`;
}

/**
 * @throws KeptResultError if the directory now holds another result or none, because the records read may come from
 *   both
 */
async function assertSame(directory: string, manifest: KeptManifest): Promise<void> {
  const present = await readManifest(directory);
  if (isSame(present, manifest)) return;
  const at = { file: join(directory, manifestFile), offset: 0 };
  throw new KeptResultError(directory, at, 'it was replaced since the run began');
}

async function* batchesOf(
  directory: string,
  partitions: readonly KeptPartition[],
  isBroadcast: boolean,
): AsyncGenerator<readonly unknown[]> {
  for (const partition of partitions) yield* keptBatches(directory, partition, isBroadcast);
}
