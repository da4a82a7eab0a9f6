import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Environment, systemEnvironment } from '../../src/environment.ts';
import type { AttemptNumber } from '../../src/ids.ts';
import type { RuntimeContext } from '../../src/operators/runtime-context.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source, SourceReader } from '../../src/operators/source.ts';
import { type TestRun, testRun } from '../support/test-run.ts';

export interface Place {
  readonly vertex?: string;
  readonly subtask?: number;
  readonly parallelism?: number;
  readonly attempt?: number;
  readonly signal?: AbortSignal;
  readonly environment?: Environment;
  /** Its run. Default: a new one. */
  readonly run?: TestRun;
}

/** A run, for tests that do not need a particular one. */
export function contextOf(place: Place = {}): RuntimeContext {
  const { run, outputs } = place.run ?? testRun();
  return {
    job: 'test',
    run,
    outputs,
    vertex: place.vertex ?? 'vertex',
    subtask: place.subtask ?? 0,
    parallelism: place.parallelism ?? 1,
    attempt: (place.attempt ?? 0) as AttemptNumber,
    signal: place.signal ?? new AbortController().signal,
    environment: place.environment ?? systemEnvironment(),
  };
}

/** All batches of a reader. */
export async function drain<Out>(reader: SourceReader<Out>, maxRecords = 100): Promise<Out[]> {
  const records: Out[] = [];
  try {
    for (;;) {
      const batch = await reader.read(maxRecords);
      if (batch === null) return records;
      expect(batch.length).toBeLessThanOrEqual(maxRecords);
      for (const record of batch) records.push(record);
    }
  } finally {
    await reader.close();
  }
}

/** Plans and opens `source`, as a run with one subtask would. */
export async function openSource<Out>(source: Source<Out>, place: Place = {}): Promise<SourceReader<Out>> {
  return source.open(contextOf(place), await planSource(source, place));
}

/** The plan of a run for all of its subtasks. */
export async function planSource(source: Source<unknown>, place: Place = {}): Promise<unknown> {
  return structuredClone(await source.plan?.(contextOf(place)));
}

export async function readSubtask<Out>(source: Source<Out>, place: Place = {}, maxRecords = 100): Promise<Out[]> {
  return drain(await openSource(source, place), maxRecords);
}

/** The records of each subtask, in order. */
export async function readSubtasks<Out>(source: Source<Out>, parallelism = 1, maxRecords = 100): Promise<Out[][]> {
  const shares: Out[][] = [];
  const plan = await planSource(source, { parallelism });
  for (let subtask = 0; subtask < parallelism; subtask++) {
    shares.push(await drain(await source.open(contextOf({ subtask, parallelism }), plan), maxRecords));
  }
  return shares;
}

/**
 * Writes `records` as one subtask and commits, or aborts if they cannot be written; in a new run, unless one is given.
 */
export async function writeSubtask<In>(sink: Sink<In>, records: readonly In[], place: Place = {}): Promise<void> {
  const run = place.run ?? testRun();
  try {
    const writer = await sink.open(contextOf({ ...place, run }));
    try {
      await writer.write(records);
    } catch (error) {
      await writer.abort();
      throw error;
    }
    await writer.commit();
  } finally {
    if (place.run === undefined) run.end();
  }
}

/** The error with which `promise` rejects. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected a failure');
}

/** A directory for the test file, removed after its last test. Call it at the top of the file. */
export function scratchDirectory(): (name: string) => string {
  const directory = mkdtempSync(join(tmpdir(), 'kintsugi-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return (name) => join(directory, name);
}
