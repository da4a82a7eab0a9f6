import { collect, fixedDelay, fromArray, Job, type JobRun, type JobRunOptions } from '../../../src/index.ts';

/** A job that stays half-way until it is released, so that there is time to look at it and to break it. */
export interface GatedJob {
  readonly run: JobRun;
  /** Lets it go on to its end. */
  release(): void;
}

/** @param delayMs the backoff before a restart */
//  numbers ──reliable──▶ sums ──memory──▶ best
export function runGatedJob(name: string, delayMs = 200, options: JobRunOptions = {}): GatedJob {
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const job = Job.create(name, { parallelism: 3 });
  job
    .source('numbers', fromArray(Array.from({ length: 3_000 }, (_, n) => n)))
    .mapAsync(
      async (n) => {
        if (n % 1_000 >= 900) await released;
        return n;
      },
      { uid: 'rate', concurrency: 4 },
    )
    .keyBy((n) => n % 7, { exchange: 'reliable' })
    .reduce((a, b) => a + b, { uid: 'sums' })
    .keyBy(() => 0, { exchange: 'memory' })
    .reduce((a, b) => Math.max(a, b), { uid: 'best' })
    .sink('result', collect<number>());
  const run = job.run({ restartBackoff: fixedDelay({ maxAttempts: 5, delayMs }), ...options });
  return { run, release };
}
