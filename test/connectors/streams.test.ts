import { Readable, Writable } from 'node:stream';
import { fromNodeStream, toNodeWritable } from '../../src/connectors/streams/node-stream.ts';
import { fromWebStream, toWebWritable } from '../../src/connectors/streams/web-stream.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';
import { contextOf, drain, failureOf, readSubtask, writeSubtask } from './subtasks.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

function webStreamOf(count: number, end: (controller: ReadableStreamDefaultController<number>) => void) {
  let next = 0;
  return new ReadableStream<number>({
    pull: (controller) => {
      if (next < count) controller.enqueue(next++);
      else end(controller);
    },
  });
}

const readables: [name: string, of: (count: number) => Source<number>, failing: (count: number) => Source<number>][] = [
  [
    'fromNodeStream',
    (count) => fromNodeStream(() => Readable.from(numbers(count))),
    (count) =>
      fromNodeStream(() =>
        Readable.from(
          (function* () {
            yield* numbers(count);
            throw new Error('broken pipe');
          })(),
        ),
      ),
  ],
  [
    'fromWebStream',
    (count) => fromWebStream(() => webStreamOf(count, (controller) => controller.close())),
    (count) => fromWebStream(() => webStreamOf(count, (controller) => controller.error(new Error('broken pipe')))),
  ],
];

describe.each(readables)('%s', (_name, of, failing) => {
  it.each([0, 1, 16, 17, 1_000])('reads %i chunks', async (count) => {
    for (const maxRecords of [1, 7, 2_000]) {
      expect(await readSubtask(of(count), {}, maxRecords)).toEqual(numbers(count));
    }
  });

  it('reads again from the start after a restart', async () => {
    const source = of(100);
    const reader = await source.open(contextOf());
    expect(await reader.read(10)).toEqual(numbers(10));
    await reader.close();
    expect(await readSubtask(source, { attempt: 1 })).toEqual(numbers(100));
    expect(source).toMatchObject({ maxParallelism: 1, splitLimit: expect.stringMatching('has one reader') });
  });

  it('fails like the stream', async () => {
    expect((await failureOf(readSubtask(failing(20), {}, 3))).message).toBe('broken pipe');
    expect((await failureOf(readSubtask(failing(0), {}, 3))).message).toBe('broken pipe');
  });
});

describe('fromNodeStream', () => {
  it('holds the stream back', async () => {
    let made = 0;
    const stream = new Readable({ objectMode: true, highWaterMark: 4, read: () => stream.push(made++) });
    const reader = await fromNodeStream(() => stream).open(contextOf());
    expect(await reader.read(2)).toEqual([0, 1]);
    expect(made).toBeLessThan(20);
    await reader.close();
    expect(stream.destroyed).toBe(true);
  });

  it('settles a pending read when it is closed', async () => {
    const reader = await fromNodeStream(() => new Readable({ read: () => {} })).open(contextOf());
    const batch = reader.read(1);
    await reader.close();
    expect(await batch).toBeNull();
  });

  it('a stream that is closed early is an error, not an end', async () => {
    const stream = new Readable({ objectMode: true, read: () => {} });
    const reader = await fromNodeStream(function feed() {
      return stream;
    }).open(contextOf());
    const batch = drain(reader);
    stream.destroy();
    expect((await failureOf(batch)).message).toBe('feed was closed before it ended');
  });

  it('a stream that was destroyed before is an error at once', async () => {
    const stream = new Readable({ read: () => {} });
    stream.destroy();
    await new Promise((resolve) => stream.once('close', resolve));
    const failure = await failureOf(readSubtask(fromNodeStream(() => stream)));
    expect(failure.message).toBe('Node stream was destroyed before it was read');
  });

  it('a stream that was already read to its end is an error, not an empty stream', async () => {
    const stream = Readable.from([1, 2]);
    await stream.toArray();
    const failure = await failureOf(readSubtask(fromNodeStream(() => stream)));
    expect(failure).toMatchObject({ code: 'SOURCE_NOT_REPLAYABLE', recovery: 'never' });
  });

  it('yields strings from a stream with an encoding', async () => {
    const source = fromNodeStream<string>(() =>
      Readable.from([Buffer.from('縫')], { objectMode: false }).setEncoding('utf8'),
    );
    expect((await readSubtask(source)).join('')).toBe('縫');
  });
});

it.each<[name: string, source: Source<unknown>, message: string]>([
  [
    'Node',
    ((stream) => fromNodeStream(() => stream))(Readable.from([1])),
    'Source "Node stream" cannot be read a second time. Return a new stream from each call',
  ],
  [
    'web',
    ((stream) => fromWebStream(() => stream))(webStreamOf(1, (controller) => controller.close())),
    'Source "web stream" cannot be read a second time. Return a new stream from each call',
  ],
])('the same %s stream cannot be read twice', async (_name, source, message) => {
  await readSubtask(source);
  expect(await failureOf(readSubtask(source, { attempt: 1 }))).toMatchObject({
    code: 'SOURCE_NOT_REPLAYABLE',
    message,
  });
});

/** The records that a stream got, the maximum number at once, and how it ended. */
interface Taken {
  readonly records: unknown[];
  mostAtOnce: number;
  outcome: 'open' | 'finished' | 'aborted';
}

/** Takes a record per turn of promises, two at once; fails at `failAt`. */
function nodeSink(taken: Taken, failAt?: unknown): Sink<unknown> {
  let waiting = 0;
  return toNodeWritable(
    () =>
      new Writable({
        objectMode: true,
        highWaterMark: 2,
        write(record: unknown, _encoding, done) {
          taken.mostAtOnce = Math.max(taken.mostAtOnce, ++waiting, this.writableLength);
          taken.records.push(record);
          const error = record === failAt ? new Error('disk full') : null;
          void Promise.resolve().then(() => {
            waiting--;
            done(error);
          });
        },
        final: (done) => {
          taken.outcome = 'finished';
          done();
        },
        destroy: (error, done) => {
          if (taken.outcome === 'open') taken.outcome = 'aborted';
          done(error);
        },
      }),
  );
}

function webSink(taken: Taken, failAt?: unknown): Sink<unknown> {
  return toWebWritable(
    () =>
      new WritableStream<unknown>(
        {
          write: async (record) => {
            taken.mostAtOnce = Math.max(taken.mostAtOnce, 1);
            taken.records.push(record);
            await Promise.resolve();
            if (record === failAt) throw new Error('disk full');
          },
          close: () => {
            taken.outcome = 'finished';
          },
          abort: () => {
            taken.outcome = 'aborted';
          },
        },
        { highWaterMark: 2 },
      ),
  );
}

describe.each<[name: string, sinkOf: (taken: Taken, failAt?: unknown) => Sink<unknown>]>([
  ['toNodeWritable', nodeSink],
  ['toWebWritable', webSink],
])('%s', (_name, sinkOf) => {
  const nothing = (): Taken => ({ records: [], mostAtOnce: 0, outcome: 'open' });

  it.each([0, 1, 2, 3, 1_000])('writes %i records and finishes the stream', async (count) => {
    const taken = nothing();
    await writeSubtask(sinkOf(taken), numbers(count));
    expect(taken.records).toEqual(numbers(count));
    expect(taken.outcome).toBe('finished');
    expect(taken.mostAtOnce).toBeLessThanOrEqual(2);
  });

  it('promises at-least-once', () => {
    expect(sinkOf(nothing()).guarantee).toBe('at-least-once');
  });

  it('makes the task wait while the stream is full', async () => {
    const taken = nothing();
    const writer = await sinkOf(taken).open(contextOf());
    const written = writer.write(numbers(100));
    expect(written).toBeInstanceOf(Promise);
    expect(taken.records.length).toBeLessThan(5);
    await written;
    expect(taken.records.length).toBeGreaterThan(95);
    await writer.commit();
  });

  it.each([0, 50, 99])('fails like the stream, at record %i', async (failAt) => {
    expect((await failureOf(writeSubtask(sinkOf(nothing(), failAt), numbers(100)))).message).toBe('disk full');
  });

  it('aborts the stream', async () => {
    const taken = nothing();
    const writer = await sinkOf(taken).open(contextOf());
    await writer.write([1]);
    await writer.abort();
    expect(taken.outcome).toBe('aborted');
  });
});

describe('a Node stream that is not ended', () => {
  it("stays open, without the sink's listeners, and every record was written", async () => {
    const records: unknown[] = [];
    const shared = new Writable({
      objectMode: true,
      write: (record: unknown, _encoding, done) => {
        void Promise.resolve().then(() => {
          records.push(record);
          done();
        });
      },
    });
    const sink = toNodeWritable(() => shared, { end: false });
    await writeSubtask(sink, [1, 2, 3]);
    expect(records).toEqual([1, 2, 3]);
    await writeSubtask(sink, [4]);
    expect(records).toEqual([1, 2, 3, 4]);
    const aborted = await sink.open(contextOf());
    await aborted.abort();
    expect(shared).toMatchObject({ writableEnded: false, destroyed: false });
    for (const event of ['drain', 'finish', 'error', 'close']) expect(shared.listenerCount(event)).toBe(0);
  });

  it('that was destroyed before is an error', async () => {
    const shared = new Writable({ write: () => {} });
    shared.destroy();
    await new Promise((resolve) => shared.once('close', resolve));
    const failure = await failureOf(
      writeSubtask(
        toNodeWritable(() => shared, { end: false }),
        ['x'],
      ),
    );
    expect(failure).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });
});

describe('a value that is not a stream is refused', () => {
  it.each<[call: string, call: () => unknown, message: RegExp]>([
    ['fromNodeStream', () => fromNodeStream(Readable.from([1]) as never), /^fromNodeStream: expected a function/],
    ['fromWebStream', () => fromWebStream(5 as never), /^fromWebStream: expected a function/],
    ['toNodeWritable', () => toNodeWritable(5 as never), /^toNodeWritable: expected a function/],
    ['toWebWritable', () => toWebWritable(5 as never), /^toWebWritable: expected a function/],
    [
      'a decoder',
      () => fromNodeStream(() => Readable.from([1]), { decode: {} as never }),
      /^decode of fromNodeStream: expected a decoder/,
    ],
  ])('%s, at the call', (_call, call, message) => {
    expect(call).toThrow(message);
  });

  it.each<[call: string, sink: Sink<number>, message: RegExp]>([
    [
      'toNodeWritable',
      toNodeWritable((async () => new Writable()) as never),
      /toNodeWritable returns: expected a Node stream/,
    ],
    ['toWebWritable', toWebWritable((() => new Writable()) as never), /toWebWritable returns: expected a web stream/],
  ])('the return value of the function of %s', async (_call, sink, message) => {
    expect(await failureOf((async () => writeSubtask(sink, [1]))())).toMatchObject({
      message: expect.stringMatching(message),
      recovery: 'never',
    });
  });
});
