import { type FailoverRule, restartAll, restartIndividual, restartPipelinedRegion } from 'kintsugi';
import { killsWorker, workerCount } from '../demo-options.ts';
import { type Airports, keyed, output } from './airports.ts';
import { type Outcome, runFlights } from './flights-run.ts';
import { killedWorker } from './killed-worker.ts';
import { singleLoop } from './single-loop.ts';

const strategies: readonly [string, FailoverRule][] = [
  ['restartPipelinedRegion', restartPipelinedRegion()],
  ['restartIndividual', restartIndividual()],
  ['restartAll', restartAll()],
];

async function main(): Promise<void> {
  console.log('Three million flights by origin airport: flights, mean delay, worst delay.\n');
  const startedMs = performance.now();
  const expected = keyed(await singleLoop());
  console.log(`One plain loop over the file: ${seconds(performance.now() - startedMs)}, ${expected.size} airports.`);

  const first = await runFlights({ label: 'first run', expected, executors: 1 });
  const here = await runFlights({ label: 'no failure', expected, executors: 1 });
  console.log(
    `The same as a job of ${first.receipt.tasks.total} tasks: ${seconds(first.wallMs)}, then ${seconds(here.wallMs)} when warm. ${verdict(here)}`,
  );
  const undisturbed = workerCount === undefined ? here : await overWorkers(workerCount, expected);
  const outcomes = [first, here, undisturbed, ...(await killedTasks(expected, undisturbed))];
  if (killsWorker) outcomes.push(await killedInTheMiddle(undisturbed));
  console.log(`\nThe result is in ${output.replace('.csv', '-*.csv')}.`);
  if (!outcomes.every(({ isRight }) => isRight)) process.exitCode = 1;
}

async function overWorkers(count: number, expected: Airports): Promise<Outcome> {
  const outcome = await runFlights({ label: 'over workers', expected });
  console.log(
    `Over ${count} worker threads: ${seconds(outcome.wallMs)}, ${seconds(outcome.startMs)} of it their start. ${verdict(outcome)}`,
  );
  return outcome;
}

async function killedTasks(expected: Airports, undisturbed: Outcome): Promise<Outcome[]> {
  console.log('\nNow by-airport[1] is killed after half of its rows.\n');
  const outcomes: Outcome[] = [];
  for (const [label, failoverStrategy] of strategies) {
    const outcome = await runFlights({ label, expected, failoverStrategy, atHalf: 'kills the task' });
    outcomes.push(outcome);
    console.log(`${label}\n${outcome.recovery}\n${outcome.receipt.toString()}\n  ${verdict(outcome)}\n`);
  }
  console.log(table(undisturbed, outcomes));
  console.log('(time lost: compared with the run without a failure; a tenth of a second is noise)');
  return outcomes;
}

async function killedInTheMiddle({ airports }: Outcome): Promise<Outcome> {
  console.log(
    '\nNow a worker is killed after half of the rows of by-airport, with all that runs on it and all it holds.\n',
  );
  const outcome = await killedWorker(airports);
  const compared = `the undisturbed run: ${outcome.airports.size} of ${airports.size} airports`;
  console.log(outcome.isRight ? `  Equal to ${compared}, line for line.` : `  NOT EQUAL to ${compared}.`);
  return outcome;
}

function table(undisturbed: Outcome, outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ label, receipt, wallMs }) => {
    const [failover] = receipt.failovers;
    return [
      label,
      `${failover?.tasksRestarted ?? 0} of ${receipt.tasks.total}`,
      millions(receipt.records.reRead),
      millions(failover?.recordsReused ?? 0),
      `${(failover?.recoveryMs ?? 0).toFixed(1)} ms`,
      seconds(Math.max(0, wallMs - undisturbed.wallMs)),
    ];
  });
  const heads = ['strategy', 'tasks re-run', 'rows re-read', 'records re-used', 'to running', 'time lost'];
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ');
  return [line(heads), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

function verdict({ isRight }: Outcome): string {
  return isRight ? 'Equal to the plain loop, line for line.' : 'NOT EQUAL to the plain loop.';
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function millions(rows: number): string {
  return `${(rows / 1e6).toFixed(2)} M`;
}

await main();
