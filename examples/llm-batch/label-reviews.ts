import { type DeadLetter, Job, jsonLinesFile, toJsonLinesFile } from 'kintsugi';

export interface Review {
  readonly id: number;
  readonly text: string;
}

export interface LabelledReview extends Review {
  readonly label: string;
}

export interface Files {
  readonly reviews: string;
  readonly labels: string;
  /** Reviews that got no label, with the reason. */
  readonly failed: string;
}

const prompt = 'Is this review positive, negative or mixed? Answer with one word.';

/** A batch of calls to a model. Change the prompt or the model, and the answers so far count no more. */
export function labelReviews(url: string, files: Files): Job {
  const job = Job.create('label reviews');
  job
    .source('reviews', jsonLinesFile<Review>(files.reviews))
    .mapAsync(async (review, { signal }) => ({ ...review, label: await ask(url, review.text, signal) }), {
      uid: 'label',
      inputs: [prompt, 'small-model-1'], // What decides about an answer, and is not in the text of the function.
      remember: { ttlMs: 30 * 24 * 3_600_000 }, // On by default in a run with a state directory; for a month.
      concurrency: 16,
      rateLimit: { calls: 100, perMs: 200 },
      timeoutMs: 30_000,
      retries: 3,
      retryIf: (error) => !(error instanceof Refused),
      onError: { deadLetter: toJsonLinesFile<DeadLetter<Review>>(files.failed) },
      maxErrors: { share: 0.05 },
    })
    .sink('labels', toJsonLinesFile<LabelledReview>(files.labels));
  return job;
}

/** The service will never answer this text. */
class Refused extends Error {}

async function ask(url: string, text: string, signal: AbortSignal): Promise<string> {
  const body = JSON.stringify({ model: 'small-model-1', prompt, text });
  const response = await fetch(url, { method: 'POST', body, signal });
  if (response.status === 400) throw new Refused(await response.text());
  if (!response.ok) throw response; // 429 and 503: its `retry-after` is waited for. Others are retried.
  const { label } = (await response.json()) as { readonly label: string };
  return label;
}
