import { collect, defineJob, fromArray, Job } from 'kintsugi';

function wordsJob(words: readonly string[]): Job {
  const job = Job.create('words');
  job.source('words', fromArray(words)).sink('out', collect());
  return job;
}

describe('defineJob', () => {
  it('gives the definition its parameters, each a text that may be absent', () => {
    const defined = defineJob<'word'>(({ word }) => {
      // @ts-expect-error it may be absent
      const present: string = word;
      return wordsJob([present]);
    });
    expect(defined({ word: 'gold' }).name).toBe('words');
    // @ts-expect-error there is no such parameter
    defined({ wrod: 'gold' });
    // @ts-expect-error it is a text
    expect(() => defined({ word: 1 })).toThrow(/parameter word of the job: expected a text, got 1/);
  });

  it('takes any parameters without names', () => {
    const defined = defineJob(({ word = 'gold', more }) => wordsJob([word, more ?? 'dust']));
    expect(defined({ more: 'lacquer' }).steps.length).toBe(2);
    expect(defined().steps.length).toBe(2);
  });

  it('takes a job as it is', () => {
    const job = wordsJob(['gold']);
    expect(defineJob(job)()).toBe(job);
  });

  it('refuses what is no definition, and one that returns no job', () => {
    // @ts-expect-error not a job
    expect(() => defineJob({ name: 'words' })).toThrow(/expected a function that returns a job, or a job/);
    // @ts-expect-error a promise
    expect(() => defineJob(async () => wordsJob([]))()).toThrow(/goes before defineJob, at the top of the module/);
    // @ts-expect-error nothing
    expect(() => defineJob(() => {})()).toThrow(/end the function with `return job`/);
  });
});
