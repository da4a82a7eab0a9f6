import fs, { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { csvFile } from '../../src/connectors/csv/csv-file.ts';
import { toCsvFile } from '../../src/connectors/csv/to-csv-file.ts';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import { toJsonLinesFile } from '../../src/connectors/json/to-json-lines-file.ts';
import { parquetFile } from '../../src/connectors/parquet/parquet-file.ts';
import { toParquetFile } from '../../src/connectors/parquet/to-parquet-file.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';
import { testRun } from '../support/test-run.ts';
import { contextOf, failureOf, readSubtask, scratchDirectory } from './subtasks.ts';

const scratch = scratchDirectory();
const records = [{ name: 'gold' }, { name: 'dust' }];
type Named = { readonly name: string };

const sinks: [
  name: string,
  extension: string,
  sink: (path: string) => Sink<Named>,
  source: (path: string) => Source<unknown>,
][] = [
  ['NDJSON', 'jsonl', toJsonLinesFile, jsonLinesFile],
  ['NDJSON, compressed', 'jsonl.gz', toJsonLinesFile, jsonLinesFile],
  ['CSV', 'csv', (path) => toCsvFile(path, { columns: ['name'] }), csvFile],
  ['Parquet', 'parquet', toParquetFile, parquetFile],
];

describe.each(sinks)('a prepared part of %s', (_, extension, sinkOf, sourceOf) => {
  let count = 0;
  const prepared = async () => {
    const path = scratch(`part-${++count}.${extension}`);
    const sink = sinkOf(path);
    const run = testRun();
    const writer = await sink.open(contextOf({ run }));
    await writer.write(records);
    const part: unknown = await writer.prepare?.();
    return { path, sink, run, writer, part };
  };

  it('that cannot be completed says why, even if what there is of it cannot be removed', async () => {
    const failing = (code: string) => async (): Promise<never> => {
      throw Object.assign(new Error(`${code}: it is mean`), { code, syscall: 'write' });
    };
    const { open } = fs.promises;
    jest.spyOn(fs.promises, 'open').mockImplementation(async (...how) => {
      const handle = await open(...how);
      handle.datasync = failing('ENOSPC');
      return handle;
    });
    jest.spyOn(fs.promises, 'rm').mockImplementation(failing('EROFS'));
    const run = testRun();
    try {
      const writer = await sinkOf(scratch(`full.${extension}`)).open(contextOf({ run }));
      await writer.write(records);
      const failure = await failureOf(Promise.resolve(writer.prepare?.()));
      expect(failure).toMatchObject({ code: 'FILE_ACCESS', recovery: 'restart' });
      expect(failure.message).toContain('no space left on the device');
    } finally {
      jest.restoreAllMocks();
      run.end();
    }
  });

  it('is not visible until it is committed', async () => {
    const { path, writer, run } = await prepared();
    expect(existsSync(path)).toBe(false);
    await writer.commit();
    expect(await readSubtask(sourceOf(path))).toEqual(records);
    run.end();
  });

  it('can be committed without its writer, by plain data, repeatedly', async () => {
    const { path, sink, part, run } = await prepared();
    const told = structuredClone(part);
    for (let time = 0; time < 2; time++) {
      await sink.commitPrepared?.(told);
      expect(await readSubtask(sourceOf(path))).toEqual(records);
    }
    run.end();
  });

  it('committed by its writer, it is committed', async () => {
    const { path, sink, writer, part, run } = await prepared();
    await writer.commit();
    await sink.commitPrepared?.(part);
    expect(await readSubtask(sourceOf(path))).toEqual(records);
    run.end();
  });

  it('is not confused with another file in its place', async () => {
    const { path, sink, writer, part, run } = await prepared();
    writeFileSync(path, 'of an earlier run');
    await writer.abort();
    const committing = Promise.resolve(sink.commitPrepared?.(part));
    expect(await failureOf(committing)).toMatchObject({ code: 'PREPARED_OUTPUT_LOST', target: path });
    run.end();
  });

  it('that was deleted is an error that names it, what it held, and what helps', async () => {
    const { path, sink, writer, part, run } = await prepared();
    const [{ temporary }] = (part as { parts: [{ temporary: string }] }).parts;
    rmSync(temporary);
    const told = {
      code: 'PREPARED_OUTPUT_LOST',
      recovery: 'restart',
      target: path,
      location: temporary,
      records: 2,
      message: expect.stringContaining(`put ${temporary} back`),
    };
    expect(await failureOf(Promise.resolve(sink.commitPrepared?.(part)))).toMatchObject(told);
    expect(await failureOf(Promise.resolve(sink.exportPrepared?.(part, scratch('copies'))))).toMatchObject(told);
    expect(await failureOf(Promise.resolve(writer.commit()))).toMatchObject(told);
    run.end();
  });

  it('that is committed while it is copied to a savepoint on another file system is in it', async () => {
    const { sink, writer, part, run } = await prepared();
    const elsewhere = (): Promise<never> => Promise.reject(Object.assign(new Error('EXDEV'), { code: 'EXDEV' }));
    const link = jest.spyOn(fs.promises, 'link').mockImplementation(elsewhere);
    link.mockImplementationOnce(async () => {
      await writer.commit();
      return elsewhere();
    });
    const directory = scratch(`savepoint-${count}`);
    const exported = (await sink.exportPrepared?.(part, directory)) as { parts: [{ file: string; place: string }] };
    link.mockRestore();
    run.end();
    const [{ file, place }] = exported.parts;
    expect(fs.readFileSync(`${directory}/${file}`)).toEqual(fs.readFileSync(place));
  });

  it('aborted, leaves nothing', async () => {
    const { path, writer, run } = await prepared();
    await writer.abort();
    run.end();
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(scratch('.')).filter((name) => name.includes(`part-${count}.`))).toEqual([]);
  });
});
