import { blocking, fromArray, Job, reliable, type Sink } from '../../src/index.ts';
import { seededRandom } from '../../src/testing/index.ts';
import { type DrawnSize, large } from './drawn/drawn-size.ts';

interface Item {
  readonly key: number;
  readonly value: number;
}

const nowhere: Sink<unknown> = {
  name: 'nowhere',
  guarantee: 'exactly-once',
  open: () => ({ write: () => {}, commit: () => {}, abort: () => {} }),
};

/**
 * Draws a job of stages whose results are complete before they are read, so that its slow tasks may have second attempts:
 * a source, sums by key, and a sink, with dead letters or without. Its output does not depend on order, batch sizes or parallelism.
 */
export function drawStagedJob(seed: number, { runParallelism, stages, stagedRecords }: DrawnSize = large): Job {
  const random = seededRandom(seed).fork('staged job');
  const job = Job.create(`staged-${seed}`, {
    parallelism: random.integer(2, runParallelism),
    deterministic: random.chance(0.3),
  });
  const items = Array.from({ length: random.integer(...stagedRecords) }, (_, n): Item => ({ key: n % 13, value: n }));
  let stream = job
    .source('items', fromArray(items))
    .map(({ key, value }) => ({ key: key + 1, value }), { uid: 'named' });
  for (let stage = random.integer(1, stages); stage > 0; stage--) {
    const last = stage === 1;
    const exchange = last && random.chance(0.3) ? reliable() : blocking();
    const modulus = random.integer(2, 7);
    stream = stream
      .map(({ key, value }) => ({ key: key % modulus, value }), { uid: `rekeyed ${stage}` })
      .keyBy(({ key }) => key, { exchange })
      .reduce((a, b) => ({ key: a.key, value: a.value + b.value }), { uid: `sum ${stage}` });
  }
  // From here on drawn apart, so that the jobs of earlier seeds stay as they are.
  const end = random.fork('end');
  if (end.chance(0.7)) stream = stream.rebalance({ exchange: blocking() });
  if (end.chance(0.3)) {
    const taste = (item: Item): Item => {
      if (item.value % 3 === 1) throw new Error(`${item.value} is poison`);
      return item;
    };
    stream = stream.map(taste, { uid: 'taste', onError: { deadLetter: nowhere } });
  }
  stream.sink('out', nowhere);
  return job;
}
