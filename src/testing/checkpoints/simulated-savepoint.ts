import { streamingComponents } from '../../checkpoints/streaming-components.ts';
import type { Clock } from '../../environment.ts';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import { pipelinedRegions } from '../../graph/pipelined-region.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { SavepointPlaces } from '../../run/savepoints/open-savepoint.ts';
import { sparedRestarts } from '../drawn-run.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { DrawnSavepoint } from './drawn-checkpoints.ts';
import { checkpointMoments, Moments, OwnTimers } from './moments.ts';
import { SimulatedStorage } from './simulated-storage.ts';

/** For longer than an executor is silent. */
const mostTries = 100;
const mostDrains = 5;
const retryMs = 15;
/** More than a slow storage takes. */
const leisureMs = 10_000;

/** It names a directory, and there is none. */
const directory = 'simulated-savepoint';

/** The savepoint of a simulated run: it lies in memory, and another run continues from it. */
export class SimulatedSavepoint implements SavepointPlaces {
  readonly holdsTime = false;
  readonly directory = directory;
  readonly #drawn: DrawnSavepoint;
  readonly #files: SimulatedStorage;
  #outcome: { readonly kind: 'not taken' | 'taken' } | { readonly kind: 'failed'; readonly cause: unknown } = {
    kind: 'not taken',
  };

  constructor(drawn: DrawnSavepoint, clock: Clock, random: SeededRandom) {
    this.#drawn = drawn;
    const undisturbed = { timers: new OwnTimers(clock), random, moments: new Moments(), stuck: () => {} };
    this.#files = new SimulatedStorage({ ...undisturbed, latencyMs: 0, slowMs: 0, isShared: false });
  }

  /** What is there when the process dies; undefined unless it is complete. */
  copy(clock: Clock, random: SeededRandom): SimulatedSavepoint | undefined {
    if (this.#files.manifestCount === 0) return undefined;
    const copy = new SimulatedSavepoint(this.#drawn, clock, random);
    copy.#files.takeOver(this.#files);
    copy.#outcome = { kind: 'taken' };
    return copy;
  }

  readonly open = (): SimulatedStorage['storage'] => this.#files.storage;

  readonly claim = (): (() => void) => () => {};

  readonly remove = (): void => this.#files.clear();

  /**
   * Takes it at its time, if the run has not ended by then. One that fails is wanted again, but only as often as the run may
   * restart: each of its components does after a drain that failed.
   */
  take(run: JobRun, timers: OwnTimers, moments: Moments, components: number): void {
    const drains = Math.min(mostDrains, Math.floor(sparedRestarts / components));
    this.#take(run, timers, moments, { afterMs: this.#drawn.atMs, tries: this.#drawn.drains ? drains : mostTries });
  }

  #take(
    run: JobRun,
    timers: OwnTimers,
    moments: Moments,
    { afterMs, tries }: { readonly afterMs: number; readonly tries: number },
  ): void {
    if (tries === 0) return;
    timers.after(afterMs, () => {
      if (run.status !== 'running') return;
      const { stops, drains } = this.#drawn;
      const taking = stops ? run.stopWithSavepoint(directory, { drain: drains }) : run.savepoint(directory);
      moments.pass(checkpointMoments.ordered);
      taking.then(
        () => {
          this.#outcome = { kind: 'taken' };
        },
        (cause: unknown) => {
          this.#outcome = { kind: 'failed', cause };
          if (this.problems().length === 0) this.#take(run, timers, moments, { afterMs: retryMs, tries: tries - 1 });
        },
      );
    });
  }

  /** Why it could not be taken. */
  get failure(): unknown {
    return this.#outcome.kind === 'failed' ? this.#outcome.cause : undefined;
  }

  get isTaken(): boolean {
    return this.#outcome.kind === 'taken';
  }

  get outcome(): 'not taken' | 'taken' | 'failed' {
    return this.#outcome.kind;
  }

  /** What was under way has ended by then, so that nothing is left of one that failed. */
  settled(clock: Pick<Clock, 'setTimeout'>): Promise<void> {
    return new Promise((resolve) => clock.setTimeout(resolve, leisureMs));
  }

  /** Whether the run ended because of it, as it should. */
  hasStopped(failure: Error | undefined): boolean {
    const { stops, drains } = this.#drawn;
    const hasEnded = drains ? failure === undefined : propertyOf(failure, 'savepoint') !== undefined;
    return this.isTaken && stops && hasEnded;
  }

  /** K9. */
  problems(): string[] {
    const outcome = this.#outcome;
    if (outcome.kind === 'taken') return [];
    const cause = outcome.kind === 'failed' ? outcome.cause : undefined;
    const isExpected = cause === undefined || propertyOf(cause, 'code') === 'SAVEPOINT_FAILED';
    return [
      ...(isExpected ? [] : [`K9: the savepoint failed: ${toError(cause).message}`]),
      ...this.#files.files.map((file) => `K9: a savepoint that was not taken left ${file}`),
    ];
  }
}

/** The number of components of a job, each of which restarts after a drain that failed. */
export function componentCount(graph: ExecutionGraph): number {
  return streamingComponents(graph, pipelinedRegions(graph)).list.length;
}
