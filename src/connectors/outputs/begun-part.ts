import { type FileHandle, open } from 'node:fs/promises';
import { FileAccessError } from '../../errors/connector-errors.ts';
import { crc32 } from '../../partitions/records/checksum.ts';

/** A part that goes on after the checkpoint: what it was at the barrier. Plain data. */
export interface BegunPart {
  /** Absolute path of a file that begins with it. */
  readonly temporary: string;
  readonly bytes: number;
  /** CRC-32 of these bytes. */
  readonly crc: number;
  readonly records: number;
  /** How long it had been written. */
  readonly ageMs: number;
}

const blockBytes = 256 * 1_024;

/**
 * Copies a begun part to the empty file `to`, because an attempt that is thought to be dead may still write to the old one.
 *
 * @param candidates files one of which begins with it: later attempts may have closed, committed or copied it
 * @returns the one that does
 * @throws FileAccessError if none does
 */
export async function copyBegunPart(
  begun: BegunPart,
  candidates: readonly string[],
  path: string,
  to: FileHandle,
): Promise<string> {
  for (const candidate of candidates) {
    if (await copiesPrefix(begun, candidate, to)) return candidate;
    await to.truncate(0);
  }
  throw new FileAccessError(
    path,
    `cannot continue: no file begins with the ${begun.bytes} bytes that the checkpoint names, such as ${begun.temporary}. ` +
      'Was it deleted or changed? Begin the job anew, with `rerun: true`',
    { recovery: 'never' },
  );
}

/** Whether `candidate` begins with the part, which is then copied. */
async function copiesPrefix({ bytes, crc }: BegunPart, candidate: string, to: FileHandle): Promise<boolean> {
  let from: FileHandle;
  try {
    from = await open(candidate, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    let [at, sum] = [0, 0];
    while (at < bytes) {
      const block = Buffer.allocUnsafe(Math.min(blockBytes, bytes - at));
      const { bytesRead } = await from.read(block, 0, block.length, at);
      if (bytesRead === 0) return false;
      const found = block.subarray(0, bytesRead);
      sum = crc32(found, sum);
      at += bytesRead;
      await to.appendFile(found);
    }
    return sum === crc;
  } finally {
    await from.close();
  }
}
