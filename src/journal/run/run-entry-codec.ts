import { Packr } from 'msgpackr/pack';
import type { RunEntry } from './run-entry.ts';
import type { LogFormat } from '../log-scan.ts';

/** The journal of runs. */
export const runJournalFormat: LogFormat = {
  kind: 'RUNJ',
  version: 2,
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
