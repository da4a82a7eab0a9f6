import { parseArgs } from 'node:util';
import { runDyingStreams } from './dying/run-dying-streams.ts';
import { runSeeds } from './run-seeds.ts';
import { runStreams, streamsInWords } from './run-streams.ts';

/**
 * `npm run simulate -- --seeds N --seed S`: N drawn jobs, from seed S on; prints every run that goes wrong. With
 * `--resume`, each of them also as if its process had died after any event. With `--staged` they are jobs whose slow tasks
 * get second attempts; with `--workers` they run over workers that are joined by messages. With `--checkpoints` they are
 * streams with checkpoints, which are struck at every moment; with `--dying` such streams with a state directory, in
 * processes that die at drawn moments. With `--json` it prints the
 * summary as JSON, and its progress to standard error.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      resume: { type: 'boolean' },
      staged: { type: 'boolean' },
      workers: { type: 'boolean' },
      checkpoints: { type: 'boolean' },
      dying: { type: 'boolean' },
      json: { type: 'boolean' },
    },
  });
  const first = wholeNumber('seed', values.seed ?? '1');
  const count = wholeNumber('seeds', values.seeds ?? '10000');
  const { resume, staged: areStaged, workers: areOverWorkers } = values;
  const tell = values.json === true ? note : print;
  if (values.dying === true) {
    const { failures, ...counts } = await runDyingStreams(first, count, tell);
    print(JSON.stringify({ ...counts, failed: failures.length }));
    return failures.length > 0 ? 1 : 0;
  }
  if (values.checkpoints === true) {
    const streams = await runStreams(first, count, tell, { areOverWorkers });
    for (const line of values.json === true ? [JSON.stringify(streams)] : streamsInWords(streams)) print(line);
    return streams.failures.length > 0 ? 1 : 0;
  }
  const summary = await runSeeds(first, count, tell, {
    resume,
    areStaged,
    areOverWorkers,
  });
  if (values.json === true) print(JSON.stringify(summary));
  else {
    const { faults, tasks, attempts, again, brokenDeclarations, tooLarge, passed, failures } = summary;
    const { speculated, preferred, besideSinks, quarantined, released, incomplete } = summary;
    const { rejected, rudeSinks, overruled, unheard, lostExecutors, appended, changed, inputsChanged } = summary;
    print(`${faults} faults fired; ${tasks} tasks took ${attempts} attempts`);
    print(`${rejected} records were rejected, ${lostExecutors} executors were lost`);
    print(
      `${again} regions reproduced their output, ${brokenDeclarations} declarations were false, ${tooLarge} jobs were too large`,
    );
    print(
      `${rudeSinks} jobs had misbehaving sinks, ${overruled} decisions were overruled, ${unheard} other extensions failed`,
    );
    print(
      `${appended} files were appended to, ${changed} changed otherwise, which ${inputsChanged} jobs rightly reported`,
    );
    print(
      `${speculated} slow tasks got a second attempt, ${preferred} of which were preferred; ${besideSinks} had sinks`,
    );
    print(`${quarantined} regions were quarantined, ${released} released, ${incomplete} jobs ended as incomplete`);
    print(`${passed} passed, ${failures.length} failed`);
  }
  return summary.failures.length > 0 ? 1 : 0;
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new TypeError(`--${name} takes a whole number, not "${text}"`);
  return number;
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
