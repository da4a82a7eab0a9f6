import type { JobEvent } from '../../actors/job-event.ts';
import { EndNotRecordedError, NothingToResumeError } from '../../errors/state-errors.ts';
import { SavepointConflictError } from '../../errors/savepoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { untilAborted } from '../../checkpoints/until-aborted.ts';
import type { PartitionId } from '../../ids.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { FinishedTask } from '../../journal/run/run-entry.ts';
import type { BatchLimits } from '../../partitions/records/batch-cutter.ts';
import type { DurableStore } from '../../partitions/storage/durable-store.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import { LastingCheckpoints, type LastingCheckpointsOptions, type TakenCheckpoints } from './lasting-checkpoints.ts';
import { partsOf, removeStaleParts } from './output-parts.ts';
import { refusalOfJob } from './refused-job.ts';
import { decideResume, type ResumeDecision } from './resume-decision.ts';
import {
  type Divided,
  type MisdividedResult,
  dividedExchanges,
  misdivided,
  ResultDivision,
} from './result-division.ts';
import type { ResumePlan } from './resume-plan.ts';
import { hasBegunWith } from '../savepoints/open-savepoint.ts';
import type { ChosenSavepoint } from '../savepoints/savepoint-option.ts';
import { RunJournal } from './run-journal.ts';
import { isStateDirectory } from './state-contents.ts';
import { damageOf, resultsDirectory, StateDirectory } from './state-directory.ts';

export interface DurableRunOptions extends BatchLimits, LastingCheckpointsOptions {
  /** The results in it. */
  readonly durableStore: Pick<DurableStore, 'has'>;
}

/** What a run takes over when it begins. */
export interface Beginning extends Pick<ResumePlan, 'restored' | 'rerun'> {
  /** The plans of sources from an earlier run, by name of the vertex. */
  readonly plans: ReadonlyMap<string, unknown>;
  readonly checkpoints: TakenCheckpoints;
  /** The event about it; undefined if there was no earlier run. */
  readonly resumed: Extract<JobEvent, { type: 'job.resumed' }> | undefined;
}

/** The part of a run that outlives its process: its state directory and its journal. */
export class DurableRun {
  readonly #plan: JobPlan;
  readonly #shape: JobShape;
  readonly #options: DurableRunOptions;
  readonly #failed: (cause: Error) => void;
  readonly #abort = new AbortController();
  #beginning: Promise<unknown> = Promise.resolve();
  #directory: StateDirectory | undefined;
  readonly #checkpoints: LastingCheckpoints;
  #journal: RunJournal | undefined;

  /**
   * @param failed called once if the journal cannot be written
   * @throws JobValidationError for a job that cannot have this state directory
   */
  constructor(plan: JobPlan, shape: JobShape, options: DurableRunOptions, failed: (cause: Error) => void) {
    const refusal = refusalOfJob(plan, options.stateDirectory);
    if (refusal !== undefined) throw refusal;
    this.#plan = plan;
    this.#shape = shape;
    this.#options = options;
    this.#failed = failed;
    this.#checkpoints = new LastingCheckpoints(plan, shape, options);
  }

  /**
   * Takes the state directory, decides what to take over from an earlier run, and begins the journal.
   * @throws StateDirectoryInUseError | NothingToResumeError | OtherJobStateError | CommittedOutputError |
   *   JournalFormatError | JournalAccessError | FileAccessError | SpillError (as a rejection); nothing has run then
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
      const isRequired = this.#options.resume === 'require' && this.#options.savepoint === undefined;
      const isMissing = isRequired && !isStateDirectory(stateDirectory);
      if (isMissing) throw new NothingToResumeError(stateDirectory, this.#plan.name);
      const since = new Date(clock.epochMs()).toISOString();
      const directory = StateDirectory.open(stateDirectory, { run, job: this.#plan.name, since });
      this.#directory = directory;
      for (const { file, offset, end, problem } of directory.losses) {
        environment.logger.warn(`${file}: ${end - offset} bytes at ${offset} are damaged: ${problem}`, { run });
      }
      return await this.#beginIn(directory);
    } finally {
      release?.();
    }
  }

  /** Takes an event of the run, before anything follows from it. */
  next(event: JobEvent): void {
    this.#journal?.next(event);
  }

  /** The job has ended. Settles once {@link isRecorded} holds for its end too. Never rejects. */
  async recordEnd(): Promise<void> {
    const release = this.#options.environment.hold?.();
    await this.#journal?.recordEnd();
    release?.();
  }

  /** Whether a later run will find all that this one has done: otherwise its results stay. */
  get isRecorded(): boolean {
    return this.#journal?.isComplete !== false;
  }

  /**
   * The run is over. Settles when the directory is safe and free.
   * @throws EndNotRecordedError (as a rejection) for a job that has finished
   */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#beginning.catch(() => {});
    try {
      const journal = this.#journal;
      if (journal !== undefined) this.#directory?.assertOwned();
      const left = journal?.hasFinished === true && journal.isComplete ? await this.#checkpoints.remove() : [];
      await journal?.compact(left);
    } catch (error) {
      const cause = toError(error);
      if (this.#journal?.hasFinished === true) throw new EndNotRecordedError(this.#plan.name, cause);
      // Why the job did not finish is what its caller has to know.
      const { run, environment } = this.#options;
      environment.logger.warn(`A power loss may cost the latest results: ${cause.message}`, { run });
    } finally {
      await this.#directory?.close();
    }
  }

  async #beginIn(directory: StateDirectory): Promise<Beginning> {
    const { run, environment } = this.#options;
    const { clock } = environment;
    const { decision, divided } = await this.#decide(directory);
    // It only reads: whoever ends the run need not wait for a storage that does not answer.
    await untilAborted(this.#checkpoints.decide(directory.earlier, decision), this.#abort.signal);
    const plans = new Map(decision.sources.plans);
    const begins = await this.#beginsWith(directory.earlier, decision);
    if (begins !== undefined)
      for (const [vertex, plan] of await this.#checkpoints.begin(begins, this.#abort.signal)) plans.set(vertex, plan);
    const { earlier, identity } = decision;
    const stored = [...decision.restored.values()].flatMap((results) => [...results.values()]);
    const parts = partsOf(this.#plan);
    if (directory.earlier?.identity.job === this.#plan.name) removeStaleParts(directory.earlier, parts);
    const isDone = decision.restored.size === this.#shape.regions.count;
    this.#journal = new RunJournal({
      ...{ log: directory.log, shape: this.#shape, clock, failed: this.#failed },
      assertOwned: () => directory.assertOwned(),
      retained: this.#options.checkpoints?.retained,
      finishedAtMs: isDone && earlier ? finishedAtOf(earlier) : undefined,
    });
    await this.#journal.begin({
      type: 'run.began',
      run,
      atMs: clock.epochMs(),
      firstAtMs: earlier === undefined || earlier.end?.status === 'finished' ? clock.epochMs() : earlier.firstBeganAtMs,
      identity,
      finished: this.#restoredTasks(decision),
      parts,
      plans: [...plans],
      ...this.#checkpoints.entries,
    });
    directory.sweep(stored);
    await this.#checkpoints.sweep();
    return {
      restored: decision.restored,
      rerun: decision.rerun,
      plans: new Map([...plans].map(([vertex, plan]) => [identity.vertices[vertex]?.id as string, plan])),
      checkpoints: this.#checkpoints.taken,
      resumed: earlier && this.#resumedEvent(earlier, decision, divided),
    };
  }

  /**
   * The savepoint with which it begins; undefined if it continues an earlier run. One that began with it and cannot be
   * continued begins with it again: from the start, it would repeat what is in the savepoint.
   * @throws SavepointConflictError
   */
  async #beginsWith(books: RunBooks | undefined, decision: ResumeDecision): Promise<ChosenSavepoint | undefined> {
    const { savepoint, resume, stateDirectory } = this.#options;
    if (savepoint === undefined || books === undefined || resume === 'never') return savepoint;
    const { directory } = savepoint;
    if (!(await hasBegunWith(books, directory))) {
      throw new SavepointConflictError(directory, stateDirectory, books.run);
    }
    const { anew, goOn } = this.#checkpoints.partsOf(decision);
    const [first] = anew;
    if (first === undefined) return undefined;
    if (!goOn) return savepoint;
    const changed = `${first.head} begins anew, because ${first.why ?? 'it has changed'}`;
    throw new SavepointConflictError(directory, stateDirectory, books.run, changed);
  }

  /** Decides what to take over, and divides anew what other numbers of consumers will read. */
  async #decide(
    directory: StateDirectory,
  ): Promise<{ readonly decision: ResumeDecision; readonly divided: readonly MisdividedResult[] }> {
    const { environment, stateDirectory, durableStore, rerun, savepoint } = this.#options;
    // There is something to begin with.
    const resume = savepoint !== undefined && this.#options.resume === 'require' ? 'auto' : this.#options.resume;
    const { signal } = this.#abort;
    const division = new ResultDivision({
      ...{ ...this.#options, plan: this.#plan, shape: this.#shape, signal },
      directory: resultsDirectory(stateDirectory),
    });
    const known = new Map<PartitionId, Divided>();
    try {
      for (;;) {
        const decision = await decideResume({
          ...{ plan: this.#plan, shape: this.#shape, stateDirectory, books: directory.earlier, resume, rerun },
          isStored: (stored, partition) => !isProblem(known.get(partition)) && durableStore.has(stored),
          damageOf: (stored) => damageOf(stateDirectory, stored),
          context: { environment, signal },
        });
        if (decision.refusal !== undefined) throw decision.refusal;
        const divided = misdivided(this.#shape, decision);
        for (const result of divided) {
          if (!known.has(result.partition)) known.set(result.partition, await this.#divide(division, result));
        }
        if (divided.some(({ partition }) => isProblem(known.get(partition)))) continue;
        return { decision: withDivided(decision, known), divided };
      }
    } finally {
      await division.close();
    }
  }

  async #divide(division: ResultDivision, result: MisdividedResult): Promise<Divided> {
    const divided = await division.divide(result);
    if (isProblem(divided)) {
      const { source, target } = result.now;
      const { run, environment } = this.#options;
      environment.logger.warn(
        `A result of "${source}" cannot be divided anew for "${target}", so "${source}" runs again: ${divided.problem}`,
        { run },
      );
    }
    return divided;
  }

  #restoredTasks({ restored, rejected }: ResumePlan): FinishedTask[] {
    const { graph, regions } = this.#shape;
    return [...restored].flatMap(([region, stored]) =>
      Array.from(regions.verticesOf(region), (member) => {
        const vertex = member as never;
        const results = graph.partitionsOf(vertex).flatMap((partition) => {
          const result = stored.get(partition);
          return result === undefined ? [] : [{ edge: graph.edgeIndexOfPartition(partition), stored: result }];
        });
        const rejections = rejected.get(vertex);
        return {
          ...{ vertex: graph.jobVertexIndexOf(vertex), subtask: graph.subtaskOf(vertex), results },
          ...(rejections && { rejected: rejections }),
        };
      }),
    );
  }

  #resumedEvent(
    earlier: RunBooks,
    { restored, rejected, rerun }: ResumePlan,
    divided: readonly MisdividedResult[],
  ): NonNullable<Beginning['resumed']> {
    const { regions } = this.#shape;
    const checkpoints = this.#checkpoints.taken.resumed;
    return {
      type: 'job.resumed',
      atMs: this.#options.environment.clock.now(),
      earlier: earlier.run,
      finishedAtMs: finishedAtOf(earlier),
      taskCount: [...restored.keys()].reduce((count, region) => count + regions.verticesOf(region).length, 0),
      reused: [...restored.values()].flatMap((stored) =>
        [...stored].map(([partition, { records, bytes }]) => ({ partition, records, bytes })),
      ),
      ...(divided.length > 0 && { divided: dividedExchanges(divided) }),
      ...(rejected.size > 0 && { rejected: Array.from(rejected, ([vertex, by]) => ({ vertex, by })) }),
      ...(checkpoints.length > 0 && { checkpoints }),
      rerun: rerun.map(({ vertex, why }) => ({ operator: this.#nameOf(vertex), why })),
    };
  }

  #nameOf(vertex: number): string {
    return this.#plan.jobGraph.vertices[vertex]?.id as string;
  }
}

function isProblem(divided: Divided | undefined): divided is Extract<Divided, { readonly problem: string }> {
  return divided !== undefined && 'problem' in divided;
}

/** A decision that takes over the results as they were divided anew. */
function withDivided(decision: ResumeDecision, known: ReadonlyMap<PartitionId, Divided>): ResumeDecision {
  const restored = [...decision.restored].map(([region, results]) => {
    const now = [...results].map(([partition, stored]) => {
      const divided = known.get(partition);
      return [partition, divided !== undefined && !isProblem(divided) ? divided.stored : stored] as const;
    });
    return [region, new Map(now)] as const;
  });
  return { ...decision, restored: new Map(restored) };
}

/** When the job finished in an earlier run, if it did. */
function finishedAtOf({ end }: RunBooks): number | undefined {
  return end?.status === 'finished' ? end.atMs : undefined;
}
