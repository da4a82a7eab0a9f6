import type { InspectedRun } from './inspected-run.ts';
import { LineFeed } from './line-feed.ts';

/** Runs that have ended and are still shown. */
const mostEnded = 16;

/** A run of the list, and its stream of lines. */
export interface ListedRun {
  readonly run: InspectedRun;
  readonly feed: LineFeed;
}

/** The runs of an inspector, in the order in which they were added. Those that ended long ago leave it. */
export class RunList {
  readonly #runs = new Map<string, ListedRun>();

  /** Whether the run is new. */
  add(run: InspectedRun): boolean {
    if (this.#runs.has(run.run)) return false;
    this.#runs.set(run.run, { run, feed: new LineFeed(run.lines, () => run.nowMs()) });
    const ended = [...this.#runs.values()].filter((listed) => listed.run.summary().endedAtMs !== undefined);
    for (const listed of ended.slice(0, Math.max(0, ended.length - mostEnded))) this.remove(listed.run.run);
    return true;
  }

  remove(run: string): void {
    this.#runs.get(run)?.feed.close();
    this.#runs.delete(run);
  }

  get(run: string): ListedRun | undefined {
    return this.#runs.get(run);
  }

  all(): ListedRun[] {
    return [...this.#runs.values()];
  }
}
