import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Exchange, Job, type JobRun, type JobRunOptions, type Sink } from '../../src/index.ts';
import { faultPlan, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';
import { tickingSource } from './abandoned-run.ts';

/** Number of records that the source of {@link sumsOf} has. */
export const count = 400;
export const checkpoints = { intervalMs: 5 };

/** One row. */
export interface Sum {
  readonly key: string;
  readonly n: number;
  readonly sum: number;
}

export interface Shape {
  readonly parallelism: number;
  readonly exchange?: Exchange;
  readonly pays?: ((n: number) => Promise<void>) | undefined;
}

export const keyOf = (n: number): string => `k${n % 23}`;

/** One row for each record: the sum of its key so far. The source has one task, the rest `parallelism`. */
export const sumsOf = (out: Sink<Sum>, shape: Shape): Job => {
  const job = Job.create('sums', { mode: 'streaming', parallelism: shape.parallelism });
  streamOf(job, shape).sink('out', out, { version: 1 });
  return job;
};

export const streamOf = (job: Job, { exchange = 'pipelined', pays }: Shape) =>
  job
    .source('ticks', tickingSource(count), { version: 1, parallelism: 1 })
    .mapAsync(async (n) => (await pays?.(n), n), { uid: 'paid', parallelism: 1, remember: false })
    .keyBy(keyOf, { exchange })
    .process<{ sum: number }, Sum>(
      {
        onRecord: (n, context, emit) => {
          const sum = (context.get()?.sum ?? 0) + n;
          context.set({ sum });
          emit({ key: keyOf(n), n, sum });
        },
      },
      { uid: 'sum' },
    );

/** What a run that nothing interrupts writes. */
export const expected = ((): readonly Sum[] => {
  const sums = new Map<string, number>();
  return Array.from({ length: count }, (_, n) => {
    const sum = (sums.get(keyOf(n)) ?? 0) + n;
    sums.set(keyOf(n), sum);
    return { key: keyOf(n), n, sum };
  });
})();

export const sorted = (rows: readonly Sum[]): Sum[] => [...rows].sort((a, b) => a.n - b.n);

/** Runs on virtual time that share a directory. */
export class Runs implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), 'savepoints-'));
  #environment: VirtualEnvironment | undefined;
  #seed = 0;

  start(job: Job, options: JobRunOptions = {}, faults = faultPlan()): JobRun {
    this.#environment = virtualEnvironment({ seed: this.#seed++, faults });
    return job.run({ batchSize: 8, environment: this.#environment, checkpoints, ...options });
  }

  /** Until so many ms have passed. */
  async wait(ms: number): Promise<void> {
    const { clock } = this.#environment as VirtualEnvironment;
    await this.until(new Promise<void>((resolve) => void clock.setTimeout(resolve, ms)));
  }

  async until<Value>(promise: Promise<Value>): Promise<Value> {
    return await (this.#environment as VirtualEnvironment).drive(promise);
  }

  path(name: string): string {
    return join(this.home, name);
  }

  /** Rows in files. */
  rows(directory: string): Sum[] {
    const files = readdirSync(this.path(directory)).filter((name) => name.endsWith('.jsonl'));
    const lines = files.flatMap((name) => readFileSync(join(this.path(directory), name), 'utf8').split('\n'));
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Sum);
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** What a promise rejects with. */
export const failureOf = async (promise: Promise<unknown>): Promise<Error> =>
  await promise.then(
    () => new Error('It did not fail'),
    (error: unknown) => error as Error,
  );
