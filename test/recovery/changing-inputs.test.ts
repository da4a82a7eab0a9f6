import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { causeChain } from '../../src/errors/cause-chain.ts';
import { fixedDelay, Job, jsonLinesFile, toJsonLinesFile } from '../../src/index.ts';
import { faultPlan, simulate, virtualEnvironment } from '../../src/testing/index.ts';
import { failureOf } from '../connectors/subtasks.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'changing-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const count = 40_000;
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `{"id":${from + index}}\n`).join('');

/** Copies a file; calls `disturb` when the last subtask has read some batches. */
async function copying(disturb: (path: string) => void, failAfterwards = false, parallelism = 2) {
  const path = join(directory, 'in.jsonl');
  writeFileSync(path, lines(0, count));
  const job = Job.create('copying', { parallelism });
  job.source('input', jsonLinesFile(path)).sink('copy', toJsonLinesFile(join(directory, 'out.jsonl')));
  const faults = faultPlan();
  const fault = faults.call(
    'task.batch',
    () => {
      disturb(path);
      if (failAfterwards) throw new Error('broke');
    },
    { skip: 20, when: ({ subtask }) => subtask === parallelism - 1 },
  );
  const environment = virtualEnvironment({ faults });
  const run = job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 10 }) });
  const ended = environment.drive(run.result);
  return { run, ended, fault };
}

const written = (): string[] => readdirSync(directory).filter((name) => name.startsWith('out'));

it.each([
  ['while it is read', 2, false],
  ['before an attempt reads it again', 1, true],
])('an input that becomes shorter %s fails the job without a restart', async (_, parallelism, failAfterwards) => {
  const { run, ended, fault } = await copying((path) => truncateSync(path, 300_000), failAfterwards, parallelism);
  const failure = await failureOf(ended);
  expect(fault.fired).toBe(1);
  expect([...causeChain(failure)]).toContainEqual(
    expect.objectContaining({ code: 'INPUT_CHANGED', change: 'shorter', file: join(directory, 'in.jsonl') }),
  );
  expect(run.receipt().attemptsByVertex).toEqual({ input: failAfterwards ? 2 : 1 });
  // The records that the last subtask read of it are nowhere in the output.
  expect(written().filter((name) => name !== 'out-00000-of-00002.jsonl')).toEqual([]);
});

it('an input that grows is read as it was at the start of the run, by all attempts', async () => {
  const { run, ended } = await copying((path) => appendFileSync(path, lines(count, count + 5_000)), true);
  await ended;
  expect(run.receipt().attemptsByVertex).toEqual({ input: 2 });
  const copy = written()
    .toSorted()
    .map((name) => readFileSync(join(directory, name), 'utf8'));
  expect(copy.join('')).toBe(lines(0, count));
});

it('the next run reads the appended lines', async () => {
  const { run, ended } = await copying((path) => appendFileSync(path, lines(count, count + 5)));
  await ended;
  expect(run.receipt().attemptsByVertex).toEqual({ input: 1 });
  const job = Job.create('again');
  job
    .source('input', jsonLinesFile(join(directory, 'in.jsonl')))
    .sink('copy', toJsonLinesFile(join(directory, 'again.jsonl')));
  const environment = virtualEnvironment();
  await environment.drive(job.run({ environment }).result);
  expect(readFileSync(join(directory, 'again.jsonl'), 'utf8')).toBe(lines(0, count + 5));
});

it('simulated runs read directories, whatever they draw', async () => {
  mkdirSync(join(directory, 'in'));
  for (let file = 0; file < 3; file++) {
    writeFileSync(join(directory, 'in', `${file}`), lines(file * 30, (file + 1) * 30));
  }
  const job = Job.create('simulated');
  job
    .source('input', jsonLinesFile<{ id: number }>(join(directory, 'in')))
    .keyBy(({ id }) => id % 7)
    .reduce((a, b) => ({ id: a.id + b.id }))
    .sink('copy', toJsonLinesFile(join(directory, 'out', 'sums.jsonl')));
  for (let seed = 0; seed < 20; seed++) await simulate(job, { seed });
});
