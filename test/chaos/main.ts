import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chaosScripts, runChaos } from './run-chaos.ts';

/**
 * `npm run chaos -- --runs N --seed S`: N drawn jobs, from seed S on, whose processes are killed; with `--workers`, whose
 * tasks run over worker threads, which die; with `--streams`, long streams with checkpoints, a quarter of them over workers.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string' },
      seed: { type: 'string' },
      workers: { type: 'boolean' },
      streams: { type: 'boolean' },
    },
  });
  const kind = values.streams === true ? 'streams' : values.workers === true ? 'workers' : 'processes';
  const first = wholeNumber('seed', values.seed ?? '1');
  const seeds = Array.from({ length: wholeNumber('runs', values.runs ?? '100') }, (_, index) => first + index);
  const scripts = await chaosScripts();
  const summary = await runChaos(kind, seeds, scripts, print);
  rmSync(scripts.directory, { recursive: true, force: true });
  const { passed, failures, kills, resumed, continued, damaged, deaths, lost, costly, readers, pauses } = summary;
  const { checkpoints, restored, withoutCheckpoint, drained, speculated, calls, needed, inFlight, lostAnswers } =
    summary;
  if (kind !== 'processes') {
    print(`${deaths} workers died, ${lost} of them before the run ended, ${costly} with running tasks`);
    print(`${readers} tasks elsewhere failed because they were reading their results, and were decided apart`);
    print(`${drained} workers were drained and went; ${speculated} slow tasks got a second attempt`);
    print(`${pauses} processes were stopped and continued`);
  }
  print(
    `${kills} processes were killed, ${damaged} files damaged; ${resumed} processes took over finished tasks, ${continued} continued from a checkpoint`,
  );
  print(
    `${checkpoints} checkpoints completed; ${restored} regions continued from one, ${withoutCheckpoint} jobs found none`,
  );
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
