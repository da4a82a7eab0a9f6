import { parseArgs } from 'node:util';
import { runChaos } from './run-chaos.ts';

/** `npm run chaos -- --runs N --seed S`: N drawn jobs, from seed S on, whose processes are killed. */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } });
  const summary = await runChaos(
    wholeNumber('seed', values.seed ?? '1'),
    wholeNumber('runs', values.runs ?? '100'),
    print,
  );
  const { passed, failures, kills, resumed, damaged, calls, needed, inFlight, lostAnswers } = summary;
  print(`${kills} processes were killed, ${damaged} files damaged; ${resumed} processes took over finished tasks`);
  print(
    `${calls} calls for ${needed}; ${inFlight} were in flight when their process was killed, the answers of ${lostAnswers} were damaged`,
  );
  print(`${passed} passed, ${failures.length} failed`);
  return failures.length > 0 ? 1 : 0;
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
