import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocking, collect, Job, type JobEvent, range, reliable } from '../../src/index.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'endings-'));
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

//  numbers ─reliable─▶ twice ─blocking─▶ out         both results are kept
function keepingTwo() {
  const [first, second] = ['first', 'second'].map((name) => join(scratch, name)) as [string, string];
  const job = Job.create('keeping');
  job
    .source('numbers', range(0, 100))
    .rebalance({ exchange: reliable({ keepResults: { directory: first } }) })
    .map((n) => n * 2, { uid: 'twice' })
    .rebalance({ exchange: blocking({ keepResults: { directory: second } }) })
    .sink('out', collect());
  const run = job.run({ spillDirectory: scratch });
  const events: JobEvent[] = [];
  /** Called when the last task has finished and results are about to be kept. */
  let onKeeping = (): void => {};
  let finished = 0;
  run.events$.subscribe((event) => {
    events.push(event);
    if (event.type === 'region.stateChanged' && event.state === 'finished' && ++finished === 3) onKeeping();
  });
  const statuses = () => events.flatMap((event) => (event.type === 'job.statusChanged' ? [event.status] : []));
  return {
    run,
    first,
    second,
    events,
    statuses,
    whenKeeping: (then: () => void) => {
      onKeeping = then;
    },
  };
}

describe('a job whose results outlive it', () => {
  it('J6: is running until they are kept, and then finished', async () => {
    const { run, first, second, statuses, whenKeeping } = keepingTwo();
    let status: string | undefined;
    whenKeeping(() =>
      queueMicrotask(() => {
        status = run.status;
      }),
    );
    const { kept } = await run.result;
    expect(status).toBe('running');
    expect(kept.map(({ directory }) => directory)).toEqual([first, second]);
    expect(statuses().at(-1)).toBe('finished');
  });

  it('J6: fails if one of them cannot be kept, says so, and keeps none', async () => {
    const { run, first, second, statuses, events, whenKeeping } = keepingTwo();
    whenKeeping(() => {
      mkdirSync(second);
      writeFileSync(join(second, 'mine.txt'), 'mine');
    });
    await expect(run.result).rejects.toThrow(/its results could not be kept/);
    expect(run.status).toBe('failed');
    expect(statuses().slice(-2)).toEqual(['failing', 'failed']);
    expect(events.filter(({ type }) => type === 'results.keepFailed')).toHaveLength(1);
    expect(existsSync(first)).toBe(false);
    expect(readdirSync(scratch)).toEqual(['second']);
    expect(readdirSync(second)).toEqual(['mine.txt']);
  });

  it('J6: canceled meanwhile, it is canceled once that is over, and nothing is kept', async () => {
    const { run, statuses, whenKeeping } = keepingTwo();
    whenKeeping(() => queueMicrotask(() => void run.cancel()));
    await expect(run.result).rejects.toThrow(/was canceled/);
    expect(statuses().slice(-2)).toEqual(['canceling', 'canceled']);
    expect(readdirSync(scratch)).toEqual([]);
  });
});
