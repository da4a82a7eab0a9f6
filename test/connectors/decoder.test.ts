import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { csvRows, type Decoder, jsonLines } from '../../src/connectors/lines/decoder.ts';
import { fromAsyncIterable } from '../../src/connectors/streams/from-async-iterable.ts';
import { fromNodeStream } from '../../src/connectors/streams/node-stream.ts';
import { fromWebStream } from '../../src/connectors/streams/web-stream.ts';
import { collect, type DeadLetter, Job, type RejectRecord } from '../../src/index.ts';
import type { Source } from '../../src/operators/source.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { draws } from '../support/draws.ts';
import { contextOf, failureOf, readSubtask } from './subtasks.ts';

type Chunk = Uint8Array | string;

async function* asyncOf(chunks: Iterable<Chunk>): AsyncGenerator<Chunk> {
  yield* chunks;
}

function webOf(chunks: readonly Chunk[]): ReadableStream<Chunk> {
  const rest = [...chunks];
  return new ReadableStream<Chunk>({
    pull: (controller) => {
      const chunk = rest.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
}

/** `bytes` in pieces of `length`. */
const piecesOf = (bytes: Uint8Array, length: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
    bytes.subarray(index * length, (index + 1) * length),
  );

/** Rows with an odd number. */
function odd(row: unknown): { readonly a: number } {
  const a = Number((row as { readonly a: unknown }).a);
  if (a % 2 === 0) throw new Error(`${a} is even`);
  return { a };
}

type Make = <Out>(chunks: readonly Chunk[], decode: Decoder<Out>) => Source<Out>;

const sources: [name: string, make: Make][] = [
  [
    'fromNodeStream',
    (chunks, decode) =>
      fromNodeStream(
        function body() {
          return Readable.from(chunks, { objectMode: false });
        },
        { decode },
      ),
  ],
  [
    'fromNodeStream of objects',
    (chunks, decode) =>
      fromNodeStream(
        async function body() {
          return Readable.from(chunks);
        },
        { decode },
      ),
  ],
  [
    'fromWebStream',
    (chunks, decode) =>
      fromWebStream(
        async function body() {
          return webOf(chunks);
        },
        { decode },
      ),
  ],
  [
    'fromAsyncIterable',
    (chunks, decode) =>
      fromAsyncIterable(
        async function body() {
          return asyncOf(chunks);
        },
        { decode },
      ),
  ],
];

const rows = Array.from({ length: 100 }, (_, id) => ({ id: String(id), text: id % 7 === 0 ? '継"\n🏺' : 'é' }));
const json = rows.map((row) => JSON.stringify(row)).join('\n');
const csv = ['id,text', ...rows.map(({ id, text }) => `${id},"${text.replaceAll('"', '""')}"`)].join('\n');

describe.each(sources)('%s', (_name, make) => {
  it.each([1, 3, 1_000])('lines of JSON, in chunks of %i bytes, compressed or not', async (length) => {
    for (const bytes of [
      Buffer.from(`\uFEFF${json}`),
      gzipSync(json),
      Buffer.concat([gzipSync(json), gzipSync(`\n${json}`)]),
    ]) {
      const read = await readSubtask(make(piecesOf(bytes, length), jsonLines()), {}, 7);
      expect(read.slice(0, rows.length)).toEqual(rows);
      expect([rows.length, 2 * rows.length]).toContain(read.length);
    }
  });

  it.each([1, 5, 1_000])('CSV, in chunks of %i bytes, compressed or not', async (length) => {
    for (const bytes of [Buffer.from(`\uFEFF${csv}`), Buffer.from(`sep=,\r\n${csv}\r\n`), gzipSync(csv)]) {
      expect(await readSubtask(make(piecesOf(bytes, length), csvRows()), {}, 7)).toEqual(rows);
    }
  });

  it.each([1, 2, 100])('CSV whose lines end in CR, in chunks of %i bytes', async (length) => {
    const bytes = Buffer.from('"a\n1",b\r1,2\r"3\r",4\r');
    expect(await readSubtask(make(piecesOf(bytes, length), csvRows()))).toEqual([
      { 'a\n1': '1', b: '2' },
      { 'a\n1': '3\r', b: '4' },
    ]);
  });

  it.each<[what: string, text: string, decode: (onError: RejectRecord<string>) => Decoder<unknown>, bad: string]>([
    ['a line that is not JSON', '{"a":1}\n{"a":\n{"a":3}\n', (onError) => jsonLines({ onError }), '{"a":'],
    [
      'a line that `parse` refuses',
      '{"a":1}\n{"a":2}\n{"a":3}',
      (onError) => jsonLines({ parse: odd, onError }),
      '{"a":2}',
    ],
    ['a row with too many values', 'a\n1\n"2\n",5\n3\n', (onError) => csvRows({ parse: odd, onError }), '"2\n",5'],
    ['a row that `parse` refuses', 'a\n1\n2\n3\n', (onError) => csvRows({ parse: odd, onError }), '2'],
  ])('%s is a dead letter, with its text and place', async (_what, text, decode, bad) => {
    for (const length of [1, 1_000]) {
      const letters = collect<DeadLetter<string>>();
      const out = collect<unknown>();
      const environment = virtualEnvironment();
      const job = Job.create('rows');
      const chunks = piecesOf(Buffer.from(text), length);
      job.source('rows', make(chunks, decode({ deadLetter: letters }))).sink('out', out);
      const { receipt } = await environment.drive(job.run({ environment }).result);
      expect(out.records).toEqual([{ a: 1 }, { a: 3 }]);
      const line = text.startsWith('a') ? 3 : 2;
      expect(letters.records).toMatchObject([{ record: bad, position: `body:${line}`, operator: 'rows' }]);
      expect(receipt.rejected).toEqual([{ operator: 'rows', skipped: 0, deadLetters: 1, replaced: 0 }]);
    }
  });

  it('an empty stream', async () => {
    for (const chunks of [[], [new Uint8Array()], [Buffer.from('\uFEFF')], [gzipSync('')]]) {
      expect(await readSubtask(make(chunks, jsonLines()))).toEqual([]);
      expect(await readSubtask(make(chunks, csvRows()))).toEqual([]);
    }
  });

  it.each<[title: string, bytes: Uint8Array, decode: Decoder<unknown>, message: string]>([
    ['a broken line', Buffer.from(`${json}\n[1}\n`), jsonLines(), 'body:101:3: not valid JSON: unexpected "}"'],
    ['a broken line, compressed', gzipSync(`${json}\n[1}`), jsonLines(), 'body:101:3: not valid JSON: unexpected "}"'],
    [
      'a wide number',
      Buffer.from('1\n{"id":1790000000000000001}'),
      jsonLines(),
      "body:2:7: \"id\": 1790000000000000001 does not fit into a number. Set `int64` to 'bigint' or 'string'",
    ],
    ['a broken row', Buffer.from('a,b\n"1\n",2\n3\n'), csvRows(), 'body:4:2: expected 2 values, got 1'],
    [
      'a header that is none',
      Buffer.from('a,a\n'),
      csvRows(),
      'body:1:1: the header cannot be used: there are two called "a"',
    ],
    [
      'bytes that are not UTF-8',
      Buffer.from('31 0a 22 c3 a9 ff 22'.replaceAll(' ', ''), 'hex'),
      jsonLines(),
      'body:2:3: not valid UTF-8',
    ],
    [
      'gzip that is cut off',
      gzipSync(json).subarray(0, 100),
      jsonLines(),
      'body: broken gzip data: it is cut off (unexpected end of file)',
    ],
    [
      'UTF-16',
      Buffer.from('\uFEFF{"a":1}', 'utf16le'),
      jsonLines(),
      'body: not UTF-8 text: it is UTF-16 text. Convert it to UTF-8, as with: iconv -f UTF-16 -t UTF-8',
    ],
  ])('%s says where', async (_title, bytes, decode, message) => {
    for (const length of [1, 50, 100_000]) {
      const failure = await failureOf(readSubtask(make(piecesOf(bytes, length), decode)));
      expect(failure.message).toBe(message);
      expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never' });
    }
  });
});

it('text in chunks, even if a surrogate pair is split', async () => {
  const chunks = ['{"a":"', '\ud83c', '\udffa"}\n', '2'];
  expect(await readSubtask(fromAsyncIterable(() => asyncOf(chunks), { decode: jsonLines() }))).toEqual([
    { a: '🏺' },
    2,
  ]);
});

it('chunks other than bytes or text are refused', async () => {
  const source = fromNodeStream(() => Readable.from([{ a: 1 }]), { decode: jsonLines() });
  expect(await failureOf(readSubtask(source))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'a chunk of Node stream: expected bytes or text, to decode them, got {"a":1}',
  });
});

it('any records in chunks of any size', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', '🏺', 'é'), maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ a: text, b: text }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 30 }),
      fc.constantFrom('\n', '\r\n'),
      async (records, length, end) => {
        const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
        const lines = ['a,b', ...records.map(({ a, b }) => `${quoted(a)},${quoted(b)}`)];
        const csvBytes = Buffer.from(lines.join(end));
        const jsonBytes = Buffer.from(records.map((record) => JSON.stringify(record) + end).join(''));
        const read = <Out>(bytes: Uint8Array, decode: Decoder<Out>) =>
          readSubtask(
            fromWebStream(() => webOf(piecesOf(bytes, length)), { decode }),
            {},
            3,
          );
        expect(await read(csvBytes, csvRows())).toEqual(records);
        expect(await read(jsonBytes, jsonLines())).toEqual(records);
      },
    ),
    { numRuns: draws(40, 100) },
  );
});

it('requests no more chunks than the records need, and emits a record with the chunk that ends it', async () => {
  let asked = 0;
  const source = fromAsyncIterable(
    async function* () {
      for (;;) yield `{"n":${asked++}}\n`;
    },
    { decode: jsonLines<{ n: number }>() },
  );
  const reader = await source.open(contextOf());
  expect(await reader.read(100)).toEqual([{ n: 0 }]);
  expect(await reader.read(100)).toEqual([{ n: 1 }]);
  expect(asked).toBeLessThan(5);
  await reader.close();
});

it('settles a pending read when it is closed, and destroys the stream', async () => {
  for (const first of [Buffer.from('1\n'), gzipSync('1\n').subarray(0, 12)]) {
    const stream = new Readable({ read: () => {} });
    stream.push(first);
    const reader = await fromNodeStream(() => stream, { decode: jsonLines() }).open(contextOf());
    const reads = Promise.resolve(reader.read(1)).then(async () => reader.read(1));
    await Promise.resolve();
    await reader.close();
    await Promise.allSettled([reads]);
    expect(stream.destroyed).toBe(true);
  }
});

describe('the function that makes the stream may be async', () => {
  it.each<[name: string, source: Source<unknown>]>([
    ['fromNodeStream', fromNodeStream(async () => Readable.from([1, 2]))],
    ['fromWebStream', fromWebStream(async () => webOf([1, 2] as never))],
    ['fromAsyncIterable', fromAsyncIterable(async () => asyncOf([1, 2] as never))],
  ])('%s', async (_name, source) => {
    expect(await readSubtask(source)).toEqual([1, 2]);
  });

  it.each<[name: string, source: Source<unknown>, message: string]>([
    [
      'fromNodeStream',
      fromNodeStream((async () => webOf([])) as never),
      'what Node stream of fromNodeStream returns: expected a Node stream; web streams: `fromWebStream`, got ',
    ],
    [
      'fromWebStream',
      fromWebStream((() => Readable.from([])) as never),
      'what web stream of fromWebStream returns: expected a web stream; Node streams: `fromNodeStream`, got ',
    ],
    [
      'fromAsyncIterable',
      fromAsyncIterable(async () => [1] as never),
      'what async iterable of fromAsyncIterable returns: expected an async iterable, got [1]',
    ],
  ])('%s refuses any other option', async (_name, source, message) => {
    expect((await failureOf(readSubtask(source))).message).toContain(message);
  });
});

describe('data after a gzip member is read, or an error, wherever chunks end', () => {
  const [one, two] = [gzipSync('1\n'), gzipSync('2\n')];
  const zeros = Buffer.alloc(40);
  const lost = /broken gzip data: /;
  it.each<[title: string, parts: Uint8Array[], read: number[] | RegExp]>([
    ['another', [one, two], [1, 2]],
    ['others, some of them empty', [one, gzipSync(''), two, gzipSync('')], [1, 2]],
    ['zeros, as on tapes', [one, two, zeros], [1, 2]],
    ['zeros and another', [one, zeros, two], lost],
    ['zeros and other bytes', [one, zeros, Buffer.from('{"a":1}')], lost],
    ['something else', [one, Buffer.from('{"a":1}\n')], lost],
    ['one that is cut off', [one, two.subarray(0, 12)], lost],
    ['the first byte of another', [one, two.subarray(0, 1)], lost],
  ])('%s', async (_title, parts, read) => {
    const bytes = Buffer.concat(parts);
    for (const length of [1, 2, 3, 7, one.length - 1, one.length, one.length + 1, bytes.length]) {
      const reading = readSubtask(fromAsyncIterable(() => asyncOf(piecesOf(bytes, length)), { decode: jsonLines() }));
      if (Array.isArray(read)) expect([length, await reading]).toEqual([length, read]);
      else expect((await failureOf(reading)).message).toMatch(read);
    }
  });
});
