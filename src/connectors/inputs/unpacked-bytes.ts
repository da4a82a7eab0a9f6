import { Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { Environment } from '../../environment.ts';
import { MalformedInputError } from '../../errors/connector-errors.ts';
import { KintsugiError } from '../../errors/kintsugi-error.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { Compression } from './content-format.ts';
import type { OpenFile } from './fixed-file.ts';

const packedBytes = 64 * 1024;
const unpackedBytes = 128 * 1024;

type MakeUnpacker = (options: { readonly chunkSize: number }) => Transform & { readonly bytesWritten: number };

const makersByCompression: Readonly<Record<Compression, MakeUnpacker | undefined>> = {
  gzip: zlib.createGunzip,
  // Since Node 22.15.
  zstd: (zlib as { readonly createZstdDecompress?: MakeUnpacker }).createZstdDecompress,
};

/** @throws MalformedInputError if this version of Node cannot decompress the file */
export function assertUnpackable(file: string, compression: Compression): void {
  if (makersByCompression[compression] !== undefined) return;
  throw new MalformedInputError(
    { file },
    `${compression} data, which Node ${process.versions.node} cannot decompress. Use Node 22.15 or later, decompress it first, or compress it with gzip`,
  );
}

/**
 * The decompressed bytes of a file, in order from its beginning, through all its members if it was concatenated.
 * Another thread decompresses on demand; a few hundred kilobytes are in memory at a time.
 */
export class UnpackedBytes {
  readonly #chunks: AsyncGenerator<Buffer>;
  readonly #environment: Pick<Environment, 'hold'>;

  constructor(file: OpenFile, compression: Compression, environment: Pick<Environment, 'hold'>) {
    this.#chunks = unpack(file, compression);
    this.#environment = environment;
  }

  /**
   * The next bytes; empty at the end.
   *
   * @throws MalformedInputError if the data is broken or cut off
   */
  read(): Promise<Buffer> {
    return this.#announced(async () => {
      const next = await this.#chunks.next();
      return next.done === true ? Buffer.alloc(0) : next.value;
    });
  }

  /** Waits for the decompression that is under way. */
  async close(): Promise<void> {
    await this.#announced(() => this.#chunks.return(undefined));
  }

  async #announced<Value>(work: () => Promise<Value>): Promise<Value> {
    const release = this.#environment.hold?.();
    try {
      return await work();
    } finally {
      release?.();
    }
  }
}

async function* unpack(file: OpenFile, compression: Compression): AsyncGenerator<Buffer, undefined> {
  const { path, end } = file.file;
  const broken = (problem: string, cause?: unknown): MalformedInputError =>
    new MalformedInputError({ file: path }, `broken ${compression} data: ${problem}`, { cause });
  for (let at = 0; at < end; ) {
    const unpacker = (makersByCompression[compression] as MakeUnpacker)({ chunkSize: unpackedBytes });
    const packed = Readable.from(chunksOf(file, at), { objectMode: false });
    packed.on('error', (error) => unpacker.destroy(error));
    packed.pipe(unpacker);
    try {
      for await (const chunk of unpacker) yield chunk as Buffer;
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof KintsugiError) throw error;
      // A concurrent write may be the reason that the data looks broken, and is the better message.
      await file.verify();
      const isCut = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
      throw broken(isCut ? `it is cut off (${error.message})` : error.message, error);
    } finally {
      packed.destroy();
      unpacker.destroy();
    }
    if (unpacker.bytesWritten === 0) throw broken('it is empty');
    // A decompressor stops after a member, or at the padding of the last one.
    at += unpacker.bytesWritten;
    if (await isPadding(file, at)) return;
  }
}

async function* chunksOf(file: OpenFile, from: number): AsyncGenerator<Buffer> {
  for (let at = from; at < file.file.end; ) {
    const buffer = Buffer.allocUnsafe(packedBytes);
    const length = await file.read(buffer, at);
    at += length;
    yield buffer.subarray(0, length);
  }
}

/** Whether only zeros follow, the padding of tape blocks. */
async function isPadding(file: OpenFile, from: number): Promise<boolean> {
  for await (const chunk of chunksOf(file, from)) if (chunk.some((byte) => byte !== 0)) return false;
  return true;
}
