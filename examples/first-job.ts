import { collect, fromArray, Job } from 'kintsugi';

const reviews = Array.from({ length: 1_000 }, (_, n) => ({ product: `p${n % 7}`, text: `review ${n}` }));
let calls = 0;
const rate = async (text: string): Promise<number> => (calls++, text.length % 5); // Your model, paid by the call.
let stores = 0;
const store = <Row>(row: Row): Row => {
  if (stores++ === 0) throw new Error('the database is away'); // Once: a restart cures it.
  return row;
};

const job = Job.create('ratings', { parallelism: 2 });
const ratings = collect<{ product: string; stars: number }>();
job
  .source('reviews', fromArray(reviews))
  .mapAsync(async ({ product, text }) => ({ product, stars: await rate(text) }), { concurrency: 8, retries: 3 })
  .keyBy(({ product }) => product) // A shuffle: a restarted task re-reads its results.
  .reduce((a, b) => ({ product: a.product, stars: a.stars + b.stars }))
  .map(({ product, stars }) => store({ product, stars }))
  .sink('ratings', ratings);

const { receipt } = await job.run().result;
console.log(`${ratings.records.length} products, ${calls} calls paid\n${receipt.toString()}`);
