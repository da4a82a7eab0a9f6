import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFully, writeFully } from '../../src/partitions/storage/file-bytes.ts';

/** More than one system call takes, and more than 32 bits can count. */
const twoGiB = 2 ** 31;
const fourGiB = 2 ** 32;

/** A file that stores nothing, but records the calls. A call accepts at most `most` bytes. */
function sinkhole(most = Number.POSITIVE_INFINITY) {
  const calls: { readonly position: number; readonly bytes: number; readonly chunks: number }[] = [];
  const text: number[] = [];
  const writev = async (chunks: readonly Uint8Array[], position: number) => {
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
    const bytesWritten = Math.min(bytes, most);
    calls.push({ position, bytes, chunks: chunks.length });
    if (bytes < 1_000) text.push(...chunks.flatMap((chunk) => [...chunk]).slice(0, bytesWritten));
    return { bytesWritten, buffers: chunks };
  };
  return { file: { writev } as never, calls, text };
}

describe('bytes of a file', () => {
  it('are written in parts if they exceed one call, in bytes or in chunks', async () => {
    const { file, calls } = sinkhole();
    const block = new Uint8Array(64 * 1_024 * 1_024);
    await writeFully(
      file,
      Array.from({ length: 33 }, () => block),
      fourGiB,
    );
    expect(calls.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(33 * block.length);
    for (const [index, { position, bytes }] of calls.entries()) {
      expect(bytes).toBeLessThan(twoGiB);
      expect(position).toBe(fourGiB + calls.slice(0, index).reduce((sum, call) => sum + call.bytes, 0));
    }

    const many = sinkhole();
    await writeFully(
      many.file,
      Array.from({ length: 3_000 }, () => new Uint8Array(1)),
      0,
    );
    expect(many.calls.map(({ chunks }) => chunks)).toEqual([1_024, 1_024, 952]);
  });

  it.each([1, 2, 3, 4, 7])('are all written if a call accepts %i of them', async (most) => {
    const { file, text } = sinkhole(most);
    await writeFully(
      file,
      [[1], [], [2, 3, 4], [], [5, 6], []].map((bytes) => Uint8Array.from(bytes)),
      0,
    );
    expect(text).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('that are not accepted cause an error with their number', async () => {
    const { file } = sinkhole(0);
    await expect(writeFully(file, [new Uint8Array(3), new Uint8Array(4)], 0)).rejects.toThrow(
      '7 bytes were not written',
    );
  });

  it('are at their position beyond 4 GiB', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'file-bytes-'));
    const file = await open(join(directory, 'sparse'), 'w+');
    try {
      await writeFully(file, [Uint8Array.of(1, 2), Uint8Array.of(3)], fourGiB + 5);
      expect([...(await readFully(file, fourGiB + 4, 10))]).toEqual([0, 1, 2, 3]);
      expect([...(await readFully(file, 5, 3))]).toEqual([0, 0, 0]);
    } finally {
      await file.close();
      rmSync(directory, { recursive: true });
    }
  });
});
