import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileProblem } from '../../connectors/file-problem.ts';
import { type ClaimOwner, OutputInUseError } from '../../errors/connector-errors.ts';
import { JournalAccessError } from '../../errors/journal-errors.ts';
import { StateDirectoryInUseError } from '../../errors/state-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { RunId } from '../../ids.ts';
import { type JournalLog, openLog, readLog } from '../../journal/journal-log.ts';
import type { LogLoss } from '../../journal/log-scan.ts';
import { RunBooks } from '../../journal/run/run-books.ts';
import { decodeEntry, runJournalFormat } from '../../journal/run/run-entry-codec.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import { makeDirectory } from '../../partitions/claims/make-directory.ts';
import { type ClaimHolder, PathClaim } from '../../partitions/claims/path-claim.ts';
import { readStoredIndex } from '../../partitions/storage/durable-store.ts';
import { FileJournalStorage } from '../../partitions/storage/file-journal-storage.ts';
import { resultFileName } from '../../partitions/storage/segment-header.ts';
import { checkpointsDirectory } from '../checkpoints/checkpointing.ts';

/** The claim of its owner is beside this name. */
const claimName = 'owner';

/** The run that opens a state directory. */
interface Opener {
  readonly run: RunId;
  readonly job: string;
  /** Now, in ISO 8601. */
  readonly since: string;
}

/** The directory of results in a state directory, with one directory per run that wrote some. */
export function resultsDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'results');
}

/**
 * The state directory of a run, which owns it until it is closed: a claim, the journal, result files, remembered answers.
 *
 * SD1 One run owns it. The claim of a dead process is taken over.
 * SD2 What the journal does not name is not a result: leftovers are removed, and a named result with missing or shorter
 *   files is not re-used.
 * SD3 A run whose directory was deleted, or is another's by now, ends with why, and writes nothing there.
 */
export class StateDirectory {
  readonly path: string;
  readonly log: JournalLog;
  /** What earlier runs left; undefined if there were none. */
  readonly earlier: RunBooks | undefined;
  /** Damage found in the journal. */
  readonly losses: readonly LogLoss[];
  readonly #claim: PathClaim;
  /** The length of the journal when it was last asked. */
  #ownedBytes = -1;

  private constructor(
    path: string,
    claim: PathClaim,
    log: JournalLog,
    earlier: RunBooks | undefined,
    losses: readonly LogLoss[],
  ) {
    this.path = path;
    this.#claim = claim;
    this.log = log;
    this.earlier = earlier;
    this.losses = losses;
  }

  /**
   * Takes a directory, which is created if it is missing, and reads its journal.
   * @throws StateDirectoryInUseError | JournalFormatError | JournalAccessError | FileAccessError
   */
  static open(path: string, opener: Opener): StateDirectory {
    const claim = claimOf(path, opener);
    try {
      const { log, payloads, losses } = openLog(new FileJournalStorage(path), 'journal', runJournalFormat);
      return new StateDirectory(path, claim, log, booksOf(payloads), losses);
    } catch (error) {
      claim.release();
      throw error;
    }
  }

  /** SD2. Removes the files of all results but these. */
  sweep(stored: Iterable<StoredResult>): void {
    const results = resultsDirectory(this.path);
    const keptByRun = new Map<string, Set<string>>();
    for (const result of stored) {
      const kept = keptByRun.get(result.run) ?? new Set<string>();
      keptByRun.set(result.run, kept.add(resultFileName(result)));
    }
    for (const run of namesIn(results)) {
      const [directory, kept] = [join(results, run), keptByRun.get(run)];
      const isLeft = (name: string): boolean => kept?.has(name.split('.', 1)[0] as string) !== true;
      if (kept === undefined) rmSync(directory, { recursive: true, force: true });
      else for (const name of namesIn(directory).filter(isLeft)) rmSync(join(directory, name), { force: true });
    }
  }

  /** @throws JournalAccessError if it was deleted, or another run has it: what is written goes nowhere, or is in its way */
  assertOwned(): void {
    // Once for all entries that were written together.
    if (this.#ownedBytes === this.log.size) return;
    this.#ownedBytes = this.log.size;
    if (this.#claim.isHeld) return;
    throw new JournalAccessError(
      this.log.path,
      'sync',
      new Error('the state directory was deleted while the run used it'),
    );
  }

  /** Gives the directory back. */
  async close(): Promise<void> {
    await this.log.close();
    this.#claim.release();
  }
}

/** Who owns a state directory; undefined if nobody does. */
export function ownerOfState(stateDirectory: string): ClaimHolder | undefined {
  return PathClaim.holderOf(join(stateDirectory, claimName));
}

/**
 * Deletes the journal, the results and the checkpoints in a state directory; answers stay.
 * @throws StateDirectoryInUseError | FileAccessError
 */
export function removeState(stateDirectory: string, opener: Opener): void {
  const claim = claimOf(stateDirectory, opener);
  try {
    // Without the journal, files of results mean nothing.
    for (const name of namesIn(stateDirectory)) {
      if (/^journal(\.|$)/.test(name)) rmSync(join(stateDirectory, name), { force: true });
    }
    rmSync(resultsDirectory(stateDirectory), { recursive: true, force: true });
    rmSync(checkpointsDirectory(stateDirectory), { recursive: true, force: true });
  } catch (error) {
    throw fileProblem(stateDirectory, 'delete', error);
  } finally {
    claim.release();
  }
}

/**
 * What earlier runs left in a state directory, which may be in use, and stays as it is; undefined if there were none.
 * @throws JournalFormatError | JournalAccessError
 */
export function readBooks(stateDirectory: string): RunBooks | undefined {
  return booksOf(readLog(new FileJournalStorage(stateDirectory), 'journal', runJournalFormat));
}

function booksOf(payloads: Iterable<Uint8Array>): RunBooks | undefined {
  let books: RunBooks | undefined;
  for (const payload of payloads) books = RunBooks.after(books, decodeEntry(payload));
  return books;
}

/** Whether the files of a stored result are there, complete in length. */
export function isStored(stateDirectory: string, stored: StoredResult): boolean {
  return problemOf(stateDirectory, stored) === undefined;
}

/** What is wrong with the files of a stored result; undefined if they are whole, or gone. */
export function damageOf(stateDirectory: string, stored: StoredResult): string | undefined {
  const problem = problemOf(stateDirectory, stored);
  return problem === undefined || propertyOf(problem, 'code') === 'ENOENT' ? undefined : problem.message;
}

function problemOf(stateDirectory: string, stored: StoredResult): Error | undefined {
  try {
    readStoredIndex(resultsDirectory(stateDirectory), stored);
    return undefined;
  } catch (error) {
    return toError(error);
  }
}

function claimOf(path: string, { run, job, since }: Opener): PathClaim {
  try {
    makeDirectory(path);
    return PathClaim.take(join(realpathSync(path), claimName), { run, job, vertex: 'the state directory', since });
  } catch (error) {
    if (!(error instanceof OutputInUseError)) throw fileProblem(path, 'write', error);
    throw inUse(path, error.owner, error.claim, error);
  }
}

/** The error of a run that would begin now, if another one owns the directory, which stays as it is. */
export function stateDirectoryInUse(path: string): StateDirectoryInUseError | undefined {
  const holder = existsSync(path) ? ownerOfState(realpathSync(path)) : undefined;
  if (holder === undefined || holder.isDead) return undefined;
  const { isDead: _, claim, ...owner } = holder;
  return inUse(path, owner, claim);
}

function inUse(path: string, owner: ClaimOwner | undefined, claim: string, cause?: Error): StateDirectoryInUseError {
  const isElsewhere = owner?.isHere !== true;
  const remedy = `Wait until it ends, or use another directory${isElsewhere ? `. If no such process exists, delete ${claim}` : ''}`;
  return new StateDirectoryInUseError(path, owner, remedy, { cause });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
