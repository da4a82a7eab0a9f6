import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FakeModel, fakeModel, labelOf } from '../../examples/llm-batch/fake-model.ts';
import { labelReviews, type LabelledReview, type Review } from '../../examples/llm-batch/label-reviews.ts';
import type { DeadLetter } from '../../src/index.ts';

const reviews: readonly Review[] = Array.from({ length: 240 }, (_, id) => ({
  id,
  text: id % 100 === 7 ? '' : `review ${id * id}`,
}));
const good = reviews.filter(({ text }) => text !== '');

let home: string;
let model: FakeModel;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'llm-batch-'));
  writeFileSync(join(home, 'reviews.jsonl'), reviews.map((review) => `${JSON.stringify(review)}\n`).join(''));
  model = await fakeModel();
});

afterEach(async () => {
  await model.close();
  rmSync(home, { recursive: true, force: true });
});

const linesOf = <Line>(name: string): readonly Line[] =>
  readFileSync(join(home, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

it('the LLM batch pays each call once, although it is stopped half-way, and writes what failed to a file', async () => {
  const [stateDirectory, stop] = [join(home, 'state'), new AbortController()];
  const job = () =>
    labelReviews(model.url, {
      reviews: join(home, 'reviews.jsonl'),
      labels: join(home, 'labels.jsonl'),
      failed: join(home, 'failed.jsonl'),
    });
  const stopped = job().run({ stateDirectory, signal: stop.signal });
  model.answered = (paid) => {
    if (paid === 100) stop.abort();
  };
  await expect(stopped.result).rejects.toMatchObject({ code: 'JOB_CANCELED' });
  const paidBefore = model.paid;
  const { receipt } = await job().run({ stateDirectory, resume: 'require' }).result;
  expect([paidBefore < good.length, model.paid]).toEqual([true, good.length]);
  expect(receipt.calls?.reused).toBe(paidBefore);
  expect(model.busy).toBeGreaterThan(5);
  expect(linesOf<LabelledReview>('labels.jsonl')).toEqual(
    good.map((review) => ({ ...review, label: labelOf(review.text) })),
  );
  expect(linesOf<DeadLetter<Review>>('failed.jsonl').map(({ record }) => record?.id)).toEqual([7, 107, 207]);
});
