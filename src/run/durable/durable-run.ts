import { existsSync } from 'node:fs';
import type { JobEvent } from '../../actors/job-event.ts';
import type { Environment } from '../../environment.ts';
import { CommittedOutputError, NothingToResumeError } from '../../errors/state-errors.ts';
import { JobValidationError } from '../../errors/usage-errors.ts';
import type { RunId } from '../../ids.ts';
import { compareIdentities } from '../../journal/identity/compare-identities.ts';
import type { JobIdentity } from '../../journal/identity/job-identity.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import type { SourcePlanContext } from '../../operators/source.ts';
import type { JobShape } from '../folds/job-shape.ts';
import { jobIdentity } from '../identity/job-identity.ts';
import type { JobPlan } from '../job-plan.ts';
import type { ResumePolicy } from '../run-options.ts';
import { partsOf, removeStaleParts } from './output-parts.ts';
import { EarlierSources } from './earlier-sources.ts';
import { planResume, type ResumePlan } from './resume-plan.ts';
import { RunJournal } from './run-journal.ts';
import { StateDirectory } from './state-directory.ts';

export interface DurableRunOptions {
  readonly run: RunId;
  readonly stateDirectory: string;
  readonly resume: ResumePolicy;
  readonly rerun: boolean;
  readonly environment: Environment;
}

/** What a run takes over when it begins. */
export interface Beginning extends ResumePlan {
  /** The plans of sources from an earlier run, by name of the vertex. */
  readonly plans: ReadonlyMap<string, unknown>;
  /** The event about it; undefined if there was no earlier run. */
  readonly resumed: Extract<JobEvent, { type: 'job.resumed' }> | undefined;
}

const fromTheStart: ResumePlan = { restored: new Map(), rerun: [] };

/** The part of a run that outlives its process: its state directory and its journal. */
export class DurableRun {
  readonly #plan: JobPlan;
  readonly #shape: JobShape;
  readonly #options: DurableRunOptions;
  readonly #failed: (cause: Error) => void;
  readonly #abort = new AbortController();
  #beginning: Promise<unknown> = Promise.resolve();
  #directory: StateDirectory | undefined;
  #journal: RunJournal | undefined;

  /**
   * @param failed called once if the journal cannot be written
   * @throws JobValidationError for a source that cannot be read again, and whose records nothing keeps
   */
  constructor(plan: JobPlan, shape: JobShape, options: DurableRunOptions, failed: (cause: Error) => void) {
    assertReadableAgain(plan);
    this.#plan = plan;
    this.#shape = shape;
    this.#options = options;
    this.#failed = failed;
  }

  /**
   * Takes the state directory, decides what to take over from an earlier run, and begins the journal.
   * @throws StateDirectoryInUseError | NothingToResumeError | CommittedOutputError | JournalFormatError |
   *   JournalAccessError | FileAccessError (as a rejection); nothing has run then
   */
  begin(): Promise<Beginning> {
    const beginning = this.#begin();
    this.#beginning = beginning;
    return beginning;
  }

  async #begin(): Promise<Beginning> {
    const { environment, run, stateDirectory } = this.#options;
    const { clock } = environment;
    // The clock cannot see this work: files are read and synced.
    const release = environment.hold?.();
    try {
      const since = new Date(clock.epochMs()).toISOString();
      const directory = StateDirectory.open(stateDirectory, { run, job: this.#plan.name, since });
      this.#directory = directory;
      return await this.#beginIn(directory);
    } finally {
      release?.();
    }
  }

  /** Takes an event of the run, before anything follows from it. */
  next(event: JobEvent): void {
    this.#journal?.next(event);
  }

  /** The books so far; undefined before the beginning. */
  get books(): RunBooks | undefined {
    return this.#journal?.books;
  }

  /** The run is over. Settles when the directory is safe and free. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#beginning.catch(() => {});
    try {
      await this.#journal?.compact();
    } finally {
      await this.#directory?.close();
    }
  }

  async #beginIn(directory: StateDirectory): Promise<Beginning> {
    const { run, environment, resume, rerun } = this.#options;
    const { clock } = environment;
    const identity = jobIdentity(this.#plan);
    const earlier = resume === 'never' ? undefined : directory.earlier;
    if (earlier === undefined && resume === 'require') {
      throw new NothingToResumeError(directory.path, this.#plan.name);
    }
    const sources = await EarlierSources.examine(this.#plan, earlier, identity, (vertex) =>
      this.#sourceContext(vertex),
    );
    const resumed =
      earlier === undefined || rerun ? fromTheStart : this.#resume(earlier, identity, sources.reasons, directory);
    if (!rerun) this.#assertReplaceable(resumed);
    const stored = [...resumed.restored.values()].flatMap((results) => [...results.values()]);
    const parts = partsOf(this.#plan);
    if (earlier !== undefined) removeStaleParts(earlier, parts);
    this.#journal = new RunJournal({ log: directory.log, shape: this.#shape, clock, failed: this.#failed });
    await this.#journal.begin({
      type: 'run.began',
      run,
      atMs: clock.epochMs(),
      firstAtMs: earlier === undefined || earlier.end?.status === 'finished' ? clock.epochMs() : earlier.firstBeganAtMs,
      identity,
      finished: this.#restoredTasks(resumed),
      parts,
      plans: [...sources.plans],
    });
    directory.sweep(stored);
    return {
      ...resumed,
      plans: new Map([...sources.plans].map(([vertex, plan]) => [identity.vertices[vertex]?.id as string, plan])),
      resumed: earlier && this.#resumedEvent(earlier, resumed),
    };
  }

  #resume(
    books: RunBooks,
    identity: JobIdentity,
    reasons: ReadonlyMap<number, string>,
    directory: StateDirectory,
  ): ResumePlan {
    const comparison = compareIdentities(books.identity, identity);
    const isReadable = (stored: StoredResult): boolean => directory.isReadable(stored);
    return planResume(this.#shape, { books, comparison, reasons, isReadable, isPartThere: existsSync });
  }

  /** @throws CommittedOutputError if a change would repeat or mix the output of a sink that cannot replace it */
  #assertReplaceable({ rerun }: ResumePlan): void {
    const changed = rerun.filter(({ isChanged }) => isChanged);
    const repeated = changed.find(({ vertex, hadFinished }) => {
      const { sink } = this.#plan.programs[vertex] ?? {};
      return hadFinished && sink !== undefined && (sink.redo ?? 'repeats') === 'repeats';
    });
    if (repeated === undefined) return;
    const own = changed.filter(({ isOwnChange }) => isOwnChange);
    const operators = own.map(({ vertex, why }) => ({ operator: this.#nameOf(vertex), why }));
    throw new CommittedOutputError(this.#plan.chains[repeated.vertex]?.at(-1) as string, operators);
  }

  #restoredTasks({ restored }: ResumePlan) {
    const { graph, regions } = this.#shape;
    return [...restored].flatMap(([region, stored]) =>
      Array.from(regions.verticesOf(region), (member) => {
        const vertex = member as never;
        const results = graph.partitionsOf(vertex).flatMap((partition) => {
          const result = stored.get(partition);
          return result === undefined ? [] : [{ edge: graph.edgeIndexOfPartition(partition), stored: result }];
        });
        return { vertex: graph.jobVertexIndexOf(vertex), subtask: graph.subtaskOf(vertex), results };
      }),
    );
  }

  #resumedEvent(earlier: RunBooks, { restored, rerun }: ResumePlan): NonNullable<Beginning['resumed']> {
    const { regions } = this.#shape;
    return {
      type: 'job.resumed',
      atMs: this.#options.environment.clock.now(),
      earlier: earlier.run,
      taskCount: [...restored.keys()].reduce((count, region) => count + regions.verticesOf(region).length, 0),
      reused: [...restored.values()].flatMap((stored) =>
        [...stored].map(([partition, { records, bytes }]) => ({ partition, records, bytes })),
      ),
      rerun: rerun.map(({ vertex, why }) => ({ operator: this.#nameOf(vertex), why })),
    };
  }

  #sourceContext(vertex: number): SourcePlanContext {
    const { id, parallelism } = this.#plan.jobGraph.vertices[vertex] as { id: string; parallelism: number };
    const { environment } = this.#options;
    return { job: this.#plan.name, vertex: id, parallelism, environment, signal: this.#abort.signal };
  }

  #nameOf(vertex: number): string {
    return this.#plan.jobGraph.vertices[vertex]?.id as string;
  }
}

/** A later run cannot read such a source from where this one was, so a `reliable` exchange must be its memory. */
function assertReadableAgain({ name, programs, jobGraph, chains }: JobPlan): void {
  for (const [index, { source, outputs, sink }] of programs.entries()) {
    if (source?.replayable !== false) continue;
    const isKept =
      sink === undefined && outputs.every(({ edge }) => jobGraph.edges[edge]?.exchange.name === 'reliable');
    if (isKept && chains[index]?.length === 1) continue;
    const { id } = jobGraph.vertices[index] as { id: string };
    throw new JobValidationError(
      [id],
      `Source "${id}" of job "${name}" cannot be read again, and its records are not kept: a later run could not continue`,
      "Put a reliable exchange right behind it (`.rebalance({ exchange: 'reliable' })`), or leave out stateDirectory",
    );
  }
}
