import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, Job, type JobEvent, memoryCheckpoints, reliable, type Sink } from '../../src/index.ts';
import { type FaultPlace, faultPlan } from '../../src/testing/index.ts';
import { AbandonedRuns, tickingSource, transactionalSink, type World } from '../support/abandoned-run.ts';
import { runStory, type StoryEnd } from '../support/run-story.ts';

const count = 8;

/** A sink that takes this long for what it gets, and for its end. */
function slow(sink: Sink<number>, ms: number): Sink<number> {
  return {
    ...sink,
    open: async (context, from) => {
      const writer = await sink.open(context, from);
      const wait = (): Promise<void> =>
        new Promise((resolve) => void context.environment.clock.setTimeout(resolve, ms));
      return {
        write: async (records) => {
          await wait();
          await writer.write(records);
        },
        prepareCheckpoint: (about) => writer.prepareCheckpoint?.(about),
        prepare: wait,
        commit: () => writer.commit(),
        abort: () => writer.abort(),
      };
    },
  };
}

/**
 * ```
 *   ticks ══▶ triple, out      ══▶ reliable
 *     ✓         has read to the end, and its sink has still to commit
 *     ✗ its result is gone: it ends it once more, with nothing in it, because the checkpoint has everything
 * ```
 */
const triple =
  (version: number) =>
  (world: World<number>): Job => {
    const job = Job.create('triple', { mode: 'streaming', parallelism: 1 });
    job
      .source('ticks', tickingSource(count), { version: 1 })
      .rebalance({ exchange: 'reliable' })
      .map((n) => n * 3, { uid: 'triple', version })
      .sink('out', { ...slow(transactionalSink(world), 20), redo: 'replaces' }, { version: 1 });
    return job;
  };

const expected = Array.from({ length: count }, (_, n) => n * 3);

const isCovering = (event: JobEvent): boolean =>
  event.type === 'checkpoint.completed' && event.tasks.every(({ task }) => task !== 'ticks[0]');
const hasFinished = (event: JobEvent): boolean =>
  event.type === 'task.stateChanged' && event.task === 'ticks[0]' && event.state === 'finished';

/** Two processes die. The results of the first are gone. */
async function abandoned(): Promise<AbandonedRuns<number>> {
  const runs = new AbandonedRuns(triple(1), { checkpoints: { intervalMs: 5 } });
  await runs.runUntil(isCovering);
  const results = join(runs.stateDirectory, 'results');
  expect(readdirSync(results)).toHaveLength(1);
  rmSync(results, { recursive: true });
  const { events } = await runs.runUntil(hasFinished);
  expect(events.filter(({ type }) => type === 'checkpoint.restored')).toHaveLength(2);
  return runs;
}

describe('a result that is produced again by a task that had finished before its checkpoint', () => {
  it('is not the whole: whoever begins anew has it produced from the beginning', async () => {
    using runs = await abandoned();
    const { receipt } = await runs.run({}, triple(2));
    expect(receipt.toString()).toMatch(/2 tasks behind ticks\[0\] begin anew/);
    expect(runs.world.transacted).toEqual(expected);
  });

  it('and whoever continues from the checkpoint misses nothing', async () => {
    using runs = await abandoned();
    await runs.run();
    expect(runs.world.transacted).toEqual(expected);
  });
});

describe('a result that is kept beyond the job', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'kept-'));
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  /** ticks ══▶ same, out; at its 20th batch `same` fails, or is lost with the results of its executor */
  async function keep(strike: 'nothing' | 'fail' | 'lose'): Promise<StoryEnd> {
    const job = Job.create('keep', { mode: 'streaming', parallelism: 1 });
    job
      .source('ticks', tickingSource(200, 4))
      .rebalance({ exchange: reliable({ keepResults: { directory: join(home, 'kept') } }) })
      .map((n) => n, { uid: 'same' })
      .sink('out', collect());
    const faults = faultPlan();
    const strikes = { when: ({ vertex }: FaultPlace) => vertex === 'same', skip: 20, times: 1 };
    if (strike === 'fail') faults.fail('task.batch', strikes);
    return await runStory(
      job,
      {
        faults,
        batchSize: 4,
        resultsOfLostExecutors: 'lost',
        checkpoints: { intervalMs: 5, storage: memoryCheckpoints() },
      },
      ({ loseExecutorOf }) => {
        if (strike === 'lose') faults.call('task.batch', () => loseExecutorOf('same[0]'), strikes);
      },
    );
  }

  it.each(['nothing', 'fail'] as const)(
    'is the whole one, with checkpoints and if the strike is to %s',
    async (strike) => {
      const { kept, unfired } = await keep(strike);
      expect(unfired).toEqual([]);
      expect(kept).toMatchObject([{ records: 200 }]);
    },
  );

  it('fails the job if its beginning was lost', async () => {
    await expect(keep('lose')).rejects.toMatchObject({
      message: expect.stringContaining('its results could not be kept'),
      cause: {
        message: expect.stringContaining('its beginning was lost, and its producer continued from a checkpoint'),
      },
    });
    expect(existsSync(join(home, 'kept'))).toBe(false);
  });
});
