import { lstatSync, readdirSync, realpathSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type ClaimOwner, OutputInUseError } from '../../errors/connector-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { RunId } from '../../ids.ts';
import { makeDirectory, makeFreshDirectory } from './make-directory.ts';
import { OwnDirectory } from './own-directory.ts';
import {
  decodeOwner,
  encodeOwner,
  isDead,
  isOfOurs,
  longestNoteBytes,
  type Owner,
  ownerFile,
  ownerOf,
  type Purpose,
} from './owner-note.ts';
import { type ProcessTable, systemProcesses } from './process-table.ts';

/** Of a directory that is no claim yet, or no more. */
const unclaimedPrefix = '.kintsugi-claim-';

/** In the claim of a dead process: the directory of the one that removes it. */
const heirName = 'heir';

/** Runs that have released claims which could not be removed. */
const unremoved = new Set<string>();

/** How often to retry when other processes release or remove the claim at the same moment. */
const mostTries = 8;

/** The process that holds a claim. */
export interface ClaimHolder extends ClaimOwner {
  readonly isDead: boolean;
  /** The directory of the claim. */
  readonly claim: string;
}

/**
 * A run's exclusive claim on an output path: a directory beside it, `.name.kintsugi`, that names the owner and contains
 * the unfinished files.
 *
 * Invariants:
 * - PC1 The directory gets its name only with the owner's note inside, so one of two claimants succeeds; a power loss
 *   does not take the note out of it, so what a dead machine had claimed can be told from what nobody knows.
 * - PC2 The claim of a certainly dead process is removed, with the files its run left. Any other claim is respected,
 *   even an unreadable one.
 * - PC3 Only notes are deleted, and files whose names begin with the id of the run in the note.
 * - PC4 Unfinished files are reached only through the directory's name: a run that has lost the claim does not find its
 *   files there, and cannot rename them into place.
 * - PC5 What a process leaves that dies while it takes or removes a claim is removed by the next claimant beside it.
 * - PC6 Of processes that find a claim whose owner is dead, one removes it, and none a claim that is younger.
 * - PC7 A claim that cannot be removed when it is released, as on a disk that has become read-only, holds up nobody: its
 *   process takes it for that of a dead one from then on.
 */
export class PathClaim {
  /** The claim's directory. */
  readonly directory: string;
  readonly #run: string;
  readonly #note: Uint8Array;

  private constructor(directory: string, run: string, note: Uint8Array) {
    this.directory = directory;
    this.#run = run;
    this.#note = note;
  }

  /**
   * Claims `path` for a run. Creates missing directories.
   * @throws OutputInUseError if another run holds it
   */
  static take(path: string, purpose: Purpose, processes: ProcessTable = systemProcesses()): PathClaim {
    makeDirectory(dirname(path));
    const parent = realpathSync(dirname(path));
    const directory = join(parent, `.${basename(path)}.kintsugi`);
    const note = encodeOwner(ownerOf(processes, purpose));
    removeAbandoned(parent, processes);
    for (let tries = 0; ; tries++) {
      const fresh = freshDirectory(parent, note);
      try {
        settle(fresh, { path, name: directory, note, processes });
        return new PathClaim(directory, purpose.run, note);
      } catch (error) {
        const isGone = !isThere(fresh);
        rmSync(fresh, { recursive: true, force: true });
        if (!isGone || error instanceof OutputInUseError || tries === mostTries) throw error;
      }
    }
  }

  /** The claim on `path` that another thread of this process has taken for the same vertex of the run, if it has. */
  static taken(
    path: string,
    { run, vertex }: Purpose,
    processes: ProcessTable = systemProcesses(),
  ): PathClaim | undefined {
    let parent: string;
    try {
      parent = realpathSync(dirname(path));
    } catch {
      return undefined;
    }
    const directory = join(parent, `.${basename(path)}.kintsugi`);
    const note = noteIn(directory);
    const owner = note instanceof Uint8Array ? decodeOwner(note) : undefined;
    const isIt = owner?.purpose?.run === run && owner.purpose.vertex === vertex && owner.pid === processes.pid;
    return isIt && !isDead(owner, processes) ? new PathClaim(directory, run, note as Uint8Array) : undefined;
  }

  /** Who has claimed `path`, and whether that process is certainly dead; undefined if nobody has. Changes nothing. */
  static holderOf(path: string, processes: ProcessTable = systemProcesses()): ClaimHolder | undefined {
    const claim = join(dirname(path), `.${basename(path)}.kintsugi`);
    const note = noteIn(claim);
    const owner = note instanceof Uint8Array ? decodeOwner(note) : undefined;
    if (owner?.purpose === undefined) return undefined;
    return { ...claimOwner(owner, owner.purpose, processes), isDead: isOver(owner, processes), claim };
  }

  /** Whether the claim still exists and belongs to this run. */
  get isHeld(): boolean {
    return hasNote(this.directory, this.#note);
  }

  /**
   * Releases the claim, and deletes the files this run left in it, and beside it those that are pending for a checkpoint,
   * unless a later run may need these. No effect if the claim no longer belongs to this run.
   */
  release({ keepsPending = false } = {}): void {
    if (!this.isHeld) return;
    const pending = this.directory.replace(/\.kintsugi$/, '.pending');
    try {
      if (keepsPending) removeIfEmpty(pending);
      else rmSync(pending, { recursive: true, force: true });
      removeClaim(this.directory, this.#run);
    } catch {
      // PC7
      unremoved.add(this.#run);
    }
  }
}

/** Creates a directory with an owner's note that is not a claim yet. */
function freshDirectory(parent: string, note: Uint8Array): string {
  for (let tries = 0; ; tries++) {
    const fresh = makeFreshDirectory(parent, unclaimedPrefix);
    try {
      // PC1. Of a note that is not synced, a power loss may leave an empty file. Its name comes with it, or before the claim's.
      writeFileSync(join(fresh, ownerFile), note, { flag: 'wx', flush: true });
      return fresh;
    } catch (error) {
      if (isThere(fresh)) rmSync(fresh, { recursive: true, force: true });
      else if (tries < mostTries) continue;
      throw error;
    }
  }
}

/** PC5. Without a whole note it may be another's that is being made just now, which makes it again. */
function removeAbandoned(parent: string, processes: ProcessTable): void {
  const names = readdirSync(parent).filter((name) => name.startsWith(unclaimedPrefix));
  // Those that were put aside first: their names are free then.
  for (const name of names.sort().reverse()) {
    const path = join(parent, name);
    const directory = OwnDirectory.open(path);
    if (directory === undefined) continue;
    const note = directory.read(ownerFile, longestNoteBytes);
    const isForeign = note === undefined && directory.names().length > 0;
    directory.close();
    const owner = note && decodeOwner(note);
    if (isForeign || (owner !== undefined && !isDead(owner, processes))) continue;
    try {
      const aside = `${path}-old`;
      renameSync(path, aside);
      removeClaim(aside, owner?.purpose?.run);
    } catch {
      // Another process removes it, or uses it.
    }
  }
}

/** What a claimant wants. */
interface Wanted {
  /** For messages. */
  readonly path: string;
  /** The directory that it wants to be. */
  readonly name: string;
  readonly note: Uint8Array;
  readonly processes: ProcessTable;
}

/**
 * Gives a directory with a note the name of a claim, once no other has it.
 * @throws OutputInUseError if a claim has it whose owner may be alive
 */
function settle(fresh: string, wanted: Wanted): void {
  for (let tries = 0; ; tries++) {
    try {
      renameSync(fresh, wanted.name);
      return;
    } catch (error) {
      if (tries === mostTries || !isThere(fresh)) throw error;
      removeDead(fresh, wanted);
    }
  }
}

/**
 * PC6. Removes the claim of a dead process. Of several processes, the one does it that becomes the heir in the claim: so
 * none removes the claim that another has taken meanwhile. An heir that is dead has an heir of its own.
 *
 * @throws OutputInUseError unless the owner is certainly dead, and any heir
 */
function removeDead(fresh: string, { path, name, note, processes }: Wanted): void {
  const found = noteIn(name);
  if (found === 'absent') return;
  const owner = found && decodeOwner(found);
  // It was being removed while it was read.
  if (found === undefined && noteIn(name) !== undefined) return;
  if (found === undefined || owner?.purpose === undefined) {
    throw new OutputInUseError(
      path,
      name,
      `${name} exists, but does not name a run of this user`,
      'Delete it if no run uses it',
    );
  }
  // Run again right after `kill -9`, the process that was killed may not be gone yet.
  if (!isOver(owner, processes) && isOfOurs(owner, processes)) processes.awaitEnd(owner.pid);
  if (!isOver(owner, processes)) throw inUse(path, name, owner, owner.purpose, processes);
  const heir = join(name, heirName);
  try {
    settle(fresh, { path, name: heir, note, processes });
  } catch (error) {
    // Another heir has removed it.
    if (!(error instanceof OutputInUseError) && !hasNote(name, found)) return;
    throw error;
  }
  try {
    // Meanwhile the name may stand for another claim.
    if (!hasNote(name, found) || !hasNote(heir, note)) throw new IllegalStateError(`${name} was replaced`);
    renameSync(name, `${fresh}-old`);
  } catch (error) {
    if (hasNote(heir, note)) removeClaim(heir, undefined);
    throw error;
  }
  renameSync(join(`${fresh}-old`, heirName), fresh);
  removeClaim(`${fresh}-old`, owner.purpose.run);
}

/** Whether nobody uses the claim of this owner any more: its process is dead, or this one, which has released it. */
function isOver(owner: Owner, processes: ProcessTable): boolean {
  if (isDead(owner, processes)) return true;
  return owner.pid === processes.pid && isOfOurs(owner, processes) && unremoved.has(owner.purpose?.run ?? '');
}

/** The note in a claim; undefined if the claim has no readable note. */
function noteIn(claim: string): Uint8Array | 'absent' | undefined {
  const directory = OwnDirectory.open(claim);
  if (directory === undefined) return isThere(claim) ? undefined : 'absent';
  try {
    return directory.read(ownerFile, longestNoteBytes);
  } finally {
    directory.close();
  }
}

function claimOwner({ pid, host }: Owner, { run, job, since }: Purpose, processes: ProcessTable): ClaimOwner {
  return { run, job, pid, host, isHere: pid === processes.pid && host === processes.host, since };
}

function inUse(path: string, claim: string, found: Owner, purpose: Purpose, processes: ProcessTable): OutputInUseError {
  const owner = claimOwner(found, purpose, processes);
  const { run, job, pid, host, isHere } = owner;
  const where = isHere ? 'in this process' : `in process ${pid} on ${host}`;
  return new OutputInUseError(
    path,
    claim,
    `"${purpose.vertex}" of job "${job}" writes it (run ${run}, ${where})`,
    `Write elsewhere, or wait until that run ends${isHere ? '' : `; if it is gone, delete ${claim}`}`,
    { holder: run as RunId, owner },
  );
}

function removeClaim(path: string, run: string | undefined): void {
  const directory = OwnDirectory.open(path);
  if (directory === undefined) return;
  try {
    for (const name of directory.names()) {
      if (name === heirName || (run !== undefined && name.startsWith(`${run}.`))) {
        rmSync(directory.at(name), { recursive: name === heirName, force: true });
      }
    }
    rmSync(directory.at(ownerFile), { force: true });
  } finally {
    directory.close();
  }
  removeIfEmpty(path);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It has other files, or is not there, or already belongs to another run.
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function hasNote(claim: string, note: Uint8Array): boolean {
  const found = noteIn(claim);
  return found instanceof Uint8Array && Buffer.compare(found, note) === 0;
}
