import { parseArgs } from 'node:util';
import { type Area, type DrawnSeeds, isArea, runArea } from './areas.ts';
import { large, small } from './drawn/drawn-size.ts';
import { runSeeds, seedsInWords } from './run-seeds.ts';
import { runStreams, streamsInWords } from './run-streams.ts';

/**
 * `npm run simulate -- --seeds N --seed S`: N drawn jobs, from seed S on; prints every run that goes wrong. With
 * `--resume`, each of them also as if its process had died after any event. With `--staged` they are jobs whose slow tasks
 * get second attempts; with `--workers` they run over workers that are joined by messages. With `--checkpoints` they are
 * streams with checkpoints, which are struck at every moment; with `--dying` such streams with a state directory, in
 * processes that die at drawn moments; with `--canceled` jobs that are canceled; with `--resumed` jobs without anything rude, each
 * as if its process had died after any event; with `--journals` and `--answers` what is on disk, through power losses. With
 * `--small` all of them are small.
 *
 * With `--plan` and a list of {@link DrawnSeeds} as JSON it simulates them one after the other, prints a list of their summaries
 * as JSON, and its progress to standard error.
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
      canceled: { type: 'boolean' },
      resumed: { type: 'boolean' },
      journals: { type: 'boolean' },
      answers: { type: 'boolean' },
      small: { type: 'boolean' },
      plan: { type: 'string' },
    },
  });
  if (values.plan !== undefined) return await runPlan(JSON.parse(values.plan) as readonly DrawnSeeds[]);
  const first = wholeNumber('seed', values.seed ?? '1');
  const count = wholeNumber('seeds', values.seeds ?? '10000');
  const { resume, staged: areStaged, workers: areOverWorkers, small: isSmall = false } = values;
  const size = isSmall ? small : large;
  const area: Area = (Object.keys(values).find((name) => isArea(name) && name !== 'jobs') as Area) ?? 'jobs';
  if (area === 'jobs') {
    const summary = await runSeeds(first, count, print, { resume, areStaged, areOverWorkers, size });
    for (const line of seedsInWords(summary)) print(line);
    return summary.failures.length > 0 ? 1 : 0;
  }
  if (area === 'checkpoints') {
    const streams = await runStreams(first, count, print, { areOverWorkers, size });
    for (const line of streamsInWords(streams)) print(line);
    return streams.failures.length > 0 ? 1 : 0;
  }
  const { failures, ...counts } = await runArea({ area, isSmall, first, count }, print);
  print(JSON.stringify({ ...counts, failed: failures.length }));
  return failures.length > 0 ? 1 : 0;
}

async function runPlan(plan: readonly DrawnSeeds[]): Promise<number> {
  const summaries: unknown[] = [];
  for (const seeds of plan) {
    const before = process.cpuUsage();
    summaries.push(await runArea(seeds, note));
    const { user, system } = process.cpuUsage(before);
    note(
      `${seeds.area}, ${seeds.isSmall ? 'small' : 'large'}: ${seeds.count} seeds in ${Math.round((user + system) / 1e6)} s of CPU`,
    );
  }
  print(JSON.stringify(summaries));
  return 0;
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
