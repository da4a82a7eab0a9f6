import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RunId } from '../../ids.ts';
import type { RunOutputs } from '../../operators/runtime-context.ts';
import { PathClaim } from './path-claim.ts';

/** The output paths that one run has claimed: each once, for one job vertex, until the run ends. */
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
    const purpose = { run: this.#run, job: this.#job, vertex };
    // A deleted claim is taken again.
    const claim = PathClaim.taken(path, purpose) ?? PathClaim.take(path, purpose);
    this.#claims.set(placeOf(path), { claim, vertex });
    return claim.directory;
  }

  /** Releases all claims, with their unfinished files. @param keepsPending whether those that wait for a checkpoint stay */
  release({ keepsPending = false } = {}): void {
    for (const { claim } of this.#claims.values()) claim.release({ keepsPending });
    this.#claims.clear();
  }
}

/** A canonical form of a path, if its directory exists. */
function placeOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
