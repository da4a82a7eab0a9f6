import { lstatSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { OutputInUseError } from '../../errors/connector-errors.ts';
import type { RunId } from '../../ids.ts';
import { OwnDirectory } from './own-directory.ts';
import {
  decodeOwner,
  encodeOwner,
  isDead,
  longestNoteBytes,
  type Owner,
  ownerFile,
  ownerOf,
  type Purpose,
} from './owner-note.ts';
import { type ProcessTable, systemProcesses } from './process-table.ts';

const unclaimedPrefix = '.kintsugi-';

/** How often a claim that others give up at the same moment is tried again. */
const mostTries = 8;

/**
 * A path that a run has taken for itself: a directory beside it, `.name.kintsugi`, which says whose the path is and holds
 * what is not finished yet.
 *
 * Invariants:
 * - PC1 The directory has its name only with the note of its owner in it: of two that claim a path, one gets it.
 * - PC2 The claim of a process that is certainly dead is taken away, what that run left in it included. Any other is
 *   respected, also one that cannot be read.
 * - PC3 Nothing is deleted but notes, and files whose names begin with the id of the run that the note names.
 * - PC4 What is in the directory lies there under its name alone: whoever has lost the claim finds nothing of its own
 *   there, and cannot rename it into place.
 */
export class PathClaim {
  /** The directory. */
  readonly directory: string;
  readonly #run: string;
  readonly #note: Uint8Array;

  private constructor(directory: string, run: string, note: Uint8Array) {
    this.directory = directory;
    this.#run = run;
    this.#note = note;
  }

  /**
   * Claims `path` for a run. Creates the directories that are missing.
   * @throws OutputInUseError where somebody else has it
   */
  static take(path: string, purpose: Purpose, processes: ProcessTable = systemProcesses()): PathClaim {
    mkdirSync(dirname(path), { recursive: true });
    const parent = realpathSync(dirname(path));
    const directory = join(parent, `.${basename(path)}.kintsugi`);
    const note = encodeOwner(ownerOf(processes, purpose));
    const fresh = mkdtempSync(join(parent, unclaimedPrefix));
    try {
      writeFileSync(join(fresh, ownerFile), note, { flag: 'wx' });
      for (let tries = 0; ; tries++) {
        try {
          renameSync(fresh, directory);
          return new PathClaim(directory, purpose.run, note);
        } catch (error) {
          const isTaken = clearDead(path, directory, `${fresh}-old`, processes);
          if (!isTaken || tries === mostTries) throw error;
        }
      }
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      throw error;
    }
  }

  /** Whether it is still there, and still this run's. */
  get isHeld(): boolean {
    const directory = OwnDirectory.open(this.directory);
    const note = directory?.read(ownerFile, longestNoteBytes);
    directory?.close();
    return note !== undefined && isEqual(note, this.#note);
  }

  /** Gives it back, with what the run has left in it. Does nothing where it is not this run's any more. */
  release(): void {
    if (this.isHeld) removeClaim(this.directory, this.#run);
  }
}

/**
 * Takes the claim of a dead process away, by way of the name `aside`. False where there is none.
 * @throws OutputInUseError unless it is certain that its process is dead
 */
function clearDead(path: string, claim: string, aside: string, processes: ProcessTable): boolean {
  const note = noteIn(claim);
  if (note === 'absent') return false;
  const owner = note && decodeOwner(note);
  if (note === undefined || owner?.purpose === undefined) {
    throw new OutputInUseError(
      path,
      claim,
      `${claim} is there, and does not say which run of this user made it`,
      'Delete it if no run writes there',
    );
  }
  const { purpose } = owner;
  if (!isDead(owner, processes)) throw inUse(path, claim, owner, purpose, processes);
  // Others may do the same: one of us gets hold of it, and by then it may be a new one.
  try {
    renameSync(claim, aside);
  } catch {
    return true;
  }
  const taken = noteIn(aside);
  if (taken instanceof Uint8Array && isEqual(taken, note)) removeClaim(aside, purpose.run);
  else renameSync(aside, claim);
  return true;
}

/** The note in a claim; undefined where there is a claim without one that can be read. */
function noteIn(claim: string): Uint8Array | 'absent' | undefined {
  const directory = OwnDirectory.open(claim);
  if (directory === undefined) return lstatSync(claim, { throwIfNoEntry: false }) === undefined ? 'absent' : undefined;
  try {
    return directory.read(ownerFile, longestNoteBytes);
  } finally {
    directory.close();
  }
}

function inUse(
  path: string,
  claim: string,
  { pid, host }: Owner,
  { run, job, vertex }: Purpose,
  processes: ProcessTable,
): OutputInUseError {
  const isHere = pid === processes.pid && host === processes.host;
  const where = isHere ? 'in this process' : `in process ${pid} on ${host}`;
  return new OutputInUseError(
    path,
    claim,
    `"${vertex}" of job "${job}" writes it (run ${run}, ${where})`,
    `Write elsewhere, or wait for the end of that run${isHere ? '' : `; if it is gone, delete ${claim}`}`,
    run as RunId,
  );
}

function removeClaim(path: string, run: string): void {
  const directory = OwnDirectory.open(path);
  if (directory === undefined) return;
  try {
    for (const name of directory.names()) if (name.startsWith(`${run}.`)) rmSync(directory.at(name), { force: true });
    rmSync(directory.at(ownerFile), { force: true });
  } finally {
    directory.close();
  }
  try {
    rmdirSync(path);
  } catch {
    // Something else is in it, or it is another run's already.
  }
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
