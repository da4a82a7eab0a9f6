import { lstat, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileProblem } from '../../connectors/file-problem.ts';
import { FileAccessError } from '../../errors/connector-errors.ts';
import { KeptResultError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { decodeElement, readFrameHeader } from '../records/element-codec.ts';
import type { Batch } from '../stream-element.ts';
import { framesOf, readRange } from './frame-reader.ts';
import { type KeptPartition, manifestFile, readManifest } from './kept-manifest.ts';
import { openRegularFile } from './regular-file.ts';
import { headerBytes, headerProblem, segmentName } from './segment-header.ts';
import type { FilePlace } from './spill-store.ts';

/**
 * Releases a result that was kept beyond its job: deletes the files that its manifest names, then the manifest. If that
 * fails half way, the manifest still exists and the call can be repeated.
 * @throws KeptResultError (as a rejection) if there is no kept result or it is damaged; nothing is deleted
 * @throws FileAccessError (as a rejection) if the directory has other files, which stay
 */
export async function releaseKeptResult(directory: string): Promise<void> {
  const { partitions } = await readManifest(directory);
  const [place, isLink] = await Promise.all([realpath(directory), isSymbolicLink(directory)]);
  for (const { partition, attempt, segments } of partitions) {
    for (const number of segments.keys()) await remove(join(place, segmentName({ partition, attempt }, number)));
  }
  await remove(join(place, manifestFile));
  const others = await readdir(place);
  if (others.length > 0) {
    throw new FileAccessError(place, `the result is released; ${others.length} other files in it were left alone`);
  }
  await rmdir(place);
  if (isLink) await rm(directory, { force: true });
}

async function remove(file: string): Promise<void> {
  try {
    await rm(file, { force: true });
  } catch (error) {
    throw fileProblem(file, 'delete', error);
  }
}

async function isSymbolicLink(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink();
}

/**
 * The batches of one partition of a kept result, as written, in order within each subpartition.
 * @throws KeptResultError if the result is damaged or incomplete
 */
export async function* keptBatches(
  directory: string,
  { partition, attempt, records, segments }: KeptPartition,
  isBroadcast: boolean,
): AsyncGenerator<Batch> {
  /** Number of the next record of each subpartition. A record that was written twice occurs twice. */
  const next = new Map<number, number>();
  let start = 0;
  let count = 0;
  for (const [number, bytes] of segments.entries()) {
    const file = join(directory, segmentName({ partition, attempt }, number));
    const unreadable = (offset: number, problem: string, cause?: unknown): KeptResultError =>
      new KeptResultError(directory, { file, offset }, problem, { cause });
    let offset = 0;
    try {
      const handle = await openRegularFile(file);
      try {
        const problem = headerProblem(await readRange(handle, 0, headerBytes), {
          id: { partition, attempt },
          number,
          start,
        });
        if (problem !== undefined) throw new Error(problem);
        const { size } = await handle.stat();
        const missing = headerBytes + bytes - size;
        if (missing > 0) throw new Error(`the file ends ${missing} bytes too early`);
        if (missing < 0) throw new Error(`the file has ${-missing} bytes after its end`);
        offset = headerBytes;
        for await (const frame of framesOf(handle, headerBytes, headerBytes + bytes)) {
          const { subpartition, sequence } = readFrameHeader(frame);
          const element = decodeElement(frame);
          offset += frame.length;
          const due = next.get(subpartition) ?? 0;
          if (sequence < due) continue;
          if (sequence > due)
            throw new Error(`records ${due} to ${sequence - 1} of subpartition ${subpartition} are missing`);
          // A barrier or watermark has a meaning only for the run that wrote it.
          if (element.kind !== 'records') continue;
          const { records: batch } = element;
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
