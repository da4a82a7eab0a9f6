import { appendFileSync } from 'node:fs';
import { fromArray, Job, toJsonLinesFile } from 'kintsugi';

export interface Text {
  readonly id: number;
  readonly topic: string;
}

export const texts: readonly Text[] = Array.from({ length: 5_000 }, (_, id) => ({ id, topic: `topic-${id % 12}` }));

/** What the API answers. */
export const scoreOf = (id: number): number => (id * 7_919) % 101;

/** The files of a run. */
export interface Places {
  readonly state: string;
  readonly output: string;
  /** `begin 17` for each call when it begins, `end 17` when its answer is on its way to the next step. */
  readonly ledger: string;
}

//  texts ──▶ score (paid by the call) ─blocking─▶ by-topic ──▶ out
export function paidJob({ output, ledger }: Places): Job {
  const job = Job.create('paid once', { parallelism: 2 });
  job
    .source('texts', fromArray(texts))
    .mapAsync(
      async ({ id, topic }) => {
        appendFileSync(ledger, `begin ${id}\n`);
        await new Promise((resolve) => setTimeout(resolve, 10));
        return { id, topic, score: scoreOf(id) };
      },
      { uid: 'score', concurrency: 16, ordered: false },
    )
    .map(
      ({ id, topic, score }) => {
        appendFileSync(ledger, `end ${id}\n`);
        return { topic, score };
      },
      { uid: 'answered' },
    )
    .keyBy(({ topic }) => topic)
    .reduce((a, b) => ({ topic: a.topic, score: a.score + b.score }), { uid: 'by-topic', emit: 'final' })
    .sink('out', toJsonLinesFile(output));
  return job;
}
