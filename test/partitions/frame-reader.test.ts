import fc from 'fast-check';
import { framesOf, type ReadableFile } from '../../src/partitions/storage/frame-reader.ts';
import { frameHeaderBytes } from '../../src/partitions/records/element-codec.ts';
import { decodeBatch, encodeBatch } from '../support/batch-frames.ts';

/** A file in memory that records how it is read. */
function fileOf(bytes: Uint8Array, mostAtOnce = Number.POSITIVE_INFINITY) {
  const reads: number[] = [];
  const buffers = new Set<Uint8Array>();
  const read = (into: Uint8Array, at: number, length: number, offset: number) => {
    buffers.add(into);
    const part = bytes.subarray(offset, offset + Math.min(length, mostAtOnce));
    reads.push(part.length);
    into.set(part, at);
    return Promise.resolve({ bytesRead: part.length, buffer: into });
  };
  return {
    file: { read } as ReadableFile,
    reads,
    /** Bytes copied from one buffer to the next. */
    copied: () =>
      [...buffers].reduce((sum, { length }) => sum + length, 0) - reads.reduce((sum, length) => sum + length, 0),
  };
}

async function all(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const read: Uint8Array[] = [];
  for await (const frame of frames) read.push(frame);
  return read;
}

const chunk = 256 * 1_024;
const small = (n: number): Uint8Array => encodeBatch([{ n }], { subpartition: 0, sequence: n });

describe('the frames of a file', () => {
  it('are read many at once if they are small, and copied only at the border of two reads', async () => {
    const bytes = Buffer.concat(Array.from({ length: 40_000 }, (_, n) => small(n)));
    const { file, reads, copied } = fileOf(bytes);
    expect(await all(framesOf(file, 0, bytes.length))).toHaveLength(40_000);
    expect(reads).toHaveLength(Math.ceil(bytes.length / chunk));
    expect(copied()).toBeLessThan(reads.length * small(1).length);
  });

  it.each([1, 40])('that are longer than a read take two reads and one copy: %d MiB', async (mebibytes) => {
    const large = encodeBatch([new Uint8Array(mebibytes << 20)]);
    const bytes = Buffer.concat([small(0), large, small(1)]);
    const { file, reads, copied } = fileOf(bytes);
    const frames = await all(framesOf(file, 0, bytes.length));
    expect(frames.map(({ length }) => length)).toEqual([small(0).length, large.length, small(1).length]);
    expect(reads).toHaveLength(3);
    expect(copied()).toBeLessThanOrEqual(chunk);
  });

  it('that claim to be longer than the file are not read beyond its end', async () => {
    const bytes = small(0);
    new DataView(bytes.buffer).setUint32(4, 2 ** 32 - 1, true);
    const { file, reads } = fileOf(Buffer.concat([bytes, new Uint8Array(chunk * 2)]));
    await expect(all(framesOf(file, 0, bytes.length + chunk * 2))).rejects.toThrow(/a batch ends \d+ bytes too early/);
    expect(reads).toHaveLength(2);
  });

  it('property: are those that were written, wherever the file is cut and however little each read returns', async () => {
    const batch = fc.oneof(
      { weight: 5, arbitrary: fc.nat(100) },
      { weight: 1, arbitrary: fc.integer({ min: chunk - 2 * frameHeaderBytes, max: chunk * 2 }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(batch, { maxLength: 12 }),
        fc.nat(50),
        fc.constantFrom(7_919, chunk, Number.POSITIVE_INFINITY),
        async (lengths, from, mostAtOnce) => {
          const written = lengths.map((length, sequence) =>
            encodeBatch(['x'.repeat(length)], { subpartition: 1, sequence }),
          );
          const bytes = Buffer.concat([new Uint8Array(from), ...written, new Uint8Array(9)]);
          const frames = await all(framesOf(fileOf(bytes, mostAtOnce).file, from, bytes.length - 9));
          expect(frames.map((frame) => (decodeBatch(frame)[0] as string).length)).toEqual(lengths);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are not found if the file ends before', async () => {
    const bytes = small(0);
    await expect(all(framesOf(fileOf(bytes).file, 0, bytes.length + 3))).rejects.toThrow(
      'the file ends 3 bytes too early',
    );
  });
});
