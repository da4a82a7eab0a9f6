import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  blocking,
  collect,
  type Exchange,
  fromArray,
  Job,
  keptResult,
  range,
  releaseKeptResult,
  reliable,
} from '../../src/index.ts';
import { changeBetweenPlans, changeSincePlan } from '../../src/run/identity/source-change.ts';
import { faultPlan } from '../../src/testing/index.ts';
import { contextOf, drain, failureOf, planSource } from '../connectors/subtasks.ts';
import { killing, runStory } from '../support/run-story.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'kept-'));
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const count = 300;

//  numbers[0..1] ─▶ pay ─exchange─▶ sums ─▶ out         the result of `pay` is kept in a directory beyond the job
function paying(exchange: Exchange, log = { paid: 0 }, end = count) {
  const job = Job.create('paying', { mode: 'streaming', parallelism: 2, deterministic: true });
  const out = collect<number>();
  job
    .source('numbers', range(0, end))
    .map((n) => (log.paid++, { n, price: n * 3 }), { uid: 'pay' })
    .rebalance({ exchange })
    .map(({ price }) => price, { uid: 'prices' })
    .sink('out', out);
  return { job, log, out };
}

/** A second job, which reads the kept result of the first. */
async function readAgain(directory: string, parallelism: number): Promise<number[]> {
  const job = Job.create('reading', { parallelism });
  const out = collect<number>();
  job
    .source('kept', keptResult<{ n: number; price: number }>(directory))
    .map(({ n }) => n)
    .sink('out', out);
  await runStory(job);
  return [...out.records].sort((a, b) => a - b);
}

const everyNumber = Array.from({ length: count }, (_, n) => n);

it('another process can tell whether a kept result is still the one that it read before', async () => {
  const directory = join(scratch, 'prices');
  const source = keptResult(directory);
  const pay = async (end: number): Promise<unknown> => {
    await runStory(paying(reliable({ keepResults: { directory } }), undefined, end).job);
    return planSource(source);
  };
  const before = await pay(10);
  expect(await changeSincePlan(source, before, contextOf())).toBeUndefined();
  expect(changeBetweenPlans(source, before, await planSource(source))).toBeUndefined();
  await releaseKeptResult(directory);
  expect(await changeSincePlan(source, before, contextOf())).toMatch(/prices.*there is no kept result/);
  const now = await pay(20);
  const replaced = `the result in ${directory} was replaced`;
  expect(await changeSincePlan(source, before, contextOf())).toBe(replaced);
  expect(changeBetweenPlans(source, before, now)).toBe(replaced);
});

describe.each<[string, (directory: string) => Exchange]>([
  ['reliable', (directory) => reliable({ keepResults: { directory } })],
  ['blocking', (directory) => blocking({ keepResults: { directory } })],
])('a result of the exchange %s that is kept beyond its job', (_, keeping) => {
  it('is read by other jobs, of any parallelism, until it is released', async () => {
    const directory = join(scratch, 'prices');
    const { job, log } = paying(keeping(directory));
    const { kept } = await runStory(job);
    expect(kept).toEqual([
      { source: 'numbers', target: 'prices', directory, records: count, bytes: expect.any(Number) },
    ]);
    for (const parallelism of [1, 2, 5]) expect(await readAgain(directory, parallelism)).toEqual(everyNumber);
    expect(log.paid).toBe(count);
    expect(readdirSync(scratch)).toEqual(['prices']);
    await releaseKeptResult(directory);
    expect(readdirSync(scratch)).toEqual([]);
    await expect(readAgain(directory, 1)).rejects.toThrow(/there is no kept result/);
  });

  it('is complete and right after failures, even if its producer wrote it twice', async () => {
    const directory = join(scratch, 'prices');
    const { job } = paying(keeping(directory));
    const faults = killing('numbers', { subtask: 1, skip: 9 });
    killing('prices', { skip: 4 }, faults);
    const { unfired } = await runStory(job, { faults });
    expect(unfired).toEqual([]);
    expect(await readAgain(directory, 2)).toEqual(everyNumber);
  });

  it('leaves nothing behind when the job fails', async () => {
    const { job } = paying(keeping(join(scratch, 'prices')));
    await expect(runStory(job, { faults: killing('numbers', { times: 100 }) })).rejects.toThrow(
      /allows no more restarts/,
    );
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('is not overwritten: the job fails before it runs', async () => {
    const directory = join(scratch, 'prices');
    const { job, log } = paying(keeping(directory));
    await runStory(job);
    const again = paying(keeping(directory), log);
    await expect(runStory(again.job)).rejects.toThrow(/prices: it already exists: release the kept result/);
    expect(log.paid).toBe(count);
  });

  it.each<[string, (file: string) => void, RegExp]>([
    ['a byte is changed', (file) => flip(file), /its checksum is [0-9a-f]{8}, expected/],
    [
      'its end is missing',
      (file) => writeFileSync(file, readFileSync(file).subarray(0, -5)),
      /the file ends \d+ bytes too early/,
    ],
    ['a file is gone', (file) => rmSync(file), /no such file/],
    ['a file is another one', (file) => writeFileSync(file, 'x'.repeat(1_000)), /the header is not that of a segment/],
  ])('%s: the job that reads it fails with the file and the remedy', async (__, damage, problem) => {
    const directory = join(scratch, 'prices');
    await runStory(paying(keeping(directory)).job);
    const [file] = readdirSync(directory).filter((name) => name.startsWith('partition-'));
    damage(join(directory, file as string));
    await expect(readAgain(directory, 1)).rejects.toThrow(problem);
    await expect(readAgain(directory, 1)).rejects.toThrow(/Run the job that writes it again/);
  });
});

describe('a result to be kept', () => {
  it('whose file is gone at the end of the job: the job fails, and keeps nothing', async () => {
    const directory = join(scratch, 'prices');
    const { job } = paying(reliable({ keepResults: { directory } }));
    const faults = faultPlan();
    faults.call('task.end', () => removeFiles(scratch), {
      when: (place) => place['vertex'] === 'prices' && place['subtask'] === 1,
    });
    await expect(runStory(job, { faults })).rejects.toThrow(
      /Result partition \d+#0 is lost: .*its results could not be kept/,
    );
    expect(existsSync(directory)).toBe(false);
  });

  it('in a directory with another one is refused when the job is planned', () => {
    const directory = join(scratch, 'both');
    const job = Job.create('both', { parallelism: 2 });
    const stream = (name: string) => job.source(name, fromArray([1, 2]));
    stream('a')
      .union(stream('b'))
      .rebalance({ exchange: reliable({ keepResults: { directory } }) })
      .map((n) => n, { uid: 'c' })
      .sink('out', collect());
    expect(() => job.run()).toThrow(
      /The exchanges "a" → "c" and "b" → "c" both keep their results in .*both\. Use two directories, neither inside the other, or put an operator between/,
    );
  });
});

describe('a kept broadcast', () => {
  it('is read once, not once per consumer', async () => {
    const directory = join(scratch, 'all');
    const job = Job.create('broadcasting', { parallelism: 2 });
    job
      .source('words', fromArray(['a', 'b', 'c']))
      .broadcast({ exchange: reliable({ keepResults: { directory } }) })
      .map((word) => word, { parallelism: 3 })
      .sink('out', collect());
    await runStory(job);
    const reading = Job.create('reading');
    const out = collect<string>();
    reading.source('kept', keptResult<string>(directory)).sink('out', out);
    await runStory(reading);
    expect([...out.records].sort()).toEqual(['a', 'b', 'c']);
  });
});

describe('releaseKeptResult', () => {
  it('deletes nothing that is not a kept result', async () => {
    writeFileSync(join(scratch, 'mine.txt'), 'mine');
    await expect(releaseKeptResult(scratch)).rejects.toThrow(/there is no kept result/);
    expect(existsSync(join(scratch, 'mine.txt'))).toBe(true);
  });
});

/** Deletes the files of results. */
function removeFiles(directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.name.startsWith('partition-')) rmSync(join(entry.parentPath, entry.name));
  }
}

function flip(file: string): void {
  const bytes = readFileSync(file);
  const at = bytes.length - 3;
  bytes[at] = (bytes[at] as number) ^ 0xff;
  writeFileSync(file, bytes);
}

describe('a kept result that is replaced while it is read', () => {
  it.each([
    ['is not mixed with what takes its place', 'while it is read'],
    ['is not that of the next attempt', 'between attempts'],
  ] as const)('%s', async (_, when) => {
    const directory = join(scratch, 'prices');
    const { job } = paying(reliable({ keepResults: { directory } }));
    await runStory(job);
    const source = keptResult<{ n: number }>(directory);
    const plan = await planSource(source);
    const reader = await source.open(contextOf(), plan);
    expect(await reader.read(8)).toHaveLength(8);
    if (when === 'between attempts') await reader.close();
    await releaseKeptResult(directory);
    // Not on virtual time, where run ids would equal those of the first job.
    await job.run().result;
    const rest = when === 'between attempts' ? source.open(contextOf({ attempt: 1 }), plan) : drain(reader);
    expect(await failureOf(Promise.resolve(rest))).toMatchObject({
      code: 'KEPT_RESULT_UNREADABLE',
      recovery: 'never',
      directory,
      message: expect.stringMatching(/it was replaced since the run began/),
    });
  });
});
