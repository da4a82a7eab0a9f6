import { deepStrictEqual as deepEqual } from 'node:assert';
import { collect, Job, noRestart } from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { GatedSource } from './gated-source.ts';
import type { Walker } from './walker.ts';

/** The subject of the walk. */
export const what =
  'one batch over `reliable`: from its first record in the producer’s operator to its first record in the consumer’s';

/**
 * ```text
 * numbers ─▶ produce ══reliable══▶ consume
 * ```
 *
 * The third batch: everything is open by then, and no other batch is under way.
 */
export async function walk(walker: Walker): Promise<void> {
  const environment = virtualEnvironment({ freezeRecords: false });
  const numbers = new GatedSource('numbers');
  const consumed = collect<number>();
  let seen = 0;
  const job = Job.create('walk', { mode: 'streaming', parallelism: 1 });
  job
    .source('numbers', numbers)
    .map(
      (n) => {
        if (n === walked[0]) walker.start();
        return n;
      },
      { uid: 'produce' },
    )
    .rebalance({ exchange: 'reliable' })
    .map(
      (n) => {
        if (n === walked[0]) walker.stop();
        seen++;
        return n;
      },
      { uid: 'consume' },
    )
    .sink('consumed', consumed);
  const run = job.run({ environment, restartBackoff: noRestart() });
  const batches = [[1, 2, 3, 4], [5, 6, 7, 8], walked];
  for (const [index, batch] of batches.entries()) {
    await numbers.give(batch, environment);
    await environment.runUntil(() => seen === (index + 1) * batch.length, { what: 'the batch' });
    await environment.settle();
  }
  await numbers.give(null, environment);
  await environment.drive(run.result);
  deepEqual(consumed.records, batches.flat());
}

const walked = [9, 10, 11, 12];
