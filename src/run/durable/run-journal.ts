import type { JobEvent } from '../../actors/job-event.ts';
import { isTerminalJobStatus } from '../../actors/protocol/states.ts';
import { type StreamingComponents, streamingComponents } from '../../checkpoints/streaming-components.ts';
import type { Clock } from '../../environment.ts';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { AttemptNumber, ComponentId, ExecutionVertexId, RegionId } from '../../ids.ts';
import type { JournalLog } from '../../journal/journal-log.ts';
import { RunBooks } from '../../journal/run/run-books.ts';
import {
  type EntryTask,
  type EntryTasks,
  isVital,
  type RunBeginning,
  type RunEnd,
  type RunEntry,
  type RunStep,
  type TaskOutcome,
} from '../../journal/run/run-entry.ts';
import { encodeEntry } from '../../journal/run/run-entry-codec.ts';
import type { JobShape } from '../folds/job-shape.ts';
import { seriesFrom } from './checkpoint-series.ts';

/** So many numbers of checkpoints are reserved with one entry. */
const numbersPerEntry = 100;

/** A journal of so many bytes is shortened. */
const longBytes = 256 * 1_024;

/** It is shortened again once it is so many times as long as afterwards. */
const growth = 4;

export interface RunJournalOptions {
  readonly log: JournalLog;
  readonly shape: JobShape;
  readonly clock: Pick<Clock, 'epochMs'>;
  /** How many checkpoints of a component the run keeps; default: all. */
  readonly retained?: number | undefined;
  /** Length at which the journal is shortened, in bytes. Default 256 kB. */
  readonly longBytes?: number;
  /** Called after syncs; throws if nobody would find what was written. */
  readonly assertOwned?: () => void;
  /** When an earlier run finished, if there is nothing left to run: this one ends then too. */
  readonly finishedAtMs?: number | undefined;
  /** Called once, if an entry cannot be written: the run cannot go on. */
  readonly failed: (cause: Error) => void;
}

/**
 * Writes the journal of a run, from its events, and keeps the books that a later run will read there. An event is written
 * before anything that follows from it.
 *
 * RE1 The books are the fold of the entries in the log.
 * RE2 After an entry that could not be written, nothing is written any more.
 * RE3 It settles only if a later run will find that the job has finished, if it has, and nothing that such a run needs otherwise is
 *   removed before.
 * RE4 A later run gives its checkpoints numbers above all that this one has triggered, completed or not. They are reserved by the
 *   hundred.
 * RE5 A later run does not continue from a checkpoint whose storing failed, although it may be stored after all, once a task has
 *   restarted without it or the run has ended: sinks have taken back what came after the one before. Nor from one of a drain that
 *   failed, from then on: its components would end.
 * RE6 However long the run goes on, and however often it restarts, the journal is at most a few times as long as what it says. It is
 *   shortened while the run writes on, and says the same before and afterwards.
 */
export class RunJournal {
  readonly #options: RunJournalOptions;
  #books: RunBooks | undefined;
  /** By vertex: the attempt whose end was reported last but not handled. */
  readonly #reported = new Map<number, { readonly attempt: AttemptNumber; readonly outcome: TaskOutcome }>();
  #components: StreamingComponents | undefined;
  #failure: Error | undefined;
  #hasFinished = false;
  /** Numbers of checkpoints up to this one are reserved by this run. */
  #numbered = 0;
  /** By component: the checkpoints that it has completed and keeps, oldest first, */
  readonly #kept = new Map<ComponentId, readonly number[]>();
  /** and the one before which it keeps none. */
  readonly #from = new Map<ComponentId, number>();
  /** The length at which it is shortened next. */
  #longBytes: number;
  #shortening: Promise<void> | undefined;
  /** By component: checkpoints that were complete and which the storage did not store, or not in time. */
  readonly #unstored = new Map<ComponentId, number[]>();

  constructor(options: RunJournalOptions) {
    this.#options = options;
    this.#longBytes = options.longBytes ?? longBytes;
  }

  /** Whether the job has finished, be it that the log says so or not. */
  get hasFinished(): boolean {
    return this.#hasFinished;
  }

  /** Whether the log has all that happened so far. */
  get isComplete(): boolean {
    return this.#failure === undefined;
  }

  /** Undefined before the run began. */
  get books(): RunBooks | undefined {
    return this.#books;
  }

  /**
   * Replaces the journal by the beginning of this run.
   * @throws JournalAccessError (as a rejection)
   */
  async begin(entry: RunBeginning): Promise<void> {
    await this.#options.log.replaceWith([encodeEntry(entry), encodeEntry(entry)]);
    this.#books = RunBooks.after(undefined, entry);
  }

  next(event: JobEvent): void {
    if (this.#books === undefined) return;
    switch (event.type) {
      case 'source.planned':
        this.#write({ type: 'source.planned', vertex: this.#vertexOf(event.vertex), plan: event.plan });
        return;
      case 'task.ended':
        this.#reported.set(event.vertex, { attempt: event.attempt, outcome: outcomeOf(event) });
        return;
      case 'task.stateChanged':
        if (event.state === 'finished') this.#taskFinished(event);
        return;
      case 'failover.decided':
        this.#write({ type: 'tasks.restarted', tasks: this.#tasksIn(event.regions) });
        return;
      case 'checkpoint.triggered':
        this.#checkpointTriggered(event.checkpoint);
        return;
      case 'checkpoint.completed':
        if (event.kind === 'checkpoint') this.#checkpointCompleted(event);
        return;
      case 'checkpoint.failed':
        this.#checkpointFailed(event);
        return;
      case 'region.stateChanged':
        if (event.state === 'deploying' && this.#unstored.size > 0) {
          this.#forgoUnstored(this.#componentsOfJob().componentOf(event.region).id);
        }
        return;
      case 'checkpoint.unreadable':
        this.#checkpointLost(event);
        return;
      case 'checkpoint.outdated':
        this.#checkpointOutdated(event);
        return;
      case 'job.statusChanged':
        if (isTerminalJobStatus(event.status)) this.#end(event.status as RunEnd);
        return;
      default:
    }
  }

  /** Settles once a later run will find that the job has finished, if it has, or {@link isComplete} says that it will not. RE3 */
  async recordEnd(): Promise<void> {
    if (!this.#hasFinished || this.#failure !== undefined) return;
    const { log, failed } = this.#options;
    await log.sync().catch((error: unknown) => this.#fail(error, failed));
  }

  /**
   * RE3. The run is over, and its files will be deleted if it has finished: then the journal keeps what it was and that
   * nothing has to run again.
   * @param staleCheckpoints those that could not be removed
   * @throws JournalAccessError (as a rejection)
   */
  async compact(staleCheckpoints: readonly string[] = []): Promise<void> {
    const { log } = this.#options;
    const books = this.#books;
    await this.#shortening;
    if (this.#hasFinished && this.#failure !== undefined) throw this.#failure;
    if (books?.end?.status !== 'finished') return log.sync();
    const { checkpoints: _, staleCheckpoints: __, lastCheckpoint: ___, after: ____, ...beginning } = books.beginning;
    const finished = beginning.finished.map((task) => ({ ...task, results: [] }));
    const began = encodeEntry({ ...beginning, finished, ...(staleCheckpoints.length > 0 && { staleCheckpoints }) });
    const ended = encodeEntry({ type: 'run.ended', atMs: books.end.atMs, status: 'finished', after: 0 });
    try {
      await log.replaceWith([began, began, ended]);
    } catch {
      // It says the same as before, at greater length.
      await log.sync();
    }
  }

  /** A task that was restored reports no end, and is in the books already. */
  #taskFinished({ vertex, attempt }: Extract<JobEvent, { type: 'task.stateChanged' }>): void {
    const reported = this.#reported.get(vertex);
    if (reported?.attempt !== attempt) return;
    this.#reported.delete(vertex);
    this.#write({ type: 'task.finished', ...this.#taskOf(vertex as ExecutionVertexId), ...reported.outcome });
  }

  /** RE4. Also if it never completes: its barriers are in results, which an entry that follows may name. */
  #checkpointTriggered(checkpoint: number): void {
    if (checkpoint <= this.#numbered) return;
    this.#numbered = checkpoint + numbersPerEntry - 1;
    this.#write({ type: 'checkpoints.numbered', upTo: this.#numbered });
  }

  #checkpointCompleted({ component, checkpoint }: Extract<JobEvent, { type: 'checkpoint.completed' }>): void {
    const { retained = Number.POSITIVE_INFINITY } = this.#options;
    const kept = [...(this.#kept.get(component) ?? []), checkpoint].slice(-retained);
    if (retained < Number.POSITIVE_INFINITY) this.#kept.set(component, kept);
    if (kept.length === retained) this.#from.set(component, kept[0] as number);
    const head = this.#headOf(component);
    if (this.#books?.checkpointsOf(head)?.hasCompleted !== false) return;
    this.#write({ type: 'checkpoints.began', head });
  }

  /** If no earlier one is used instead, nothing runs that would make it worthless: it counts if it can be read again. */
  #checkpointLost({ component, checkpoint, instead }: Extract<JobEvent, { type: 'checkpoint.unreadable' }>): void {
    const head = this.#headOf(component);
    const others = this.#kept.get(component)?.filter((one) => one !== checkpoint);
    if (others !== undefined) this.#kept.set(component, others);
    if (this.#books?.checkpointsOf(head) === undefined) return;
    this.#write({ type: instead === undefined ? 'checkpoints.doubted' : 'checkpoints.lost', head, checkpoint });
  }

  #checkpointFailed({ component, checkpoint, reason, kind }: Extract<JobEvent, { type: 'checkpoint.failed' }>): void {
    const isOfSavepoint = kind === 'savepoint';
    if (checkpoint === undefined || !(reason === 'storing' || (isOfSavepoint && reason === 'stopped'))) return;
    const unstored = this.#unstored.get(component) ?? [];
    unstored.push(checkpoint);
    this.#unstored.set(component, unstored);
    if (isOfSavepoint) this.#forgoUnstored(component);
  }

  /** RE5 */
  #forgoUnstored(component: ComponentId): void {
    const unstored = this.#unstored.get(component);
    if (unstored === undefined) return;
    this.#unstored.delete(component);
    const head = this.#headOf(component);
    if (this.#books?.checkpointsOf(head) === undefined) return;
    for (const checkpoint of unstored) this.#write({ type: 'checkpoints.lost', head, checkpoint });
  }

  /** Earlier ones may still be in the storage. */
  #checkpointOutdated({ component, checkpoint }: Extract<JobEvent, { type: 'checkpoint.outdated' }>): void {
    this.#forgoUnstored(component);
    const head = this.#headOf(component);
    if (this.#books?.checkpointsOf(head) === undefined) return;
    this.#write({ type: 'checkpoints.outdated', head, upTo: checkpoint });
  }

  #headOf(component: ComponentId): EntryTask {
    return this.#taskOf(this.#componentsOfJob().list[component]?.heads[0] as ExecutionVertexId);
  }

  #componentsOfJob(): StreamingComponents {
    const { graph, regions } = this.#options.shape;
    return (this.#components ??= streamingComponents(graph, regions));
  }

  #end(status: RunEnd): void {
    const { clock, finishedAtMs } = this.#options;
    this.#hasFinished = status === 'finished';
    if (!this.#hasFinished) for (const component of [...this.#unstored.keys()]) this.#forgoUnstored(component);
    this.#write({ type: 'run.ended', atMs: finishedAtMs ?? clock.epochMs(), status });
  }

  #write(step: RunStep): void {
    const { log, failed, assertOwned } = this.#options;
    if (this.#failure !== undefined || this.#books === undefined) return;
    const entry: RunEntry = { ...step, after: this.#books.vitalSteps };
    try {
      const payload = encodeEntry(entry);
      log.appendAll(isVital(entry) ? [payload, payload] : [payload]);
      // SD3. It is replaced by its name, which may be another's by now.
      if (log.size >= this.#longBytes) assertOwned?.();
    } catch (error) {
      return this.#fail(error, failed);
    }
    this.#books = RunBooks.after(this.#books, entry);
    if (entry.type === 'run.ended') return;
    this.#shorten();
    const synced = log.sync().then(assertOwned);
    synced.catch((error: unknown) => this.#fail(error, failed));
  }

  /** RE6. What is written meanwhile is in both. If it fails, the log goes on as it was. */
  #shorten(): void {
    const { log } = this.#options;
    if (this.#books === undefined || this.#shortening !== undefined || log.size < this.#longBytes) return;
    const beginning = this.#withoutForgotten(this.#books.beginning);
    const payload = encodeEntry(beginning);
    this.#books = RunBooks.after(undefined, beginning);
    const done = (): void => {
      this.#shortening = undefined;
      this.#longBytes = Math.max(this.#longBytes, growth * log.size);
    };
    this.#shortening = log.replaceWith([payload, payload]).then(done, done);
  }

  /** Checkpoints before those that a component keeps need no mention: nobody continues them. */
  #withoutForgotten(beginning: RunBeginning): RunBeginning {
    const firsts = new Map(
      Array.from(this.#from, ([component, first]) => {
        const { vertex, subtask } = this.#headOf(component);
        return [`${vertex}.${subtask}`, first] as const;
      }),
    );
    const checkpoints = beginning.checkpoints?.map((series) => {
      const { vertex, subtask } = series.head;
      return seriesFrom(series, firsts.get(`${vertex}.${subtask}`) ?? 0);
    });
    return { ...beginning, ...(checkpoints && { checkpoints }) };
  }

  #fail(error: unknown, failed: (cause: Error) => void): void {
    if (this.#failure !== undefined) return;
    const cause = toError(error);
    this.#failure = cause;
    failed(new UnrecoverableError(`The run cannot be continued later, so it ends: ${cause.message}`, { cause }));
  }

  #tasksIn(regions: readonly RegionId[]): EntryTasks[] {
    const { regions: all } = this.#options.shape;
    const found: { vertex: number; start: number; end: number }[] = [];
    for (const region of regions) {
      for (const member of all.verticesOf(region)) {
        const { vertex, subtask } = this.#taskOf(member as ExecutionVertexId);
        const last = found.at(-1);
        if (last?.vertex === vertex && last.end === subtask) last.end++;
        else found.push({ vertex, start: subtask, end: subtask + 1 });
      }
    }
    return found;
  }

  #taskOf(vertex: ExecutionVertexId): EntryTask {
    const { graph } = this.#options.shape;
    return { vertex: graph.jobVertexIndexOf(vertex), subtask: graph.subtaskOf(vertex) };
  }

  #vertexOf(id: string): number {
    return this.#options.shape.graph.jobGraph.vertexIndexById.get(id as never) as number;
  }
}

function outcomeOf({ stored = [], rejected }: Extract<JobEvent, { type: 'task.ended' }>): TaskOutcome {
  return { results: stored, ...(rejected && { rejected }) };
}
