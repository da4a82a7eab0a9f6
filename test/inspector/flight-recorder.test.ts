import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRecording } from '../../src/inspector/recorder/read-recording.ts';
import { recordRun } from '../../src/inspector/recorder/live-recording.ts';
import {
  collect,
  FileAccessError,
  fixedDelay,
  fromIterable,
  InvalidArgumentError,
  Job,
  type JobEvent,
  type JobRunOptions,
  noRestart,
  range,
  RecordingFormatError,
  type RecordingLimitError,
  recordingFaultPoints,
  restartAll,
} from '../../src/index.ts';
import { type FaultPlan, faultPlan, virtualEnvironment } from '../../src/testing/index.ts';
import { bundledScript } from '../support/bundled-script.ts';
import { draws } from '../support/draws.ts';
import { heard, pictureOf, startedRun } from './recorded-run.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kintsugi-record-'));
  file = join(directory, 'run.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const bytesOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

/** A run to its end, and its warnings about observers. */
async function recorded(options: JobRunOptions, faults?: FaultPlan) {
  const started = startedRun(options, faults);
  const failed: Extract<JobEvent, { type: 'observer.failed' }>[] = [];
  started.run.events$.subscribe((event) => {
    if (event.type === 'observer.failed') failed.push(event);
  });
  const { receipt } = await started.environment.drive(started.run.result);
  return { ...started, receipt, failed };
}

describe('a recorded run', () => {
  it('leaves a file that amounts to what was seen live, complete when its result settles', async () => {
    const { environment, run } = startedRun({ record: file });
    const { lines } = heard(recordRun(run));
    const { receipt } = await environment.drive(run.result);
    const recording = await readRecording(file);
    expect(recording).toMatchObject({ damagedLines: 0, isTorn: false, run: { job: 'sums', format: 2 } });
    const [read, live] = [pictureOf(recording.lines), pictureOf(lines)].map((picture) => picture.toPlain());
    const { samples: readSamples, actors: readActors, ...readRest } = read as NonNullable<typeof read>;
    const { samples, actors, ...rest } = live as NonNullable<typeof live>;
    expect(readRest).toEqual(rest);
    expect(readSamples.at(-1)).toEqual(samples.at(-1));
    expect([...readActors.id].sort()).toEqual([...actors.id].sort());
    expect(read?.failovers.map((failover) => failover.receipt)).toEqual(receipt.failovers);
  });

  it('FR1: leaves a readable file when its process is killed, with the failure before that', async () => {
    const script = await bundledScript('inspector/recording-child.ts', directory);
    const { signal } = spawnSync(process.execPath, [script, file], { timeout: 240_000 });
    expect(signal).toBe('SIGKILL');
    const { lines } = await readRecording(file);
    const { status, failovers, attempts, actors, samples } = pictureOf(lines);
    expect(status).toBe('running');
    expect([...failovers.all].map(({ failure }) => failure.cause.message)).toEqual(['first failure']);
    expect(attempts.countOf(1, 'running')).toBe(2);
    expect([...actors.all].some(({ id, states }) => id.includes('/execution/slow[0]') && states.length > 0)).toBe(true);
    expect(samples.latest?.vertices[1]?.recordsIn).toBeGreaterThan(0);
  });

  /** A run with a small recording, its warnings, and what the recording took at most. */
  async function smallRecording(parallelism: number, mostFailures: number, options: JobRunOptions = {}) {
    const environment = virtualEnvironment();
    let failures = 0;
    const job = Job.create('wide', { parallelism });
    job
      .source('numbers', range(0, 300))
      .map((n) => {
        if (n === 60 && failures++ < mostFailures) throw new Error('again and again');
        return n;
      })
      .sink('out', collect());
    const restartBackoff = fixedDelay({ maxAttempts: Infinity, delayMs: 10 });
    const run = job.run({ environment, restartBackoff, record: { file, maxBytes: 1 << 20 }, ...options });
    const warnings: unknown[] = [];
    let mostBytes = 0;
    let events = 0;
    run.events$.subscribe((event) => {
      if (event.type === 'observer.failed') warnings.push(event.cause);
      if (events++ % 50 > 0) return;
      mostBytes = Math.max(mostBytes, bytesOf(file) + bytesOf(`${file}.1`) + bytesOf(`${file}.next`));
    });
    const { receipt } = await environment.drive(run.result);
    return { receipt, warnings, mostBytes };
  }

  it('FR2: rotates: the new file begins with a picture, and the files stay within `maxBytes`', async () => {
    // What every task does is short in lines, and shorter in the picture.
    const all = { failoverStrategy: restartAll() };
    const { receipt, warnings, mostBytes } = await smallRecording(300, draws(12, 22), all);
    expect(warnings).toEqual([]);
    expect(mostBytes).toBeGreaterThan(1 << 19);
    expect(mostBytes).toBeLessThanOrEqual(1 << 20);
    const [older, newer] = [await readRecording(`${file}.1`), await readRecording(file)];
    expect(newer.lines.slice(0, 2).map(({ type }) => type)).toEqual(['run', 'picture']);
    const { status, attempts, failovers } = pictureOf(newer.lines);
    expect(status).toBe('finished');
    expect(attempts.size).toBe(receipt.tasks.attempts);
    expect([...failovers.all].map((failover) => failover.receipt)).toEqual(receipt.failovers);
    expect(pictureOf(older.lines).atMs).toBeLessThanOrEqual(pictureOf(newer.lines.slice(0, 2)).atMs);
  });

  it('FR2: ends before it grows beyond `maxBytes`, and says how many bytes it needs', async () => {
    const { warnings, mostBytes } = await smallRecording(1, 240);
    expect(warnings).toMatchObject([{ code: 'RECORDING_LIMIT', maxBytes: 1 << 20 }]);
    expect((warnings[0] as RecordingLimitError).neededBytes).toBeGreaterThan(1 << 20);
    expect(mostBytes).toBeLessThanOrEqual(1 << 20);
    expect((await readRecording(file)).damagedLines).toBe(0);
  });

  it('FR3: goes on when the disk is full: one warning, and what was written can be read', async () => {
    const faults = faultPlan();
    const full = Object.assign(new Error('write'), { code: 'ENOSPC', syscall: 'write' });
    faults.fail(recordingFaultPoints.write, { skip: 4, times: Infinity, error: full });
    const { failed, run } = await recorded({ record: file }, faults);
    expect(run.status).toBe('finished');
    expect(failed).toMatchObject([{ observer: 'record', cause: { message: expect.stringMatching(/no space left/) } }]);
    expect(failed[0]?.cause).toBeInstanceOf(FileAccessError);
    expect((await readRecording(file)).lines.length).toBeGreaterThan(1);
  });

  it.each<[string, () => string, RegExp]>([
    ['a directory', () => directory, /not a recording/],
    [
      'below a file',
      () => {
        writeFileSync(join(directory, 'taken'), '');
        return join(directory, 'taken', 'run.jsonl');
      },
      /cannot write|not a directory/,
    ],
    [
      'over a file that is something else',
      () => {
        writeFileSync(file, '{"name":"my-project"}');
        return file;
      },
      /not a recording, so nothing is recorded/,
    ],
  ])('FR3: goes on when its recording cannot be written: %s', async (_, place, message) => {
    const { failed, run } = await recorded({ record: place() });
    expect(run.status).toBe('finished');
    expect(failed).toMatchObject([{ observer: 'record', cause: { message: expect.stringMatching(message) } }]);
    if (existsSync(file)) expect(readFileSync(file, 'utf8')).toBe('{"name":"my-project"}');
  });

  it('moves the recording of an earlier run aside', async () => {
    await recorded({ record: file });
    const before = readFileSync(file, 'utf8');
    await recorded({ record: file });
    expect(readFileSync(`${file}.1`, 'utf8')).toBe(before);
    expect(readFileSync(file, 'utf8')).not.toBe(before);
    expect(readdirSync(directory).sort()).toEqual(['run.jsonl', 'run.jsonl.1']);
  });

  it('creates the directory of its file, which only its owner may read', async () => {
    const place = join(directory, 'runs', 'today', 'run.jsonl');
    await recorded({ record: place });
    if (process.platform !== 'win32') expect(statSync(place).mode & 0o777).toBe(0o600);
  });

  it('leaves out likely secrets, and what `redact` says', async () => {
    const environment = virtualEnvironment();
    const job = Job.create('patients');
    job
      .source('rows', fromIterable([{ name: 'Ada' }]))
      .map((row): string => {
        throw Object.assign(new Error(`cannot treat ${row.name}`), { row, apiKey: 'k-123' });
      })
      .sink('out', collect());
    const redact = (value: unknown): unknown => (typeof value === 'string' ? value.replaceAll('Ada', '***') : value);
    const run = job.run({ environment, restartBackoff: noRestart(), record: { file, redact } });
    await environment.drive(run.result.catch(() => {}));
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('cannot treat ***');
    expect(text).not.toMatch(/Ada|k-123/);
  });

  it.each<[string, unknown, RegExp]>([
    ['no file', { maxBytes: 1 << 20 }, /record/],
    ['an empty name', '', /the path of a file/],
    ['too few bytes', { file: 'x', maxBytes: 10 }, /maxBytes of record/],
    ['a redact that is no function', { file: 'x', redact: true }, /redact of record/],
    ['an unknown option', { file: 'x', maxbytes: 1 }, /maxBytes/],
  ])('refuses %s before anything runs', (_, record, message) => {
    const job = Job.create('refused');
    job.source('numbers', range(0, 1)).sink('out', collect());
    expect(() => job.run({ record: record as never })).toThrow(InvalidArgumentError);
    expect(() => job.run({ record: record as never })).toThrow(message);
  });
});

describe('reading a recording', () => {
  const whole = async (): Promise<string> => {
    await recorded({ record: file });
    return readFileSync(file, 'utf8');
  };

  it('leaves out a torn last line', async () => {
    const text = await whole();
    const lineCount = text.trimEnd().split('\n').length;
    writeFileSync(file, text.slice(0, -20));
    const { lines, isTorn, damagedLines } = await readRecording(file);
    expect([lines.length, isTorn, damagedLines]).toEqual([lineCount - 1, true, 0]);
    pictureOf(lines);
  });

  it.each([
    'not json',
    '{"type":"event"}',
    '{"type":"event","event":{"type":"task.failed"}}',
    '[]',
    '{"type":"actors","atMs":1}',
  ])('skips and counts a damaged line: %s', async (damage) => {
    const lines = (await whole()).split('\n');
    lines.splice(5, 1, damage);
    writeFileSync(file, lines.join('\n'));
    const recording = await readRecording(file);
    expect(recording.damagedLines).toBe(1);
    expect(recording.lines).toHaveLength(lines.length - 2);
    pictureOf(recording.lines);
  });

  it('keeps lines of a kind that it does not know', async () => {
    writeFileSync(file, `${(await whole()).trimEnd()}\n{"type":"checkpoint","atMs":1}\n`);
    const { lines, damagedLines } = await readRecording(file);
    expect([lines.at(-1), damagedLines]).toEqual([{ type: 'checkpoint', atMs: 1 }, 0]);
    pictureOf(lines);
  });

  it.each<[string, string, RegExp]>([
    ['an empty file', '', /it is empty/],
    ['something else', '{"name":"my-project"}\n', /does not begin with a line of type "run"/],
    ['text', 'hello', /does not begin with a line of type "run"/],
    ['a newer format', '{"type":"run","format":3}\n', /format 3; this version reads formats up to 2/],
    ['a damaged beginning', '{"type":"run","format":1}\n', /first line of the recording is damaged/],
  ])('refuses %s', async (_, text, message) => {
    writeFileSync(file, text);
    await expect(readRecording(file)).rejects.toThrow(RecordingFormatError);
    await expect(readRecording(file)).rejects.toThrow(message);
  });

  it('names a file that is not there', async () => {
    await expect(readRecording(file)).rejects.toThrow(FileAccessError);
    mkdirSync(file);
    await expect(readRecording(file)).rejects.toThrow(/is a directory/);
  });
});
