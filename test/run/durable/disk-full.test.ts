import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fromArray, Job, type JobReceipt, jsonLinesFile, noRestart, toJsonLinesFile } from '../../../src/index.ts';
import { runStory } from '../../support/run-story.ts';

let home: string;
const at = (name: string): string => join(home, name);
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'disk-full-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  fs.rmSync(home, { recursive: true, force: true });
});

/** From the write with this number on, counted from 0, there is no space for the journal. */
function fillDiskAt(write: number): void {
  const { openSync, writeSync } = fs;
  const journals = new Set<number>();
  let writes = 0;
  jest.spyOn(fs, 'openSync').mockImplementation((path, ...how) => {
    const descriptor = openSync(path, ...how);
    if (basename(String(path)).startsWith('journal')) journals.add(descriptor);
    else journals.delete(descriptor);
    return descriptor;
  });
  jest.spyOn(fs, 'writeSync').mockImplementation(((descriptor: number, ...rest: [Uint8Array, number]) => {
    if (journals.has(descriptor) && writes++ >= write) {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    }
    return writeSync(descriptor, ...rest);
  }) as typeof writeSync);
}

const lines = Array.from({ length: 40 }, (_, id) => `${JSON.stringify({ id })}\n`);

/** Texts, a paid step, a kept result, a file. */
async function run(paid: number[]): Promise<JobReceipt> {
  fs.writeFileSync(at('texts.jsonl'), lines.join(''));
  const job = Job.create('labels', { parallelism: 2 });
  job
    .source('texts', jsonLinesFile<{ readonly id: number }>(at('texts.jsonl')))
    .mapAsync(
      async (text) => {
        paid.push(text.id);
        return text;
      },
      { uid: 'label' },
    )
    .rebalance({ exchange: 'blocking' })
    .sink('out', toJsonLinesFile(at('out.jsonl')));
  return (await runStory(job, { stateDirectory: at('state'), keepResults: 'until-job-ends' })).receipt;
}

const written = (): number[] =>
  [0, 1]
    .flatMap((part) =>
      fs
        .readFileSync(at(`out-0000${part}-of-00002.jsonl`), 'utf8')
        .trim()
        .split('\n'),
    )
    .map((line) => (JSON.parse(line) as { readonly id: number }).id)
    .sort((a, b) => a - b);

it('a directory that is gone at the end fails the job with a JobFailedError, and not the close', async () => {
  const job = Job.create('gone');
  const toBug = (text: unknown): never => {
    throw new TypeError(`${JSON.stringify(text)} has no label`);
  };
  fs.writeFileSync(at('texts.jsonl'), lines.join(''));
  job
    .source('texts', jsonLinesFile(at('texts.jsonl')))
    .map(toBug)
    .sink('out', toJsonLinesFile(at('out.jsonl')));
  const run = job.run({ stateDirectory: at('state'), restartBackoff: noRestart() });
  // Not before, because the first sync of the journal may be under way, and would fail the job for want of its directory.
  run.events$.subscribe(({ type }) => {
    if (type === 'task.failed') fs.rmSync(at('state'), { recursive: true });
  });
  await expect(run.result).rejects.toMatchObject({
    code: 'JOB_FAILED',
    message: expect.stringContaining('has no label'),
  });
  expect(fs.existsSync(at('state'))).toBe(false);
});

it.each([0, 39])(
  'SD3: a directory that is deleted at record %i is not written any more, and the run says so',
  async (last) => {
    const job = Job.create('gone');
    fs.writeFileSync(at('texts.jsonl'), lines.join(''));
    job
      .source('texts', jsonLinesFile<{ readonly id: number }>(at('texts.jsonl')))
      .rebalance({ exchange: 'blocking' })
      .map((text) => (text.id === last && fs.rmSync(at('state'), { recursive: true }), text), { version: 1 })
      .sink('out', toJsonLinesFile(at('out.jsonl')));
    const failure: unknown = await job.run({ stateDirectory: at('state') }).result.catch((error: unknown) => error);
    expect(['JOB_FAILED', 'END_NOT_RECORDED']).toContain((failure as { readonly code?: string }).code);
    expect((failure as Error).message).toContain(
      `${at('state/journal')}: the state directory was deleted while the run`,
    );
    expect(fs.existsSync(at('state'))).toBe(false);
  },
);

it('a relative path means the same, whatever the working directory is later', async () => {
  const before = process.cwd();
  try {
    process.chdir(home);
    fs.mkdirSync('elsewhere');
    const job = Job.create('wandering');
    job
      .source('numbers', fromArray([1, 2, 3]))
      .mapAsync(async (n) => (process.chdir(at('elsewhere')), n), { uid: 'wander' })
      .rebalance({ exchange: 'blocking' })
      .sink('out', toJsonLinesFile('out.jsonl'));
    await runStory(job, { stateDirectory: 'state' });
    expect(fs.readdirSync(at('state')).sort()).toEqual(['answers', 'journal']);
    expect(fs.readdirSync(at('elsewhere'))).toEqual([]);
  } finally {
    process.chdir(before);
  }
});

describe('no space for the journal', () => {
  it.each([0, 1, 2])('at its write %i: the job fails and names the file; with space it continues', async (write) => {
    const paid: number[] = [];
    fillDiskAt(write);
    const failure = await run(paid).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    expect(failure).toMatchObject({ code: 'JOB_FAILED' });
    expect(failure?.message).toContain(at('state/journal'));
    expect(failure?.message).toContain('no space left on device');
    jest.restoreAllMocks();
    await run(paid);
    expect(written()).toEqual(lines.map((_, id) => id));
    expect(paid.sort((a, b) => a - b)).toEqual(lines.map((_, id) => id));
  });

  it.each([3, 4, 5, 6, 7])(
    'RE3: at its write %i, near the end: either the job has finished for the next run too, or it fails, and that one completes it',
    async (write) => {
      const paid: number[] = [];
      fillDiskAt(write);
      const ended = await run(paid).then(
        () => 'finished',
        (error: unknown) => (error as { readonly code: string }).code,
      );
      jest.restoreAllMocks();
      const { tasks, resumed } = await run(paid);
      // The last task ends with write 5, the job with 6, and 7 compacts that.
      expect(ended === 'finished').toBe(write === 7);
      if (write === 6) expect(ended).toBe('END_NOT_RECORDED');
      expect(resumed?.finishedAt !== undefined).toBe(ended === 'finished');
      if (ended === 'END_NOT_RECORDED') expect(tasks.attempts).toBe(6 - write);
      expect(written()).toEqual(lines.map((_, id) => id));
      expect(paid).toHaveLength(lines.length);
      expect(fs.readdirSync(at('state')).sort()).toEqual(['answers', 'journal']);
    },
  );
});
