import { deepStrictEqual as deepEqual } from 'node:assert';
import { collect, fixedDelay, Job } from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { GatedSource } from './gated-source.ts';
import type { Walker } from './walker.ts';

/** The subject of the walk. */
export const what =
  'one failure: from the throw in `check` until its region, `live` and `check`, runs again; the other regions keep running';

/**
 * ```text
 * numbers ══blocking══▶ check ──▶ checked     three regions: {numbers}, {live, check}, {ticks}
 * live ─────────────────▶
 * ticks ──▶ ticked
 * ```
 *
 * Nothing else is under way: `numbers` has finished, and the other sources wait for their next record. The walk ends
 * before the first record after the restart.
 */
export async function walk(walker: Walker): Promise<void> {
  const environment = virtualEnvironment({ freezeRecords: false });
  const [numbers, live, ticks] = ['numbers', 'live', 'ticks'].map((name) => new GatedSource(name)) as Gated3;
  const checked = collect<number>();
  const ticked = collect<number>();
  let hasFailed = false;
  const job = Job.create('walk', { parallelism: 1 });
  job
    .source('live', live)
    .rebalance({ exchange: 'pipelined' })
    .union(job.source('numbers', numbers).rebalance({ exchange: 'blocking' }))
    .map(
      (n) => {
        if (hasFailed) return n;
        hasFailed = true;
        walker.start();
        throw new Error('It fails once');
      },
      { uid: 'check' },
    )
    .sink('checked', checked);
  job.source('ticks', ticks).sink('ticked', ticked);
  const run = job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 100 }) });
  run.events$.subscribe(({ type }) => {
    if (type === 'failover.completed') walker.stop();
  });
  await ticks.give([1], environment);
  await numbers.give([42], environment);
  await numbers.give(null, environment);
  await environment.runUntil(() => walker.isOver, { what: 'the restart' });
  await live.give(null, environment);
  await ticks.give([2], environment);
  await ticks.give(null, environment);
  const { receipt } = await environment.drive(run.result);
  deepEqual([checked.records, ticked.records], [[42], [1, 2]]);
  deepEqual(receipt.attemptsByVertex, { numbers: 1, live: 2, check: 2, ticks: 1 });
}

type Gated3 = [GatedSource, GatedSource, GatedSource];
