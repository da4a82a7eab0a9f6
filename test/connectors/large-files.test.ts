import { truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { csvFile } from '../../src/connectors/csv/csv-file.ts';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import type { ResultPartitionId } from '../../src/ids.ts';
import type { Source } from '../../src/operators/source.ts';
import { FilePool } from '../../src/partitions/storage/file-pool.ts';
import { FileSegment } from '../../src/partitions/storage/file-segment.ts';
import { framesOf } from '../../src/partitions/storage/frame-reader.ts';
import { decodeBatch, encodeBatch } from '../support/batch-frames.ts';
import { contextOf, drain, planSource, scratchDirectory } from './subtasks.ts';

const at = scratchDirectory();
const fourGiB = 2 ** 32;
const padding = 'x'.repeat(1_000);

/** A sparse file, with `content` at an offset, and a beginning. */
async function sparse(name: string, offset: number, content: Uint8Array, beginning = ''): Promise<string> {
  const path = at(name);
  writeFileSync(path, beginning);
  truncateSync(path, offset);
  const file = await open(path, 'r+');
  await file.write(content, 0, content.length, offset);
  await file.close();
  return path;
}

describe('beyond 4 GiB', () => {
  it.each<[string, (path: string) => Source<unknown>, (n: number) => string, (n: number) => unknown]>([
    ['NDJSON', (path) => jsonLinesFile(path), (n) => `{"n":${n},"m":"${padding}"}\n`, (n) => ({ n, m: padding })],
    [
      'CSV',
      (path) => csvFile(path, { columns: ['n', 'm'], newlinesInValues: false }),
      (n) => `${n},${padding}\n`,
      (n) => ({ n: String(n), m: padding }),
    ],
  ])('%s: lines are read at their position, each once', async (name, sourceOf, lineOf, recordOf) => {
    const numbers = Array.from({ length: 600 }, (_, n) => n);
    // The hole is the second line; the subtasks that would read it are left out.
    const lines = Buffer.from(`\n${numbers.map(lineOf).join('')}`);
    const path = await sparse(`large.${name}`, fourGiB + 10, lines, lineOf(0));
    const source = sourceOf(path);
    const parallelism = 8_000;
    const plan = await planSource(source, { parallelism });
    const records = await drain(await source.open(contextOf({ subtask: parallelism - 1, parallelism }), plan), 1_000);
    expect(records.at(-1)).toEqual(recordOf(599));
    expect(records.length).toBeGreaterThan(400);
    expect(records).toEqual(numbers.slice(-records.length).map(recordOf));
  });

  it('a segment of a result that begins there is written, read and verified', async () => {
    const segment = new FileSegment({
      id: { partition: 1, attempt: 0 } as ResultPartitionId,
      number: 70,
      start: fourGiB + 7,
      pool: new FilePool(),
      path: () => at('segment'),
      makeDirectory: async () => {},
    });
    await segment.write([Buffer.from('gold'), Buffer.from('dust')]);
    await segment.verify();
    const bytes = await new Promise<Uint8Array>((resolve, reject) =>
      segment.read({ offset: fourGiB + 7 + 4, length: 4, resolve, reject }),
    );
    expect(Buffer.from(bytes).toString()).toBe('dust');
    expect(segment.end).toBe(fourGiB + 7 + 8);
    await segment.close();
  });

  it('the frames of a file are read from there', async () => {
    const batches = [[{ n: 1 }], [{ n: 2 }, { n: 3 }]];
    const bytes = Buffer.concat(batches.map((batch) => encodeBatch(batch)));
    const file = await open(await sparse('frames', fourGiB + 3, bytes), 'r');
    try {
      const read: unknown[] = [];
      for await (const frame of framesOf(file, fourGiB + 3, fourGiB + 3 + bytes.length)) read.push(decodeBatch(frame));
      expect(read).toEqual(batches);
    } finally {
      await file.close();
    }
  });
});
