import { Job } from '../../src/index.ts';
import { AbandonedRuns, tickingSource, transactionalSink, type World } from '../support/abandoned-run.ts';

const numbers = Array.from({ length: 200 }, (_, n) => n);

/** Calls are counted as reads. */
const paid =
  (isRemembered: boolean) =>
  (world: World<number>): Job => {
    const job = Job.create('paid', { mode: 'streaming' });
    job
      .source('ticks', tickingSource(numbers.length), { version: 1 })
      .mapAsync(async (n) => await Promise.resolve(world.read(n)), {
        uid: 'paid',
        version: 1,
        concurrency: 16,
        ...(!isRemembered && { remember: false }),
      })
      .sink('out', transactionalSink(world), { version: 1 });
    return job;
  };

describe('a paid step in the middle of a stream whose process dies', () => {
  it.each([
    [true, 23],
    [true, 14],
    [false, 23],
    [false, 9],
  ])('loses nothing; remembered: %p, after %i ms', async (isRemembered, ms) => {
    using runs = new AbandonedRuns(paid(isRemembered), { checkpoints: { intervalMs: 4 } });
    await runs.runUntil({ ms });
    await runs.run();
    expect(runs.world.transacted.sort((a, b) => a - b)).toEqual(numbers);
    const paidTwice = [...runs.world.reads.values()].filter((times) => times > 1);
    expect(paidTwice.length).toBeLessThan(isRemembered ? 1 : 60);
  });
});
