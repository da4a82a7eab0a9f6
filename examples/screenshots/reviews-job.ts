import { setTimeout } from 'node:timers/promises';
import { collect, fixedDelay, fromArray, Job, type JobRun } from 'kintsugi';

interface Review {
  readonly product: string;
  readonly text: string;
  readonly number: number;
}

const reviews = Array.from({ length: 16_000 }, (_, number): Review => {
  return { product: `p${number % 97}`, text: `review ${number}`, number };
});

/** A run that fails three times, mends, and stays half-way until it is released: there is something to see. */
export function runReviews(): { readonly run: JobRun; release(): void } {
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  let overloads = 2;
  let outages = 1;
  const rate = async (review: Review): Promise<Review & { stars: number }> => {
    await setTimeout(1);
    if (review.number % 2_000 >= 1_900) await released;
    return { ...review, stars: review.text.length % 5 };
  };
  const check = <Row extends Review>(row: Row): Row => {
    if (row.number % 2_000 === 1_200 && row.number > 5_000 && overloads-- > 0) {
      throw new Error('the model answered 529: overloaded', { cause: new Error('socket hang up') });
    }
    return row;
  };
  const store = <Row>(row: Row): Row => {
    if (outages-- > 0) throw new Error('the database is away');
    return row;
  };
  const job = Job.create('ratings', { parallelism: 8 });
  const rated = job
    .source('reviews', fromArray(reviews))
    .mapAsync(rate, { uid: 'rate', concurrency: 16 })
    .map(check, { uid: 'check' });
  rated
    .keyBy(({ product }) => product, { exchange: 'reliable' })
    .reduce((a, b) => store({ ...b, stars: a.stars + b.stars }), { uid: 'stars' })
    .rebalance({ exchange: 'pipelined' })
    .map(({ product, stars }) => ({ product, stars }), { uid: 'products' })
    .sink('table', collect<{ product: string; stars: number }>());
  rated
    .keyBy(({ text }) => text.length, { exchange: 'memory' })
    .reduce((a, b) => (a.stars > b.stars ? a : b), { uid: 'best' })
    .rebalance({ exchange: 'memory' })
    .sink('report', collect<Review>());
  job
    .source('prices', fromArray(reviews.slice(0, 97)))
    .keyBy(({ product }) => product, { exchange: 'blocking' })
    .reduce((a) => a, { uid: 'catalogue' })
    .sink('index', collect<Review>());
  const run = job.run({
    restartBackoff: fixedDelay({ maxAttempts: 10, delayMs: 250 }),
    quarantine: { afterFailures: 3, withinMs: 10_000 },
    executors: 2,
    slots: 24,
    heartbeat: { intervalMs: 500 },
    checkpoints: { intervalMs: 1_000 },
  });
  return { run, release };
}
