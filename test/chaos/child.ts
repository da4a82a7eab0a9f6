import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { fixedDelay } from '../../src/index.ts';
import { chaosJob, type Service } from './chaos-job.ts';
import type { ChaosPlan, Kill } from './chaos-plan.ts';
import { killAtFileOperation } from './kill-at-file-operation.ts';
import { Ledger } from './ledger.ts';

/** How a process that was not killed ended. */
export interface ChildReport {
  /** Tasks that were taken over; undefined if there was no earlier run. */
  readonly restored: number | undefined;
  readonly calls: number;
}

/** A process that runs the job of a directory until it has finished, or is killed. */
async function main(home: string, version: number, kill: Kill | undefined): Promise<void> {
  const plan = JSON.parse(readFileSync(join(home, 'plan.json'), 'utf8')) as ChaosPlan;
  const ledger = new Ledger(join(home, 'ledger'));
  const counts = { call: 0, answer: 0, event: 0 };
  const count = (at: keyof typeof counts): void => {
    counts[at]++;
    if (kill?.at === at && kill.count === counts[at]) die();
  };
  const service: Service = async (call, answer, fails) => {
    ledger.add('started', call);
    count('call');
    await setTimeout((answer.id * 13) % 4);
    if (fails) {
      ledger.add('failed', call);
      throw new Error('Busy');
    }
    void answered(call);
    return answer;
  };
  // The engine has got it, and writes it at the end of its turn.
  const answered = async (call: string): Promise<void> => {
    await setImmediate();
    await setImmediate();
    ledger.add('answered', call);
    count('answer');
  };
  if (kill?.at === 'file') killAtFileOperation(kill, die);
  const run = chaosJob(plan, home, version, service).run({
    stateDirectory: join(home, 'state'),
    batchSize: 8,
    restartBackoff: fixedDelay({ maxAttempts: 20, delayMs: 1 }),
  });
  run.events$.subscribe(() => count('event'));
  process.stderr.write('began\n');
  const { receipt } = await run.result;
  const report: ChildReport = { restored: receipt.resumed?.tasks, calls: counts.call };
  process.stdout.write(JSON.stringify(report));
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

const [home, version, kill] = process.argv.slice(2) as [string, string, string | undefined];
await main(home, Number(version), kill === undefined ? undefined : (JSON.parse(kill) as Kill));
