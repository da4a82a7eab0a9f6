import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Job, toJsonLinesFile } from '../../../src/index.ts';
import { JournalLog } from '../../../src/journal/journal-log.ts';
import { tickingSource } from '../../support/abandoned-run.ts';

let home: string;
const at = (...names: string[]): string => join(home, ...names);
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'recorded-end-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(home, { recursive: true, force: true });
});

function numbers(): Job {
  const job = Job.create('numbers', { mode: 'streaming' });
  job
    .source('numbers', tickingSource(200))
    .rebalance({ exchange: 'reliable' })
    .map((n) => n, { version: 1 })
    .sink('out', toJsonLinesFile(at('out.jsonl')));
  return job;
}

const filesIn = (directory: string): number =>
  existsSync(directory) ? readdirSync(directory, { recursive: true }).length : 0;

/** Runs the job; at the first sync after its end, `atEnd` is called. */
async function run(atEnd: () => void): Promise<void> {
  let hasEnded = false;
  const { sync } = JournalLog.prototype;
  jest.spyOn(JournalLog.prototype, 'sync').mockImplementation(async function (this: JournalLog) {
    if (hasEnded) atEnd();
    await sync.call(this);
  });
  const running = numbers().run({ stateDirectory: at('state'), checkpoints: { intervalMs: 5 } });
  running.events$.subscribe((event) => {
    if (event.type === 'job.statusChanged' && event.status === 'finished') hasEnded = true;
  });
  await running.result;
}

it('RE3: results and checkpoints are removed once the end of the job is synced, not before', async () => {
  const left: boolean[] = [];
  await run(() => left.push(filesIn(at('state', 'results')) > 0 && filesIn(at('state', 'checkpoints')) > 0));
  expect(left[0]).toBe(true);
  expect([filesIn(at('state', 'results')), filesIn(at('state', 'checkpoints'))]).toEqual([0, 0]);
});

it('RE3: they stay if the end of the job cannot be synced', async () => {
  const failing = run(() => {
    throw new Error('EIO: i/o error');
  });
  await expect(failing).rejects.toMatchObject({ code: 'END_NOT_RECORDED' });
  expect(filesIn(at('state', 'results'))).toBeGreaterThan(0);
  expect(filesIn(at('state', 'checkpoints'))).toBeGreaterThan(0);
});
