import { type FileHandle, open } from 'node:fs/promises';
import { toCsvFile, toJsonLinesFile, toParquetFile } from '../../src/index.ts';
import type { Sink } from '../../src/operators/sink.ts';
import { testRun } from '../support/test-run.ts';
import { contextOf, scratchDirectory } from './subtasks.ts';

const scratch = scratchDirectory();
const records = [{ name: 'gold' }, { name: 'dust' }];
type Named = { readonly name: string };

/** What happened to file handles, in order: `datasync` of files, `sync` of directories. */
let done: string[];

beforeEach(async () => {
  done = [];
  const handle = await open(__filename);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  for (const operation of ['appendFile', 'datasync', 'sync'] as const) {
    const original = prototype[operation] as (...given: unknown[]) => Promise<void>;
    jest.spyOn(prototype, operation).mockImplementation(function (this: FileHandle, ...given: unknown[]) {
      done.push(operation);
      return original.apply(this, given);
    } as never);
  }
});
afterEach(() => jest.restoreAllMocks());

describe.each<[string, (path: string) => Sink<Named>, string]>([
  ['NDJSON', toJsonLinesFile, 'rows.jsonl'],
  ['NDJSON that goes on', (path) => toJsonLinesFile(path, { rollIntervalMs: 1_000 }), 'begun.jsonl'],
  ['compressed NDJSON', toJsonLinesFile, 'rows.jsonl.gz'],
  ['CSV', (path) => toCsvFile(path, { columns: ['name'] }), 'rows.csv'],
  ['Parquet', toParquetFile, 'rows.parquet'],
])('a part file of %s', (_, sinkOf, name) => {
  it('survives a power loss: it is synced before a checkpoint names it, and its directory then and when it is committed', async () => {
    const sink = sinkOf(scratch(name));
    const run = testRun();
    const writer = await sink.open(contextOf({ run }));
    await writer.write(records);
    const prepared: unknown = await writer.prepareCheckpoint?.({ isSavepoint: false });
    const ofFile = done.filter((operation) => operation !== 'sync');
    expect([ofFile.at(-1), ofFile.includes('appendFile'), done.at(-1)]).toEqual(['datasync', true, 'sync']);
    // The directory of pending parts, and the one that it was made in.
    expect(done.filter((operation) => operation === 'sync')).toHaveLength(2);
    done = [];
    await sink.commitPrepared?.(prepared);
    if (!name.startsWith('begun')) expect(done).toEqual(['sync']);
    await writer.write(records);
    done = [];
    await writer.commit();
    expect([done.includes('datasync'), done.at(-1)]).toEqual([true, 'sync']);
    run.end();
  });
});
