import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { RunId } from '../../ids.ts';
import type { JobIdentity } from '../identity/job-identity.ts';
import {
  type EntryCheckpoints,
  type EntryTask,
  type FinishedTask,
  isVital,
  type PartPaths,
  type RunBeginning,
  type RunEnd,
  type RunEntry,
  type TaskOutcome,
} from './run-entry.ts';

/**
 * The books of a run: what a later run of the job can re-use. A fold over the entries of its journal, by the run itself
 * as it writes them, and by a later one as it reads them.
 *
 * - RB1 The same entries give the same books. A task counts as finished from its entry until one that restarts it.
 * - RB2 An entry may occur twice in a row. One whose loss would make the books wrong, instead of only costing work, is
 *   written twice, so that one damaged place in the journal does no harm.
 * - RB3 After such an entry that is lost nevertheless, none of its run counts any more: a power loss may take both copies,
 *   and leave what was written after them.
 */
export class RunBooks {
  readonly run: RunId;
  readonly identity: JobIdentity;
  readonly beganAtMs: number;
  /** When the first of the runs began that continue each other up to this one. */
  readonly firstBeganAtMs: number;
  /** By vertex and subtask: the files that sinks write. */
  readonly parts: PartPaths;
  /** Names of checkpoints, in their storage, that are to be removed. */
  readonly staleCheckpoints: readonly string[];
  /** The savepoint with which the first of the runs began that continue each other; undefined if there was none. */
  readonly savepoint: string | undefined;
  /** Its directory, as it was then. */
  readonly savepointDirectory: string | undefined;
  readonly #plans: Map<number, unknown>;
  /** By vertex and subtask. */
  readonly #finished: Map<number, TaskOutcome>[];
  /** By vertex and subtask of the head, as text. */
  readonly #checkpoints: Map<string, EntryCheckpoints>;
  #lastCheckpoint: number;
  #vitalSteps = 0;
  #end: { readonly status: RunEnd; readonly atMs: number } | undefined;

  private constructor(beginning: RunBeginning) {
    const { run, atMs, firstAtMs, identity, finished, parts, plans, checkpoints = [] } = beginning;
    this.run = run;
    this.beganAtMs = atMs;
    this.firstBeganAtMs = firstAtMs;
    this.identity = identity;
    this.parts = parts;
    this.staleCheckpoints = beginning.staleCheckpoints ?? [];
    this.#lastCheckpoint = beginning.lastCheckpoint ?? 0;
    this.#vitalSteps = beginning.after ?? 0;
    this.savepoint = beginning.savepoint;
    this.savepointDirectory = beginning.savepointDirectory;
    this.#checkpoints = new Map(checkpoints.map((series) => [keyOf(series.head), series]));
    this.#plans = new Map(plans);
    this.#finished = identity.vertices.map(() => new Map<number, TaskOutcome>());
    for (const task of finished) this.#finish(task);
  }

  /** The books after an entry. Entries before the first `run.began`, whose run is unknown, are ignored. */
  static after(books: RunBooks | undefined, entry: RunEntry): RunBooks | undefined {
    // RB2: the second copy of it changes nothing.
    if (entry.type === 'run.began') return books?.run === entry.run ? books : new RunBooks(entry);
    if (books !== undefined) books.#take(entry);
    return books;
  }

  /** One entry that gives the same books, unless the run has ended. */
  get beginning(): RunBeginning {
    const { run, identity, beganAtMs: atMs, firstBeganAtMs: firstAtMs, parts, savepoint, savepointDirectory } = this;
    const { checkpoints, staleCheckpoints } = this;
    return {
      ...{ type: 'run.began', run, atMs, firstAtMs, identity, parts },
      ...{ finished: [...this.finished()], plans: [...this.#plans] },
      ...(checkpoints.length > 0 && { checkpoints }),
      ...(staleCheckpoints.length > 0 && { staleCheckpoints }),
      ...(savepoint !== undefined && { savepoint }),
      ...(savepointDirectory !== undefined && { savepointDirectory }),
      ...(this.#lastCheckpoint > 0 && { lastCheckpoint: this.#lastCheckpoint }),
      ...(this.#vitalSteps > 0 && { after: this.#vitalSteps }),
    };
  }

  /** Number of its vital steps so far. */
  get vitalSteps(): number {
    return this.#vitalSteps;
  }

  /** How and when the run ended; undefined while it runs, and after a crash. */
  get end(): { readonly status: RunEnd; readonly atMs: number } | undefined {
    return this.#end;
  }

  /** The plans of sources, by index of the vertex. */
  get plans(): ReadonlyMap<number, unknown> {
    return this.#plans;
  }

  /** No number up to this one is used by a later run for a checkpoint. */
  get lastCheckpoint(): number {
    return this.#lastCheckpoint;
  }

  /** The series of checkpoints of its streaming components. */
  get checkpoints(): readonly EntryCheckpoints[] {
    return [...this.#checkpoints.values()];
  }

  /** That of the component with this head. */
  checkpointsOf(head: EntryTask): EntryCheckpoints | undefined {
    return this.#checkpoints.get(keyOf(head));
  }

  /** What is known of a task that has finished; undefined unless it has. */
  outcomeOf({ vertex, subtask }: EntryTask): TaskOutcome | undefined {
    return this.#finished[vertex]?.get(subtask);
  }

  /** Whether some task of a vertex has finished. */
  hasFinishedTasks(vertex: number): boolean {
    return (this.#finished[vertex]?.size ?? 0) > 0;
  }

  /** The finished tasks, in order of vertex and subtask. */
  *finished(): Generator<FinishedTask> {
    for (const [vertex, tasks] of this.#finished.entries()) {
      for (const subtask of [...tasks.keys()].sort((a, b) => a - b)) {
        yield { vertex, subtask, ...(tasks.get(subtask) as TaskOutcome) };
      }
    }
  }

  #take(entry: Exclude<RunEntry, RunBeginning>): void {
    // RB2: it is a second copy, or RB3.
    if (entry.after !== this.#vitalSteps) return;
    if (isVital(entry)) this.#vitalSteps++;
    switch (entry.type) {
      case 'source.planned':
        this.#plans.set(entry.vertex, entry.plan);
        return;
      case 'task.finished':
        this.#finish(entry);
        return;
      case 'tasks.restarted':
        for (const { vertex, start, end } of entry.tasks) {
          for (let subtask = start; subtask < end; subtask++) this.#tasksOf(vertex).delete(subtask);
        }
        return;
      case 'checkpoints.began':
        this.#noteSeries(entry.head, () => ({ hasCompleted: true }));
        return;
      case 'checkpoints.lost':
        this.#noteSeries(entry.head, ({ lost = [] }) => ({ lost: [...lost, entry.checkpoint] }));
        return;
      case 'checkpoints.doubted':
        this.#noteSeries(entry.head, ({ doubted = [] }) => ({ doubted: [...doubted, entry.checkpoint] }));
        return;
      case 'checkpoints.outdated':
        this.#noteSeries(entry.head, () => ({ outdated: entry.upTo }));
        return;
      case 'checkpoints.numbered':
        this.#lastCheckpoint = Math.max(this.#lastCheckpoint, entry.upTo);
        return;
      case 'run.ended':
        this.#end = { status: entry.status, atMs: entry.atMs };
    }
  }

  #noteSeries(head: EntryTask, change: (series: EntryCheckpoints) => Partial<EntryCheckpoints>): void {
    const series = this.checkpointsOf(head);
    if (series !== undefined) this.#checkpoints.set(keyOf(head), { ...series, ...change(series) });
  }

  #finish({ vertex, subtask, results, rejected }: FinishedTask): void {
    this.#tasksOf(vertex).set(subtask, { results, ...(rejected && { rejected }) });
  }

  #tasksOf(vertex: number): Map<number, TaskOutcome> {
    const tasks = this.#finished[vertex];
    if (tasks === undefined)
      throw new IllegalStateError(`The journal names vertex ${vertex}, which its job does not have`);
    return tasks;
  }
}

function keyOf({ vertex, subtask }: EntryTask): string {
  return `${vertex}.${subtask}`;
}
