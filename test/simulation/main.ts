import { parseArgs } from 'node:util';
import { simulate } from '../../src/testing/index.ts';
import { drawJob } from './drawn-job.ts';

/** `npm run simulate -- --seeds N --seed S`: N drawn jobs, from seed S on; prints every run that goes wrong. */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { seeds: { type: 'string' }, seed: { type: 'string' } } });
  const first = wholeNumber('seed', values.seed ?? '1');
  const count = wholeNumber('seeds', values.seeds ?? '10000');
  let failed = 0;
  let [fired, attempts, tasks] = [0, 0, 0];
  for (let seed = first; seed < first + count; seed++) {
    try {
      const report = await simulate(drawJob(seed), { seed });
      fired += report.firedFaults;
      attempts += report.receipt.tasks.attempts;
      tasks += report.receipt.tasks.total;
    } catch (error) {
      failed++;
      print(`seed ${seed}: ${(error as Error).message}\n`);
    }
    if ((seed - first + 1) % 1_000 === 0) print(`… ${seed - first + 1} of ${count} seeds, ${failed} failed`);
  }
  print(`${fired} faults struck; ${tasks} tasks took ${attempts} attempts`);
  print(`${count - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new TypeError(`--${name} takes a whole number, not "${text}"`);
  return number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
