import { Packr } from 'msgpackr/pack';
import type { RunEntry } from './run-entry.ts';
import type { LogFormat } from '../log-scan.ts';

/**
 * The journal of runs. Since format 3 it has `checkpoints.lost`, `.doubted`, `.outdated` and `.numbered`: a reader
 * that does not know them would use a checkpoint that was given up, and numbers again. Format 2 is the same without them. Since
 * format 4 a run replaces its entries by a new beginning, whose number of steps a reader has to know.
 */
export const runJournalFormat: LogFormat = {
  kind: 'RUNJ',
  version: 4,
  oldestVersion: 2,
  remedy: 'Run the job with the version of kintsugi that wrote it, or delete the directory to start over',
};

/** Source plans are data that `structuredClone` can copy: dates, maps, bigints, bytes. */
const packr = new Packr({ useRecords: true, moreTypes: true, useBigIntExtension: true });

export function encodeEntry(entry: RunEntry): Uint8Array {
  return new Uint8Array(packr.pack(entry));
}

/** @throws Error for bytes that are no entry; those of a whole record are one. */
export function decodeEntry(payload: Uint8Array): RunEntry {
  return packr.unpack(payload) as RunEntry;
}
