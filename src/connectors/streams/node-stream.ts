import type { Readable, Writable } from 'node:stream';
import { SourceNotReplayableError } from '../../errors/connector-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { hasMethods } from '../../foreign-value.ts';
import { checkBoolean, checkFunction, checkOptions } from '../../options.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { Sink, SinkWriter } from '../../operators/sink.ts';
import type { Source, SourceReader } from '../../operators/source.ts';
import { checkDecodeOptions, decoded, decodingErrors, type MayDecode } from '../lines/decoder.ts';
import { goOnAfterAll } from '../record-position.ts';
import { Chunks, type ToChunk } from './chunks.ts';

/**
 * Reads the chunks of a Node stream: its objects in object mode, otherwise buffers, or strings if it has an encoding.
 * With `decode`, it reads the records in its bytes. The stream is pulled on demand, so back pressure reaches it.
 *
 * Not splittable: one subtask. A restarted subtask calls `create` again, and fails with a `SourceNotReplayableError` if
 * that returns a stream that was already read. Replayable if the new stream begins at the start, as with a file. If it
 * does not, as with a new connection to a live feed, declare it: `job.source(name, fromNodeStream(…), { replayable:
 * false })`.
 *
 * @param create may be async
 */
export function fromNodeStream<Out = unknown>(
  create: (context: RuntimeContext) => Readable | PromiseLike<Readable>,
  options: MayDecode<Out> = {},
): Source<Out> {
  checkFunction('fromNodeStream', create);
  checkDecodeOptions('fromNodeStream', options);
  const name = create.name || 'Node stream';
  const used = new WeakSet<Readable>();
  return {
    name,
    maxParallelism: 1,
    splitLimit: 'a Node stream has one reader',
    ...decodingErrors(options),
    open: async (context) => {
      const stream = await create(context);
      if (!hasMethods(stream, 'read', 'on')) {
        throw new InvalidArgumentError(
          `what ${name} of fromNodeStream returns`,
          stream,
          'a Node stream; web streams: `fromWebStream`',
        );
      }
      if (used.has(stream)) throw new SourceNotReplayableError(name, 'Return a new stream from each call');
      used.add(stream);
      return decoded(new ReadableReader(stream, name), name, options, context);
    },
  };
}

class ReadableReader implements SourceReader<unknown> {
  readonly #stream: Readable;
  #outcome: { readonly error: Error | undefined } | undefined;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(stream: Readable, name: string) {
    this.#stream = stream;
    const settle = (error: Error | undefined): void => {
      this.#outcome ??= { error };
      this.#wake?.();
    };
    if (stream.readableEnded) settle(new SourceNotReplayableError(name, 'Return a new stream from each call'));
    if (stream.destroyed) settle(stream.errored ?? new Error(`${name} was destroyed before it was read`));
    stream.on('readable', () => this.#wake?.());
    stream.on('end', () => settle(undefined));
    stream.on('error', (error: unknown) => settle(toError(error)));
    stream.on('close', () => settle(new Error(`${name} was closed before it ended`)));
  }

  read(maxRecords: number): readonly unknown[] | null | Promise<readonly unknown[] | null> {
    if (this.#isClosed) return null;
    const records: unknown[] = [];
    while (records.length < maxRecords) {
      const chunk: unknown = this.#stream.read();
      if (chunk === null) break;
      records.push(chunk);
    }
    if (records.length > 0) return records;
    if (this.#outcome === undefined) return this.#wait(maxRecords);
    if (this.#outcome.error !== undefined) throw this.#outcome.error;
    return null;
  }

  close(): void {
    this.#isClosed = true;
    this.#stream.destroy();
    this.#wake?.();
  }

  async #wait(maxRecords: number): Promise<readonly unknown[] | null> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    return this.read(maxRecords);
  }
}

export interface ToNodeWritableOptions<In = unknown> {
  /** Whether the stream is ended when the subtask finishes, and destroyed when it fails. Default: yes. */
  readonly end?: boolean | undefined;
  /**
   * Makes the chunk that is written for a record, synchronously: a line, or a message with the key of the record's
   * position, `(record, { position }) => ({ id: position.key, record })`. Default: the record itself.
   */
  readonly toChunk?: ToChunk<In> | undefined;
}

/**
 * Writes records to a Node stream; `create` makes one per attempt of each subtask. The task waits while the stream is
 * full.
 *
 * At least once: records that a failed attempt wrote stay written, and the restarted subtask writes them again.
 * `toChunk` can mark each with its position, which is the same again.
 */
export function toNodeWritable<In = unknown>(
  create: (context: RuntimeContext) => Writable,
  options: ToNodeWritableOptions<In> = {},
): Sink<In> {
  checkFunction('toNodeWritable', create);
  checkOptions('toNodeWritable', options, { end: true, toChunk: true });
  const { end = true, toChunk } = options;
  checkBoolean('end of toNodeWritable', end);
  if (toChunk !== undefined) checkFunction('toChunk of toNodeWritable', toChunk);
  return {
    name: create.name || 'Node stream',
    guarantee: 'at-least-once',
    redo: 'repeats',
    redistribute: goOnAfterAll,
    definition: { kind: 'toNodeWritable', functions: { function: create, toChunk }, options: { end } },
    open: (context, from) => {
      const stream = create(context);
      if (!hasMethods(stream, 'write', 'on')) {
        const expected = 'a Node stream; web streams: `toWebWritable`';
        throw new InvalidArgumentError('what create of toNodeWritable returns', stream, expected);
      }
      return new WritableWriter<In>(stream, new Chunks(toChunk, context, from), end);
    },
  };
}

class WritableWriter<In> implements SinkWriter<In> {
  readonly #stream: Writable;
  readonly #chunks: Chunks<In>;
  readonly #isEnding: boolean;
  readonly #forget: () => void;
  /** Records that the stream has accepted but not yet reported as written. */
  #pendingCount = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Writable, chunks: Chunks<In>, isEnding: boolean) {
    this.#stream = stream;
    this.#chunks = chunks;
    this.#isEnding = isEnding;
    const wake = (): void => this.#wake?.();
    const fail = (thrown: unknown): void => this.#fail(thrown);
    const close = (): void => {
      if (!stream.writableFinished) fail(new Error('The stream was closed before it finished'));
    };
    stream.on('drain', wake).on('finish', wake).on('error', fail).on('close', close);
    this.#forget = () => {
      stream.off('drain', wake).off('finish', wake).off('close', close);
      // A stream that the sink owns may still fail while it is destroyed, and has no other listener.
      if (!isEnding) stream.off('error', fail);
    };
  }

  readonly write = (records: readonly In[]): void | Promise<void> => {
    this.#chunks.begin(records);
    return this.#writeFrom(records, 0);
  };

  readonly failedAt = (): number | undefined => this.#chunks.failedAt();

  /** What the stream has accepted is not written yet, and would be lost with it. */
  async prepareCheckpoint(): Promise<number> {
    await this.#until(() => this.#pendingCount === 0);
    return this.#chunks.count;
  }

  async commit(): Promise<void> {
    if (this.#isEnding) {
      this.#stream.end();
      await this.#until(() => this.#stream.writableFinished);
    } else {
      await this.#until(() => this.#pendingCount === 0);
    }
    this.#forget();
  }

  abort(): void {
    if (this.#isEnding) this.#stream.destroy();
    this.#forget();
  }

  #writeFrom(records: readonly In[], from: number): void | Promise<void> {
    for (let index = from; index < records.length; index++) {
      if (this.#failure !== undefined) throw this.#failure;
      const chunk = this.#chunks.of(records[index] as In, index);
      this.#pendingCount++;
      if (!this.#stream.write(chunk, this.#written)) return this.#drain(records, index + 1);
    }
  }

  readonly #written = (error: unknown): void => {
    this.#pendingCount--;
    if (error !== undefined && error !== null) this.#fail(error);
    else if (this.#pendingCount === 0) this.#wake?.();
  };

  #fail(thrown: unknown): void {
    this.#failure ??= toError(thrown);
    this.#wake?.();
  }

  async #drain(records: readonly In[], from: number): Promise<void> {
    await this.#until(() => !this.#stream.writableNeedDrain);
    return this.#writeFrom(records, from);
  }

  async #until(isDone: () => boolean): Promise<void> {
    while (this.#failure === undefined && !isDone()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
