import { join } from 'node:path';
import { KeptResultError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { show } from '../../foreign-value.ts';
import type { AttemptNumber, PartitionId, RunId } from '../../ids.ts';
import { encodeRecord, readRecord } from '../../journal/record-header.ts';
import { readRegularFile } from './regular-file.ts';

/** The file that describes the other files of a kept result; written last and deleted last. */
export const manifestFile = 'manifest';

/** Its name in format 1, which was plain JSON. */
const oldManifestFile = 'manifest.json';

const format = { kind: 'KEPT', version: 2 } as const;

/** Enough for the results of 100 000 tasks. */
const longestManifestBytes = 1 << 26;

/** The result of one task. */
export interface KeptPartition {
  readonly partition: PartitionId;
  /** The attempt in the names of its files. */
  readonly attempt: AttemptNumber;
  readonly records: number;
  /** Size of each segment in bytes, in order. */
  readonly segments: readonly number[];
}

/** The manifest of a result that outlives its job. */
export interface KeptManifest {
  /** The run that wrote it. */
  readonly run: RunId;
  readonly job: string;
  /** The job vertices at the ends of the exchange. */
  readonly source: string;
  readonly target: string;
  /** Whether every subpartition has every record (`broadcast`), so that reading one is enough. */
  readonly isBroadcast: boolean;
  readonly partitions: readonly KeptPartition[];
}

/** The bytes of the manifest file. */
export function encodeManifest(manifest: KeptManifest): Uint8Array {
  return encodeRecord(format, new TextEncoder().encode(JSON.stringify(manifest)));
}

/** @throws KeptResultError if there is no kept result, or it has another format or is damaged */
export async function readManifest(directory: string): Promise<KeptManifest> {
  const file = join(directory, manifestFile);
  const wrong = (problem: string, options?: { cause: unknown }): KeptResultError =>
    new KeptResultError(directory, { file, offset: 0 }, problem, options);
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(file, longestManifestBytes);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    throw wrong(isMissing ? await absence(directory) : `its manifest: ${toError(cause).message}`, { cause });
  }
  const record = readRecord(format, bytes);
  if (record.kind !== 'whole') throw wrong(`its manifest: ${record.problem}`);
  if (record.end !== bytes.length) throw wrong('its manifest: there are bytes after its end');
  try {
    return manifestIn(JSON.parse(new TextDecoder().decode(record.payload)));
  } catch (cause) {
    throw wrong(`its manifest: ${toError(cause).message}`, { cause });
  }
}

/** Why there is no manifest. */
async function absence(directory: string): Promise<string> {
  const isOld = await readRegularFile(join(directory, oldManifestFile), longestManifestBytes).then(
    () => true,
    () => false,
  );
  return isOld ? `it has format 1, expected ${format.version}` : 'there is no kept result';
}

/** @throws Error with the first invalid field */
function manifestIn(told: unknown): KeptManifest {
  const { run, job, source, target, isBroadcast, partitions } = fieldsOf('it', told);
  const seen = new Set<number>();
  return {
    run: text('run', run) as RunId,
    job: text('job', job),
    source: text('source', source),
    target: text('target', target),
    isBroadcast: isBroadcast === true || isBroadcast === false ? isBroadcast : refuse('isBroadcast', isBroadcast),
    partitions: list('partitions', partitions).map((item, index): KeptPartition => {
      const field = `partitions[${index}]`;
      const { partition, attempt, records, segments } = fieldsOf(field, item);
      const number = count(`${field}.partition`, partition, largestId);
      if (seen.has(number)) refuse(`${field}.partition`, partition);
      seen.add(number);
      return {
        partition: number as PartitionId,
        attempt: count(`${field}.attempt`, attempt, largestId) as AttemptNumber,
        records: count(`${field}.records`, records),
        segments: list(`${field}.segments`, segments).map((bytes, at) => count(`${field}.segments[${at}]`, bytes)),
      };
    }),
  };
}

/** The largest value of a header field. */
const largestId = 2 ** 32 - 1;

function fieldsOf(field: string, told: unknown): Partial<Record<string, unknown>> {
  return typeof told === 'object' && told !== null ? told : refuse(field, told);
}

function text(field: string, told: unknown): string {
  return typeof told === 'string' ? told : refuse(field, told);
}

function list(field: string, told: unknown): readonly unknown[] {
  return Array.isArray(told) ? told : refuse(field, told);
}

function count(field: string, told: unknown, most = Number.MAX_SAFE_INTEGER): number {
  const isCount = Number.isSafeInteger(told) && (told as number) >= 0 && (told as number) <= most;
  return isCount ? (told as number) : refuse(field, told);
}

function refuse(field: string, told: unknown): never {
  throw new Error(`${field} cannot be ${show(told)}`);
}
