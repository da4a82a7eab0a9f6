import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MalformedInputError } from '../../errors/connector-errors.ts';
import { KintsugiError } from '../../errors/kintsugi-error.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { SourceReader } from '../../operators/source.ts';
import { assertText, formatOf } from '../inputs/content-format.ts';

/** Bytes needed to tell text, gzip and other formats apart. Waiting for more could delay a slow stream. */
const tellingBytes = 4;
const surrogate = { first: 0xd800, second: 0xdc00 };

/**
 * The bytes of a stream of chunks, pulled one chunk at a time on demand. A stream that begins with the gzip magic is
 * decompressed.
 */
export class StreamBytes {
  readonly #name: string;
  readonly #chunks: SourceReader<unknown>;
  readonly #bytes: AsyncGenerator<Buffer, undefined>;

  constructor(name: string, chunks: SourceReader<unknown>) {
    this.#name = name;
    this.#chunks = chunks;
    this.#bytes = this.#unpackedBytes();
  }

  /** The next bytes; empty at the end. @throws MalformedInputError */
  async read(): Promise<Buffer> {
    let next = await this.#bytes.next();
    while (next.done !== true && next.value.length === 0) next = await this.#bytes.next();
    return next.done === true ? Buffer.alloc(0) : next.value;
  }

  /** Closes the chunks first, which settles a read that waits for one. */
  async close(): Promise<void> {
    await this.#chunks.close();
    await this.#bytes.return(undefined);
  }

  async *#unpackedBytes(): AsyncGenerator<Buffer, undefined> {
    const bytes = this.#chunkBytes();
    let first: Buffer = Buffer.alloc(0);
    while (first.length < tellingBytes) {
      const next = await bytes.next();
      if (next.done === true) break;
      first = Buffer.concat([first, next.value]);
    }
    if (first.length > 0 && formatOf(first)?.compression === 'gzip') {
      yield* this.#gunzip(first, bytes);
      return;
    }
    assertText(this.#name, first);
    if (first.length > 0) yield first;
    yield* bytes;
  }

  async *#gunzip(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer, undefined> {
    const unpacker = createGunzip();
    const chunks = new UnreadChunks(joined(first, rest));
    const packed = Readable.from(chunks, { objectMode: false });
    packed.on('error', (error) => unpacker.destroy(error));
    packed.pipe(unpacker);
    let isFirst = true;
    try {
      for await (const chunk of unpacker as AsyncIterable<Buffer>) {
        if (isFirst) assertText(this.#name, chunk);
        chunks.forget(unpacker.bytesWritten);
        isFirst = false;
        yield chunk;
      }
      // A decompressor stops at the first zero after a member; further members would be lost.
      for await (const chunk of chunks.from(unpacker.bytesWritten)) {
        if (chunk.some((byte) => byte !== 0)) throw this.#broken('there is data after the zeros at its end');
      }
    } catch (thrown) {
      const error = toError(thrown);
      const code = String((error as NodeJS.ErrnoException).code);
      if (error instanceof KintsugiError || !code.startsWith('Z_')) throw error;
      const problem = code === 'Z_BUF_ERROR' ? `it is cut off (${error.message})` : error.message;
      throw this.#broken(problem, error);
    } finally {
      packed.destroy();
      unpacker.destroy();
    }
  }

  #broken(problem: string, cause?: unknown): MalformedInputError {
    return new MalformedInputError({ file: this.#name }, `broken gzip data: ${problem}`, { cause });
  }

  async *#chunkBytes(): AsyncGenerator<Buffer, undefined> {
    let half = '';
    for (let chunks = await this.#chunks.read(1); chunks !== null; chunks = await this.#chunks.read(1)) {
      for (const chunk of chunks) {
        if (typeof chunk !== 'string') {
          yield this.#bytesOf(chunk);
          continue;
        }
        const text = half + chunk;
        half = endsInHalf(text) ? text.slice(-1) : '';
        yield Buffer.from(half === '' ? text : text.slice(0, -1));
      }
    }
    if (half !== '') yield Buffer.from(half);
  }

  #bytesOf(chunk: unknown): Buffer {
    if (chunk instanceof ArrayBuffer) return Buffer.from(chunk);
    if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    throw new InvalidArgumentError(`a chunk of ${this.#name}`, chunk, 'bytes or text, to decode them');
  }
}

/** Passes chunks on and retains them until the consumer reports how many bytes it used. */
class UnreadChunks implements AsyncIterableIterator<Buffer> {
  readonly #chunks: AsyncGenerator<Buffer>;
  #kept: Buffer[] = [];
  /** Number of bytes before the retained ones. */
  #start = 0;
  #last: Promise<IteratorResult<Buffer>> | undefined;

  constructor(chunks: AsyncGenerator<Buffer>) {
    this.#chunks = chunks;
  }

  next(): Promise<IteratorResult<Buffer>> {
    this.#last = this.#chunks.next().then((next) => {
      if (next.done !== true) this.#kept.push(next.value);
      return next;
    });
    return this.#last;
  }

  /** Releases the first `bytes`, which were used. */
  forget(bytes: number): void {
    for (let [first] = this.#kept; first !== undefined && this.#start + first.length <= bytes; [first] = this.#kept) {
      this.#start += first.length;
      this.#kept.shift();
    }
  }

  /** All bytes after the first `bytes`, passed on already or not. */
  async *from(bytes: number): AsyncGenerator<Buffer> {
    this.forget(bytes);
    await this.#last;
    for (let skip = bytes - this.#start; this.#kept.length > 0; skip = 0) {
      yield (this.#kept.shift() as Buffer).subarray(skip);
    }
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) yield next.value;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Whether the text ends in the first half of a surrogate pair. */
function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= surrogate.first && last < surrogate.second;
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}
