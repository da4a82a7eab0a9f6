import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunId } from '../../ids.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { RunEnd } from '../../journal/run/run-entry.ts';
import type { ClaimHolder } from '../../partitions/claims/path-claim.ts';
import { isStored, ownerOfState, readBooks, resultsDirectory } from './state-directory.ts';

/** The results of one exchange in a state directory. */
export interface StoredExchange {
  readonly source: string;
  readonly target: string;
  readonly exchange: string;
  /** Results there, of one for each task of the source. */
  readonly results: number;
  readonly tasks: number;
  readonly records: number;
  readonly bytes: number;
  /** Results that the journal names, and whose files are missing or shorter. */
  readonly missing: number;
}

/** What a state directory holds. Plain data; times are in ms since 1970. */
export interface StateContents {
  readonly job: string;
  readonly run: RunId;
  readonly beganAtMs: number;
  /** undefined while it runs, and if its process died. */
  readonly end: { readonly status: RunEnd; readonly atMs: number } | undefined;
  /** The process that uses it, or did when it died. */
  readonly owner: ClaimHolder | undefined;
  readonly finishedTasks: number;
  readonly totalTasks: number;
  readonly exchanges: readonly StoredExchange[];
}

/**
 * What a state directory holds, which may be in use; undefined if there is no journal in it.
 * @throws JournalFormatError | JournalAccessError
 */
export function readState(stateDirectory: string): StateContents | undefined {
  const books = readBooks(stateDirectory);
  if (books === undefined) return undefined;
  const { identity, run, beganAtMs, end } = books;
  return {
    job: identity.job,
    run,
    beganAtMs,
    end,
    owner: ownerOfState(stateDirectory),
    finishedTasks: [...books.finished()].length,
    totalTasks: identity.vertices.reduce((sum, { parallelism }) => sum + parallelism, 0),
    exchanges: exchangesIn(stateDirectory, books),
  };
}

/** Whether there is anything of a state directory in a directory. */
export function isStateDirectory(path: string): boolean {
  return existsSync(join(path, 'journal')) || existsSync(resultsDirectory(path));
}

function exchangesIn(stateDirectory: string, books: RunBooks): StoredExchange[] {
  const { vertices, edges } = books.identity;
  const sums = edges.map(() => ({ results: 0, records: 0, bytes: 0, missing: 0 }));
  for (const { results } of books.finished()) {
    for (const { edge, stored } of results) {
      const sum = sums[edge];
      if (sum === undefined) continue;
      if (!isStored(stateDirectory, stored)) {
        sum.missing++;
        continue;
      }
      sum.results++;
      sum.records += stored.records;
      sum.bytes += stored.bytes;
    }
  }
  return edges.flatMap(({ source, target, exchange }, edge) => {
    const sum = sums[edge];
    if (sum === undefined || sum.results + sum.missing === 0) return [];
    return [{ source, target, exchange, tasks: vertices.find(({ id }) => id === source)?.parallelism ?? 0, ...sum }];
  });
}
