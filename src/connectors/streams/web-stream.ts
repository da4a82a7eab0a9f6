import { SourceNotReplayableError } from '../../errors/connector-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { hasMethods } from '../../foreign-value.ts';
import { checkFunction, checkOptions } from '../../options.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { Sink, SinkWriter } from '../../operators/sink.ts';
import type { Source } from '../../operators/source.ts';
import { checkDecodeOptions, type DecodeOptions, decoded, decodingErrors, type MayDecode } from '../lines/decoder.ts';
import { goOnAfterAll } from '../record-position.ts';
import { Chunks, type ToChunk } from './chunks.ts';
import { PullReader } from './pull-reader.ts';

/**
 * Reads the chunks of a web stream. With `decode`, it reads the records in its bytes, such as those of `(await
 * fetch(url)).body`. Chunks are pulled one at a time, on demand. A partial batch is emitted as soon as the next chunk
 * is not ready.
 *
 * Not splittable: one subtask. A restarted subtask calls `create` again, and fails with a `SourceNotReplayableError` if
 * that returns a stream that was already read. Replayable if the new stream begins at the start, as with the body of a
 * second `fetch`. If it does not, as with a live feed, declare it: `job.source(name, fromWebStream(…), { replayable:
 * false })`.
 *
 * @param create may be async
 */
export function fromWebStream<Out>(
  create: (context: RuntimeContext) => ReadableStream | PromiseLike<ReadableStream>,
  options: DecodeOptions<Out>,
): Source<Out>;
export function fromWebStream<Out = unknown>(
  create: (context: RuntimeContext) => ReadableStream<Out> | PromiseLike<ReadableStream<Out>>,
  options?: { readonly decode?: undefined },
): Source<Out>;
export function fromWebStream<Out>(
  create: (context: RuntimeContext) => ReadableStream | PromiseLike<ReadableStream>,
  options: MayDecode<Out> = {},
): Source<Out> {
  checkFunction('fromWebStream', create);
  checkDecodeOptions('fromWebStream', options);
  const name = create.name || 'web stream';
  const used = new WeakSet<ReadableStream>();
  return {
    name,
    maxParallelism: 1,
    splitLimit: 'a web stream has one reader',
    ...decodingErrors(options),
    open: async (context) => {
      const stream = await create(context);
      if (!hasMethods(stream, 'getReader')) {
        throw new InvalidArgumentError(
          `what ${name} of fromWebStream returns`,
          stream,
          'a web stream; Node streams: `fromNodeStream`',
        );
      }
      if (used.has(stream)) throw new SourceNotReplayableError(name, 'Return a new stream from each call');
      used.add(stream);
      const reader = stream.getReader();
      const chunks = new PullReader<unknown>(
        { next: () => reader.read() as Promise<IteratorResult<unknown, unknown>>, stop: () => reader.cancel() },
        context.environment.clock,
      );
      return decoded(chunks, name, options, context);
    },
  };
}

export interface ToWebWritableOptions<In = unknown, Chunk = unknown> {
  /**
   * Makes the chunk that is written for a record, synchronously: a message with the key of the record's position,
   * `(record, { position }) => ({ id: position.key, record })`. Default: the record itself.
   */
  readonly toChunk?: ToChunk<In, Chunk> | undefined;
}

/**
 * Writes records to a web stream; `create` makes one per attempt of each subtask. It is closed when the subtask
 * finishes and aborted when it fails. The task waits while the stream is full.
 *
 * At least once: records that a failed attempt wrote stay written, and the restarted subtask writes them again.
 * `toChunk` can mark each with its position, which is the same again.
 */
export function toWebWritable<In = unknown>(
  create: (context: RuntimeContext) => WritableStream<In>,
  options?: { readonly toChunk?: undefined },
): Sink<In>;
export function toWebWritable<In, Chunk>(
  create: (context: RuntimeContext) => WritableStream<Chunk>,
  options: ToWebWritableOptions<In, Chunk>,
): Sink<In>;
export function toWebWritable<In>(
  create: (context: RuntimeContext) => WritableStream<unknown>,
  options: ToWebWritableOptions<In> = {},
): Sink<In> {
  checkFunction('toWebWritable', create);
  checkOptions('toWebWritable', options, { toChunk: true });
  const { toChunk } = options;
  if (toChunk !== undefined) checkFunction('toChunk of toWebWritable', toChunk);
  return {
    name: create.name || 'web stream',
    guarantee: 'at-least-once',
    redo: 'repeats',
    redistribute: goOnAfterAll,
    definition: { kind: 'toWebWritable', functions: { function: create, toChunk } },
    open: (context, from) => {
      const stream = create(context);
      if (!hasMethods(stream, 'getWriter')) {
        const expected = 'a web stream; Node streams: `toNodeWritable`';
        throw new InvalidArgumentError('what create of toWebWritable returns', stream, expected);
      }
      return webWriter(stream.getWriter(), new Chunks(toChunk, context, from));
    },
  };
}

function webWriter<In>(writer: WritableStreamDefaultWriter<unknown>, chunks: Chunks<In>): SinkWriter<In> {
  // `ready` and `close` report a failure too, and are awaited.
  writer.closed.catch(() => {});
  let lastWritten: Promise<void> | undefined;
  return {
    write: async (records) => {
      chunks.begin(records);
      for (const [index, record] of records.entries()) {
        if ((writer.desiredSize ?? 0) <= 0) await writer.ready;
        lastWritten = writer.write(chunks.of(record, index));
        lastWritten.catch(() => {});
      }
      await writer.ready;
    },
    failedAt: chunks.failedAt,
    // What the stream has accepted is not written yet, and would be lost with it.
    prepareCheckpoint: async () => {
      await lastWritten;
      return chunks.count;
    },
    commit: () => writer.close(),
    abort: () => writer.abort(),
  };
}
