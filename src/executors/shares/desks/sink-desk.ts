import type { Environment } from '../../../environment.ts';
import { toError } from '../../../errors/thrown-value.ts';
import { IllegalStateError, InvalidArgumentError } from '../../../errors/usage-errors.ts';
import { hasMethods } from '../../../foreign-value.ts';
import type { JobVertex } from '../../../graph/job-graph.ts';
import type { AttemptNumber, ExecutorId, RunId } from '../../../ids.ts';
import { deadLetterSinks } from '../../../operators/rejected/dead-letter-sinks.ts';
import type { RunOutputs } from '../../../operators/runtime-context.ts';
import type { Sink, SinkWriter } from '../../../operators/sink.ts';
import { TaskContext } from '../../../operators/task/task-context.ts';
import { packData, unpackData } from '../../../partitions/records/packed-data.ts';
import { unpackRecords } from '../../../partitions/records/plain-codec.ts';
import { toPlainError } from '../../../plain-error.ts';
import type { PostTo } from './call-desk.ts';
import { livesInProcess } from '../remote-sinks.ts';
import type { SinksReply, SinksRequest } from '../service-messages.ts';
import type { SharedPlan } from '../shared-services.ts';

/** A writer that is open for an attempt in an executor. */
interface OpenWriter {
  readonly executor: ExecutorId;
  readonly id: number;
  /** Of which sink, and of which subtask. */
  readonly place: string;
  readonly attempt: AttemptNumber;
  readonly context: TaskContext;
  /** `over` once it is committed or aborted, or about to be. */
  phase: 'opening' | 'open' | 'over';
  writer: SinkWriter<unknown> | undefined;
  /** Settles when the writer is idle. */
  idle: Promise<unknown>;
}

/** Who waits for an answer. */
type Asker = Pick<OpenWriter, 'executor' | 'id' | 'writer'>;

type WriterCall = (writer: SinkWriter<unknown>) => unknown;

/** The attempts of a subtask that have opened a sink. */
interface CurrentAttempts {
  readonly latest: AttemptNumber;
  /** One, or two side by side; none once one of them has. */
  readonly mayCommit: readonly AttemptNumber[];
}

export interface SinkDeskOptions {
  readonly run: RunId;
  readonly environment: Environment;
  readonly outputs: RunOutputs;
}

/**
 * The sinks of a job that live in the process of the user, for tasks in all executors.
 *
 * Invariants:
 * - SK1 A writer commits once, and only for the latest attempt of its subtask, or for the one beside it unless one of the
 *   two has committed. Its task hears that it has, and finishes then.
 * - SK2 A writer of any other attempt, or of a lost executor, is aborted, unless it has been told to commit.
 */
export class SinkDesk {
  readonly #plan: SharedPlan;
  readonly #options: SinkDeskOptions;
  readonly #post: PostTo<SinksReply>;
  readonly #sinkByVertex: ReadonlyMap<string, Sink<unknown>>;
  readonly #writers = new Map<ExecutorId, Map<number, OpenWriter>>();
  /** By subtask of a sink. */
  readonly #current = new Map<string, CurrentAttempts>();

  constructor(plan: SharedPlan, options: SinkDeskOptions, post: PostTo<SinksReply>) {
    this.#plan = plan;
    this.#options = options;
    this.#post = post;
    this.#sinkByVertex = sinksInProcess(plan);
  }

  accept(executor: ExecutorId): void {
    this.#writers.set(executor, new Map());
  }

  receive(executor: ExecutorId, message: SinksRequest): void {
    const writers = this.#writers.get(executor);
    if (message.type === 'open') {
      void this.#open(executor, message);
      return;
    }
    if (message.type === 'commitPrepared') {
      void this.#commitPrepared(executor, message);
      return;
    }
    const open = writers?.get(message.id);
    if (open === undefined) return;
    switch (message.type) {
      case 'write':
        return this.#call(open, (writer) => writer.write(unpackRecords(message)));
      case 'prepare':
        return this.#call(open, (writer) => writer.prepare?.() as PromiseLike<unknown>);
      case 'prepareCheckpoint':
        return this.#call(open, async (writer) => packData([await writer.prepareCheckpoint?.()]));
      case 'commit':
        writers?.delete(open.id);
        return this.#commit(open);
      case 'abort':
        writers?.delete(open.id);
        return this.#abort(open);
    }
  }

  /** SK2. */
  lost(executor: ExecutorId): void {
    const writers = [...(this.#writers.get(executor)?.values() ?? [])];
    this.#writers.delete(executor);
    for (const open of writers) this.#abort(open);
  }

  async #open(executor: ExecutorId, message: Extract<SinksRequest, { type: 'open' }>): Promise<void> {
    const { id, vertex, subtask, parallelism, attempt, beside, delivery, from } = message;
    const place = JSON.stringify([vertex, subtask]);
    const { run, environment, outputs } = this.#options;
    const context = new TaskContext({
      ...{ job: this.#plan.name, run, vertex, subtask, parallelism, attempt, beside, environment, outputs },
    });
    context.delivery = delivery;
    const idle = Promise.resolve();
    const open: OpenWriter = { executor, id, place, attempt, context, phase: 'opening', writer: undefined, idle };
    try {
      const sink = this.#sinkOf(vertex);
      this.#supersede(place, attempt, beside);
      this.#writers.get(executor)?.set(id, open);
      const writer = await sink.open(context, from && unpackData(from)[0]);
      const expected = 'an object with the methods write, commit, abort, or a promise of one';
      if (!hasMethods(writer, 'write', 'commit', 'abort'))
        throw new InvalidArgumentError(`open of sink "${sink.name}"`, writer, expected);
      open.writer = writer;
      if (isOver(open)) {
        await writer.abort();
        throw replaced(place);
      }
      open.phase = 'open';
      this.#done(open);
    } catch (error) {
      this.#failed(open, error);
    }
  }

  /** Of an attempt that took part in a complete checkpoint, so that it is committed whether or not the attempt lives. */
  async #commitPrepared(
    executor: ExecutorId,
    { id, vertex, prepared }: Extract<SinksRequest, { type: 'commitPrepared' }>,
  ): Promise<void> {
    const writer = undefined;
    try {
      await this.#sinkOf(vertex).commitPrepared?.(unpackData(prepared)[0]);
      this.#done({ executor, id, writer });
    } catch (error) {
      this.#failed({ executor, id, writer }, error);
    }
  }

  /** @throws IllegalStateError */
  #sinkOf(vertex: string): Sink<unknown> {
    const sink = this.#sinkByVertex.get(vertex);
    if (sink === undefined) throw new IllegalStateError(`Job "${this.#plan.name}" has no sink "${vertex}" here`);
    return sink;
  }

  /** SK1, SK2. @throws IllegalStateError for an attempt that was replaced */
  #supersede(place: string, attempt: AttemptNumber, beside: AttemptNumber | undefined): void {
    const latest = this.#current.get(place)?.latest;
    if (latest !== undefined && latest > attempt) throw replaced(place);
    this.#current.set(place, { latest: attempt, mayCommit: beside === undefined ? [attempt] : [beside, attempt] });
    for (const writers of this.#writers.values()) {
      for (const open of writers.values()) {
        if (open.place === place && open.attempt < attempt && open.attempt !== beside) this.#abort(open);
      }
    }
  }

  #call(open: OpenWriter, call: WriterCall): void {
    if (open.phase !== 'open' || open.writer === undefined) return this.#failed(open, replaced(open.place));
    this.#next(open, call);
  }

  /** One call of a writer at a time. */
  #next(open: OpenWriter, call: WriterCall): void {
    open.idle = open.idle
      .then(() => call(open.writer as SinkWriter<unknown>))
      .then(
        (returned) => this.#done(open, returned instanceof Uint8Array ? returned : undefined),
        (error: unknown) => this.#failed(open, error),
      );
  }

  #commit(open: OpenWriter): void {
    const current = this.#current.get(open.place);
    if (open.phase !== 'open' || current?.mayCommit.includes(open.attempt) !== true) {
      return this.#failed(open, replaced(open.place));
    }
    this.#current.set(open.place, { ...current, mayCommit: [] });
    this.#call(open, (writer) => writer.commit());
    open.phase = 'over';
  }

  #abort(open: OpenWriter): void {
    const isOpen = open.phase === 'open';
    if (open.phase === 'over') return this.#done(open);
    open.phase = 'over';
    open.context.abort();
    if (isOpen) this.#next(open, (writer) => writer.abort());
  }

  #done({ executor, id, writer }: Asker, prepared?: Uint8Array): void {
    const hasPrepare = writer?.prepare !== undefined;
    const hasPrepareCheckpoint = writer?.prepareCheckpoint !== undefined;
    this.#post(executor, { service: 'sinks', type: 'done', id, hasPrepare, hasPrepareCheckpoint, prepared });
  }

  #failed({ executor, id, writer }: Asker, thrown: unknown): void {
    const error = toPlainError(toError(thrown));
    this.#post(executor, { service: 'sinks', type: 'failed', id, error, failedAt: writer?.failedAt?.() });
  }
}

/** Whether it was aborted. */
function isOver({ phase }: OpenWriter): boolean {
  return phase === 'over';
}

/** The sinks of a job that live in this process, by the name of their vertex. */
function sinksInProcess({ jobGraph, programs }: SharedPlan): ReadonlyMap<string, Sink<unknown>> {
  const sinks = new Map<string, Sink<unknown>>();
  for (const [index, program] of programs.entries()) {
    const { id, operators: uids = [id] } = jobGraph.vertices[index] as JobVertex;
    const { sink } = program;
    if (sink !== undefined && livesInProcess(sink)) sinks.set(id, sink);
    for (const letters of deadLetterSinks(program, uids)) {
      if (livesInProcess(letters.sink)) sinks.set(letters.vertex, letters.sink);
    }
  }
  return sinks;
}

function replaced(place: string): IllegalStateError {
  const [vertex, subtask] = JSON.parse(place) as [string, number];
  return new IllegalStateError(`Another attempt of "${vertex}", subtask ${subtask}, writes to its sink`);
}
