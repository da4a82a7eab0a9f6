import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RunId } from '../../ids.ts';
import type { RunOutputs } from '../../operators/runtime-context.ts';
import { PathClaim } from './path-claim.ts';

/** What one run has claimed: each path once, for one job vertex, until the run has ended. */
export class OutputClaims implements RunOutputs {
  readonly #run: RunId;
  readonly #job: string;
  readonly #claims = new Map<string, { readonly claim: PathClaim; readonly vertex: string }>();

  constructor(run: RunId, job: string) {
    this.#run = run;
    this.#job = job;
  }

  claim(path: string, vertex: string): string {
    const known = this.#claims.get(placeOf(path));
    if (known?.vertex === vertex && known.claim.isHeld) return known.claim.directory;
    // One that somebody has deleted is taken anew.
    const claim = PathClaim.take(path, { run: this.#run, job: this.#job, vertex });
    this.#claims.set(placeOf(path), { claim, vertex });
    return claim.directory;
  }

  /** Gives back everything, with what is not finished. */
  release(): void {
    for (const { claim } of this.#claims.values()) claim.release();
    this.#claims.clear();
  }
}

/** One text for all spellings of a path, as far as its directory is there. */
function placeOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
