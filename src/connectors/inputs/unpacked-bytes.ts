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
  // From Node 22.15 on.
  zstd: (zlib as { readonly createZstdDecompress?: MakeUnpacker }).createZstdDecompress,
};

/** @throws MalformedInputError where this Node cannot unpack such a file */
export function assertUnpackable(file: string, compression: Compression): void {
  if (makersByCompression[compression] !== undefined) return;
  throw new MalformedInputError(
    { file },
    `${compression} data, which Node ${process.versions.node} cannot unpack: Node 22.15 can. Unpack it first, or pack it with gzip`,
  );
}

/**
 * What a packed file holds, in order, from its beginning: all members of it, if it was put together from several. It is
 * unpacked as it is asked for, by another thread; a few hundred kilobytes are held at a time.
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
   * @throws MalformedInputError where they are broken or cut off
   */
  read(): Promise<Buffer> {
    return this.#announced(async () => {
      const next = await this.#chunks.next();
      return next.done === true ? Buffer.alloc(0) : next.value;
    });
  }

  /** Waits for what is being unpacked ahead. */
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
      // What is cut off and what is broken may be so because somebody writes to it.
      await file.verify();
      const isCut = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
      throw broken(isCut ? `it is cut off (${error.message})` : error.message, error);
    } finally {
      packed.destroy();
      unpacker.destroy();
    }
    if (unpacker.bytesWritten === 0) throw broken('there is nothing in it');
    // Unpackers stop behind a member, or at what pads the last one.
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

/** Whether nothing but zeros follows, as on tapes. */
async function isPadding(file: OpenFile, from: number): Promise<boolean> {
  for await (const chunk of chunksOf(file, from)) if (chunk.some((byte) => byte !== 0)) return false;
  return true;
}
