import { open, readdir, readFile, realpath, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FileAccessError, KeptResultError, toError } from '../errors.ts';
import type { AttemptNumber, PartitionId } from '../ids.ts';
import { framesOf, readRange } from './frame-reader.ts';
import { decodeBatch, readFrameHeader } from './record-codec.ts';
import { headerBytes, headerProblem, segmentName } from './segment-header.ts';
import type { FilePlace } from './spill-store.ts';
import type { Batch } from './stream-element.ts';

/** File of a kept result that says what the others are; written last. */
export const manifestFile = 'manifest.json';

const format = 1;

/** What one task wrote. */
export interface KeptPartition {
  readonly partition: PartitionId;
  /** The attempt that its files are named after. */
  readonly attempt: AttemptNumber;
  readonly records: number;
  /** Bytes of each of its segments, in order. */
  readonly segments: readonly number[];
}

/** A result that outlives its job, as its directory describes it. */
export interface KeptResultManifest {
  readonly format: number;
  readonly job: string;
  /** The job vertices at the ends of the exchange. */
  readonly source: string;
  readonly target: string;
  /** Whether every subpartition holds every record (`broadcast`), so that one is enough. */
  readonly isBroadcast: boolean;
  readonly partitions: readonly KeptPartition[];
}

/** The manifest of a result that is kept now. */
export function manifestOf(about: Omit<KeptResultManifest, 'format'>): KeptResultManifest {
  return { format, ...about };
}

/** @throws KeptResultError where there is no kept result, or one of another format */
export async function readManifest(directory: string): Promise<KeptResultManifest> {
  const file = join(directory, manifestFile);
  let manifest: KeptResultManifest;
  try {
    manifest = JSON.parse(await readFile(file, 'utf8')) as KeptResultManifest;
  } catch (cause) {
    throw new KeptResultError(directory, { file, offset: 0 }, 'there is no kept result', { cause });
  }
  if (manifest.format !== format || !Array.isArray(manifest.partitions)) {
    throw new KeptResultError(directory, { file, offset: 0 }, `it has format ${manifest.format}, and not ${format}`);
  }
  return manifest;
}

/**
 * Gives up a result that was kept beyond its job.
 * @throws KeptResultError (as a rejection) where there is none: nothing else is ever deleted
 * @throws FileAccessError (as a rejection) where something else is in its directory, which stays then
 */
export async function releaseKeptResult(directory: string): Promise<void> {
  const { partitions } = await readManifest(directory);
  const place = await realpath(directory);
  // Without its manifest it is no kept result any more, however far the deletion gets.
  await rm(join(place, manifestFile));
  for (const { partition, attempt, segments } of partitions) {
    for (const number of segments.keys())
      await rm(join(place, segmentName({ partition, attempt }, number)), { force: true });
  }
  const others = await readdir(place);
  if (others.length > 0) {
    throw new FileAccessError(place, `the result is released; ${others.length} other files in it were left alone`);
  }
  await rmdir(place);
  if (place !== resolve(directory)) await rm(directory, { force: true });
}

/**
 * The batches of one partition of a kept result, each as it was written, in order within each subpartition.
 * @throws KeptResultError where it is not what it was
 */
export async function* keptBatches(
  directory: string,
  { partition, attempt, records, segments }: KeptPartition,
  isBroadcast: boolean,
): AsyncGenerator<Batch> {
  /** Record of each subpartition that comes next. What was written twice is there twice. */
  const next = new Map<number, number>();
  let start = 0;
  let count = 0;
  for (const [number, bytes] of segments.entries()) {
    const file = join(directory, segmentName({ partition, attempt }, number));
    const unreadable = (offset: number, problem: string, cause?: unknown): KeptResultError =>
      new KeptResultError(directory, { file, offset }, problem, { cause });
    let offset = 0;
    try {
      const handle = await open(file, 'r');
      try {
        const problem = headerProblem(await readRange(handle, 0, headerBytes), {
          id: { partition, attempt },
          number,
          start,
        });
        if (problem !== undefined) throw new Error(problem);
        offset = headerBytes;
        for await (const frame of framesOf(handle, headerBytes, headerBytes + bytes)) {
          const { subpartition, sequence } = readFrameHeader(frame);
          const batch = decodeBatch(frame);
          offset += frame.length;
          const due = next.get(subpartition) ?? 0;
          if (sequence < due) continue;
          if (sequence > due)
            throw new Error(`records ${due} to ${sequence - 1} of subpartition ${subpartition} are missing`);
          next.set(subpartition, sequence + batch.length);
          count += batch.length;
          if (!isBroadcast || subpartition === 0) yield batch;
        }
      } finally {
        await handle.close();
      }
    } catch (cause) {
      throw unreadable(offset, toError(cause).message, cause);
    }
    start += bytes;
  }
  if (count !== records) {
    const at: FilePlace = { file: join(directory, manifestFile), offset: 0 };
    throw new KeptResultError(directory, at, `partition ${partition} has ${count} of ${records} records`);
  }
}
