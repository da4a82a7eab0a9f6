import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Job } from '../../src/index.ts';
import { AbandonedRuns, tickingSource, transactionalSink, type World } from '../support/abandoned-run.ts';

const numbers = Array.from({ length: 240 }, (_, n) => n);

//  ticks ─reliable─▶ slow[0..1] ─▶ out
const slowly = (world: World<number>): Job => {
  const job = Job.create('slowly', { mode: 'streaming', parallelism: 2 });
  job
    .source('ticks', tickingSource(numbers.length, 30), { version: 1, parallelism: 1 })
    .rebalance({ exchange: 'reliable' })
    .mapAsync((n) => Promise.resolve(world.read(n)), {
      ...{ uid: 'slow', version: 1, concurrency: 1, remember: false },
      rateLimit: { calls: 1, perMs: 2 },
    })
    .sink('out', transactionalSink(world), { version: 1 });
  return job;
};

describe('a source that has finished before the process died', () => {
  //  first process    ticks: 1 finishes with the barrier of checkpoint 1 in its result; slow has not come to it yet
  //  second process   adopts the result, and begins checkpoint 1 anew
  //  third process    the result is gone; slow continues from checkpoint 1
  it.each([10, 12, 14])('is read to its end before a checkpoint without it is complete (%i ms)', async (ms) => {
    using runs = new AbandonedRuns(slowly, { checkpoints: { intervalMs: 2 } });
    await runs.runUntil({ ms });
    await runs.runUntil((event) => event.type === 'checkpoint.completed');
    rmSync(join(runs.stateDirectory, 'results'), { recursive: true });
    await runs.run();
    expect(runs.world.transacted.sort((a, b) => a - b)).toEqual(numbers);
  });
});
