import { takeWhile } from 'rxjs';
import { type Exchange, Job, type JobEvent, type Sink } from '../../src/index.ts';
import { AbandonedRuns, tickingSource, transactionalSink, type World } from '../support/abandoned-run.ts';

/** Writes as it goes, and prepares nothing. */
function telling(world: World<number>): Sink<number> {
  return {
    name: 'telling',
    guarantee: 'at-least-once',
    open: () => ({ write: (records) => void world.told.push(...records), commit: () => {}, abort: () => {} }),
  };
}

/**
 * ```
 *   ticks ──▶ few ─▶ told      has finished before the checkpoint
 *     │
 *     └─────▶ many ─▶ out      goes on
 * ```
 * The ticks are endless unless both consumers need no more.
 */
const twoConsumers =
  (exchange: Exchange) =>
  (world: World<number>): Job => {
    const job = Job.create('two-consumers', { mode: 'streaming', parallelism: 1 });
    const ticks = job.source('ticks', tickingSource(Number.POSITIVE_INFINITY), { version: 1 });
    const upTo = (end: number) => takeWhile((n: number) => n < end);
    ticks
      .rebalance({ exchange })
      .through(upTo(5), { uid: 'few', version: 1, stateless: true })
      .sink('told', telling(world), { version: 1 });
    ticks
      .rebalance({ exchange })
      .through(upTo(500), { uid: 'many', version: 1, stateless: true })
      .sink('out', transactionalSink(world), { version: 1 });
    return job;
  };

const coversTheFew = (event: JobEvent): boolean =>
  event.type === 'checkpoint.completed' && event.tasks.every(({ task }) => !task.startsWith('few'));

describe.each<Exchange>(['pipelined', 'memory', 'reliable'])('a consumer that has finished, over %s', (exchange) => {
  it('needs nothing in the next process either: it holds up no other, and an endless source ends', async () => {
    using runs = new AbandonedRuns(twoConsumers(exchange), { checkpoints: { intervalMs: 10 } });
    await runs.runUntil(coversTheFew);
    expect(runs.world.transacted.length).toBeLessThan(500);
    const { receipt, events } = await runs.run();
    expect(events.map(({ type }) => type)).toContain('checkpoint.restored');
    expect(runs.world.told).toEqual([0, 1, 2, 3, 4]);
    expect(runs.world.transacted).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(receipt.failovers).toEqual([]);
  });
});
