import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { explain, JobCanceledError } from 'kintsugi';
import { fakeModel } from './fake-model.ts';
import { labelReviews } from './label-reviews.ts';

const directory = 'out/llm-batch';
const files = {
  reviews: `${directory}/reviews.jsonl`,
  labels: `${directory}/labels.jsonl`,
  failed: `${directory}/failed.jsonl`,
};
const stateDirectory = `${directory}/state`;

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
const reviews = Array.from({ length: 1_000 }, (_, id) => ({ id, text: id % 333 === 5 ? '' : `review ${id * id}` }));
writeFileSync(files.reviews, reviews.map((review) => `${JSON.stringify(review)}\n`).join(''));

const model = await fakeModel();
const job = labelReviews(model.url, files);

// Somebody stops it half-way. It ends when the calls in flight have been answered.
const stop = new AbortController();
model.answered = (paid) => {
  if (paid === reviews.length / 2) stop.abort();
};
await job.run({ stateDirectory, signal: stop.signal }).result.catch((error: unknown) => {
  if (!(error instanceof JobCanceledError)) throw error;
});
console.log(`stopped: ${model.paid} calls paid`);

console.log(`\n${(await explain(job, { stateDirectory })).resume.toString()}\n`);

const { receipt } = await job.run({ stateDirectory }).result;
console.log(receipt.toString());
console.log(`\n${model.paid} calls paid for ${reviews.length} reviews; the service was busy ${model.busy} times`);
for (const line of readFileSync(files.failed, 'utf8').trim().split('\n')) {
  const { record, error } = JSON.parse(line) as { record: { id: number }; error: { message: string } };
  console.log(`review ${record.id} has no label: ${error.message}`);
}
await model.close();
