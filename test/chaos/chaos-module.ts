import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { collect, defineJob } from 'kintsugi';
import { strikes } from '../support/strikes.ts';
import { chaosJob, type Item, type Service } from './chaos-job.ts';
import type { ChaosPlan, Disturbance, Kill } from './plans/chaos-plan.ts';
import { type Instant, Instants } from './instants.ts';
import { killAtFileOperation } from './kill-at-file-operation.ts';
import { Ledger } from './ledger.ts';
import type { WorkerDeath } from './plans/worker-plan.ts';

/** What the job of this copy of the module has collected. */
export const collected = collect<Item>();

/** The parameters of the job of a process. */
export type ChaosParam =
  /** The directory of all processes of the job, and that of this one. */
  | 'home'
  | 'marks'
  | 'version'
  /** As JSON. */
  | 'disturbance';

/** The job of the plan in a directory, in a process that is killed or whose workers die. */
export default defineJob<ChaosParam>(({ home = '', marks = '', version, disturbance = '{}' }) => {
  const plan = JSON.parse(readFileSync(join(home, 'plan.json'), 'utf8')) as ChaosPlan;
  const fate = new Fate(new Instants(marks), JSON.parse(disturbance) as Disturbance);
  if (!isMainThread) fate.armFiles();
  const service = serviceOf(new Ledger(join(home, 'ledger')), (instant) => fate.passed(instant));
  return chaosJob(plan, home, Number(version), { service, collected, passed: () => fate.passed('record') });
});

/** What happens to a process and its threads at their instants. */
export class Fate {
  readonly #instants: Instants;
  readonly #disturbance: Disturbance;
  #checkpoints = 0;

  constructor(instants: Instants, disturbance: Disturbance) {
    this.#instants = instants;
    this.#disturbance = disturbance;
  }

  passed(instant: Instant): void {
    const count = this.#instants.passed(instant);
    const { kill, workers } = this.#disturbance;
    if (kill?.at === instant && this.#counted(kill, instant, count) === kill.count) this.die();
    for (const [index, { by, when }] of (workers?.deaths ?? []).entries()) {
      if (by !== 'terminate' && when.at === instant && count >= when.count) this.#strike(index, by);
    }
  }

  /** Another checkpoint of the process has completed. Returns whether what follows counts. */
  checkpointed(): boolean {
    const { kill } = this.#disturbance;
    if (++this.#checkpoints !== kill?.afterCheckpoints) return false;
    this.#instants.arm();
    if (kill.at === 'file') killAtFileOperation(kill, () => this.die());
    return true;
  }

  #counted({ afterCheckpoints = 0 }: Kill, instant: Instant, count: number): number | undefined {
    return afterCheckpoints === 0 ? count : this.#instants.since(instant, count);
  }

  /** In a worker: it is struck at its file operations. */
  armFiles(): void {
    for (const [index, { by, when }] of (this.#disturbance.workers?.deaths ?? []).entries()) {
      if (by !== 'terminate' && when.at === 'file') killAtFileOperation(when, () => this.#strike(index, by));
    }
  }

  /** The whole process dies. */
  die(): void {
    process.kill(process.pid, this.#disturbance.kill?.signal ?? 'SIGKILL');
  }

  #strike(index: number, by: Exclude<WorkerDeath['by'], 'terminate'>): void {
    if (this.#instants.claim(`${index} ${by}`)) strikes[by]();
  }
}

function serviceOf(ledger: Ledger, passed: (instant: Instant) => void): Service {
  // The engine has got it, and has written it, or told the main thread, at the end of its turn.
  const answered = async (call: string): Promise<void> => {
    await setImmediate();
    await setImmediate();
    ledger.add('answered', call);
    passed('answer');
  };
  return async (call, answer, fails) => {
    ledger.add('started', call);
    passed('call');
    await setTimeout((answer.id * 13) % 4);
    if (fails) {
      ledger.add('failed', call);
      throw new Error('Busy');
    }
    void answered(call);
    return answer;
  };
}
