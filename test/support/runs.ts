import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job, JobEvent, JobRun, JobRunOptions } from '../../src/index.ts';
import { faultPlan, virtualEnvironment } from '../../src/testing/index.ts';

/** Runs with checkpoints, on virtual time, that share a directory. */
export class Runs implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), 'runs-'));
  /** Of the run that was started last. */
  environment = virtualEnvironment({ seed: 0 });
  #seed = 0;

  start(job: Job, options: JobRunOptions = {}, faults = faultPlan()): JobRun {
    this.environment = virtualEnvironment({ seed: this.#seed++, faults });
    return job.run({ batchSize: 8, environment: this.environment, checkpoints: { intervalMs: 5 }, ...options });
  }

  /** Until so many ms have passed. */
  async wait(ms: number): Promise<void> {
    await this.until(this.sleep(ms));
  }

  /** Somebody else lets the time pass. */
  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.environment.clock.setTimeout(resolve, ms));
  }

  async until<Value>(promise: Promise<Value>): Promise<Value> {
    return await this.environment.drive(promise);
  }

  path(name: string): string {
    return join(this.home, name);
  }

  /** Rows in files. */
  rows<Row>(directory = 'out'): Row[] {
    const files = readdirSync(this.path(directory)).filter((name) => name.endsWith('.jsonl'));
    const lines = files.flatMap((name) => readFileSync(join(this.path(directory), name), 'utf8').split('\n'));
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Row);
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

/** The events of a run, from now on. */
export const eventsOf = (run: JobRun): JobEvent[] => {
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  return events;
};
