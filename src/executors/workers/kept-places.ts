import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExecutorId } from '../../ids.ts';
import { claimDirectory } from '../../partitions/claims/run-directory.ts';
import { keptDirectories, type LocalDataPlanePlan } from '../local-results.ts';

/**
 * Where the workers of a run write results that outlive it: beside the final directories, so that their files only have to
 * move. They belong to the run, which moves or deletes them, whatever becomes of the workers.
 */
export class KeptPlaces {
  readonly #plan: Pick<LocalDataPlanePlan, 'exchanges'>;
  readonly #claimed = new Map<number, string>();

  constructor(plan: Pick<LocalDataPlanePlan, 'exchanges'>) {
    this.#plan = plan;
  }

  /** Makes the directories. To be called before the first worker starts. */
  async claim(): Promise<void> {
    for (const [edge, directory] of keptDirectories(this.#plan)) {
      this.#claimed.set(edge, await claimDirectory(dirname(directory)));
    }
  }

  /** By edge: the directory of one worker. */
  of(executor: ExecutorId): [edge: number, directory: string][] {
    return [...this.#claimed].map(([edge, directory]) => [edge, join(directory, executor)]);
  }

  /** The run is over: deletes what was not kept. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#claimed.values()].map((directory) => rm(directory, { recursive: true, force: true })));
  }
}
