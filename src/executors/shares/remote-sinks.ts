import type { JobGraph, JobVertex } from '../../graph/job-graph.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import { deadLetterSink } from '../../operators/rejected/dead-letter-sinks.ts';
import type { ErrorHandling } from '../../operators/rejected/on-error.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { Sink, SinkWriter } from '../../operators/sink.ts';
import { packData, unpackData } from '../../partitions/records/packed-data.ts';
import { packRecords } from '../../partitions/records/plain-codec.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { SinksReply, SinksRequest } from './service-messages.ts';

/** Whether a sink lives in the process of the user, so that the thread of the run writes to it. */
export function livesInProcess({ redo }: Sink<unknown>): boolean {
  return redo === 'collects';
}

type Done = Extract<SinksReply, { readonly type: 'done' }>;

interface Request {
  readonly done: (reply: Done) => void;
  readonly failed: (error: Error, failedAt: number | undefined) => void;
}

/** The sinks of an executor that live in the process of the user: the run writes to them. */
export class RemoteSinks {
  readonly #post: (message: SinksRequest) => void;
  /** The one request that each open writer waits for, by id of the writer. */
  readonly #requests = new Map<number, Request>();
  #next = 0;

  constructor(post: (message: SinksRequest) => void) {
    this.#post = post;
  }

  /** The programs of a job as they run here. */
  programs(jobGraph: JobGraph, programs: readonly VertexProgram[]): readonly VertexProgram[] {
    return programs.map((program, index) => {
      const { id, operators: uids = [id] } = jobGraph.vertices[index] as JobVertex;
      const first = program.source === undefined ? 0 : 1;
      const { source, sink } = program;
      return {
        ...program,
        ...(source && { source: this.#rejecting(source, uids[0] as string) }),
        operators: program.operators.map((operator, at) => this.#rejecting(operator, uids[first + at] as string)),
        ...(sink && { sink: this.#sinkOf(id, sink) }),
      };
    });
  }

  /** Takes a message of the run. */
  receive(reply: SinksReply): void {
    const request = this.#requests.get(reply.id);
    this.#requests.delete(reply.id);
    if (reply.type === 'done') request?.done(reply);
    else request?.failed(fromPlainError(reply.error), reply.failedAt);
  }

  /** A part of a program, whose dead letters go to the sink of the run. */
  #rejecting<Part extends { readonly errors?: ErrorHandling | undefined }>(part: Part, uid: string): Part {
    const letters = deadLetterSink(uid, part.errors);
    if (letters === undefined || part.errors === undefined) return part;
    const reaction = { kind: 'deadLetter', sink: this.#sinkOf(letters.vertex, letters.sink) } as const;
    return { ...part, errors: { ...part.errors, reaction } };
  }

  #sinkOf(vertex: string, sink: Sink<unknown>): Sink<unknown> {
    if (!livesInProcess(sink)) return sink;
    return {
      ...sink,
      open: (context, from) => this.#open(vertex, context, from),
      ...(sink.commitPrepared && { commitPrepared: (prepared) => this.#commitPrepared(vertex, prepared) }),
    };
  }

  async #commitPrepared(vertex: string, prepared: unknown): Promise<void> {
    const id = this.#next++;
    await this.#ask({ service: 'sinks', type: 'commitPrepared', id, vertex, prepared: packData([prepared]) });
  }

  #ask(message: SinksRequest, noteFailure: (failedAt: number | undefined) => void = () => {}): Promise<Done> {
    return new Promise((resolve, reject) => {
      const failed: Request['failed'] = (error, index) => {
        noteFailure(index);
        reject(error);
      };
      this.#requests.set(message.id, { done: resolve, failed });
      this.#post(message);
    });
  }

  async #open(
    vertex: string,
    { subtask, parallelism, attempt, beside, delivery }: RuntimeContext,
    from: unknown,
  ): Promise<SinkWriter<unknown>> {
    const id = this.#next++;
    let failedAt: number | undefined;
    const ask = (message: SinksRequest): Promise<Done> =>
      this.#ask(message, (index) => {
        failedAt = index;
      });
    const call = async (type: 'prepare' | 'commit' | 'abort'): Promise<void> => {
      await ask({ service: 'sinks', type, id });
    };
    const place = { vertex, subtask, parallelism, attempt, beside, delivery };
    const packed = from === undefined ? undefined : packData([from]);
    const open = { service: 'sinks', type: 'open', id, ...place, from: packed } as const;
    const { hasPrepare, hasPrepareCheckpoint } = await ask(open);
    const prepareCheckpoint = async (): Promise<unknown> => {
      const { prepared } = await ask({ service: 'sinks', type: 'prepareCheckpoint', id });
      return prepared && unpackData(prepared)[0];
    };
    return {
      write: async (records) => {
        const { bytes, isEscaped } = packRecords(records);
        await ask({ service: 'sinks', type: 'write', id, bytes: new Uint8Array(bytes), isEscaped });
      },
      failedAt: () => failedAt,
      ...(hasPrepare && { prepare: () => call('prepare') }),
      ...(hasPrepareCheckpoint && { prepareCheckpoint }),
      commit: () => call('commit'),
      abort: () => call('abort'),
    };
  }
}
