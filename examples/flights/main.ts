import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type FailoverRule,
  fixedDelay,
  type JobReceipt,
  restartAll,
  restartIndividual,
  restartPipelinedRegion,
  systemEnvironment,
} from 'kintsugi';
import { faultPlan } from 'kintsugi/testing';
import { inspected } from '../inspected.ts';
import { type Airport, flightsJob } from './flights-job.ts';
import { showProgress } from './progress.ts';
import { watchRecovery } from './recovery.ts';
import { singleLoop } from './single-loop.ts';

const parallelism = 4;
const output = 'out/airports.csv';

/** The outcome of one run of the job. */
interface Outcome {
  readonly label: string;
  readonly receipt: JobReceipt;
  /** The states that the charts of its regions went through after the failure. */
  readonly recovery: string;
  readonly wallMs: number;
  readonly rowsRead: number;
  readonly isRight: boolean;
}

async function main(): Promise<void> {
  console.log('Three million flights by origin airport: flights, mean delay, worst delay.\n');
  const startedMs = performance.now();
  const expected = keyed(await singleLoop());
  console.log(`One plain loop over the file: ${seconds(performance.now() - startedMs)}, ${expected.size} airports.`);

  const first = await run('first run', undefined, expected);
  const undisturbed = await run('no failure', undefined, expected);
  console.log(
    `The same as a job of ${first.receipt.tasks.total} tasks: ${seconds(first.wallMs)}, then ${seconds(undisturbed.wallMs)} when warm. ${verdict(undisturbed)}\n`,
  );
  console.log('Now by-airport[1] is killed after half of its rows.\n');
  const strategies: readonly [string, FailoverRule][] = [
    ['restartPipelinedRegion', restartPipelinedRegion()],
    ['restartIndividual', restartIndividual()],
    ['restartAll', restartAll()],
  ];
  const outcomes: Outcome[] = [];
  for (const [label, strategy] of strategies) {
    const outcome = await run(label, strategy, expected);
    outcomes.push(outcome);
    console.log(`${label}\n${outcome.recovery}\n${outcome.receipt.toString()}\n  ${verdict(outcome)}\n`);
  }
  console.log(table(undisturbed, outcomes));
  console.log('(time lost: compared with the run without a failure; a tenth of a second is noise)');
  console.log(`\nThe result is in ${output.replace('.csv', '-*.csv')}.`);
  if (![first, undisturbed, ...outcomes].every(({ isRight }) => isRight)) process.exitCode = 1;
}

/** Runs the job once; if a strategy is given, one task is killed half-way. */
async function run(
  label: string,
  failoverStrategy: FailoverRule | undefined,
  expected: ReadonlyMap<string, Airport>,
): Promise<Outcome> {
  await rm('out', { recursive: true, force: true });
  let rowsRead = 0;
  const faults = faultPlan();
  const half = 3_000_000 / parallelism / 2;
  if (failoverStrategy !== undefined) {
    faults.fail('task.batch', {
      when: ({ vertex, subtask, records }) => vertex === 'by-airport' && subtask === 1 && Number(records) >= half,
      error: new Error('killed half-way, on purpose'),
    });
  }
  const startedMs = performance.now();
  const job = flightsJob({ parallelism, output, onRow: () => rowsRead++ });
  await using running = await inspected(
    job.run({
      ...(failoverStrategy && { failoverStrategy }),
      restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 0 }),
      environment: systemEnvironment({ faults, freezeRecords: false }),
    }),
  );
  showProgress(label, running, () => rowsRead);
  const recovery = watchRecovery(running);
  const { receipt } = await running.result;
  const wallMs = performance.now() - startedMs;
  return {
    label,
    receipt,
    recovery: recovery(),
    wallMs,
    rowsRead,
    isRight: sameAirports(await readOutput(), expected),
  };
}

/** The lines of all part files. */
async function readOutput(): Promise<Airport[]> {
  const files = (await readdir('out')).filter((name) => name.endsWith('.csv'));
  const texts = await Promise.all(files.map((name) => readFile(join('out', name), 'utf8')));
  return texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => {
        const [origin, flights, meanDelay, worstDelay] = line.split(',');
        return {
          origin: String(origin),
          flights: Number(flights),
          meanDelay: Number(meanDelay),
          worstDelay: Number(worstDelay),
        };
      }),
  );
}

function sameAirports(lines: readonly Airport[], expected: ReadonlyMap<string, Airport>): boolean {
  return (
    lines.length === expected.size &&
    lines.every((line) => {
      const airport = expected.get(line.origin);
      return (
        airport !== undefined &&
        airport.flights === line.flights &&
        airport.meanDelay === line.meanDelay &&
        airport.worstDelay === line.worstDelay
      );
    })
  );
}

function table(undisturbed: Outcome, outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ label, receipt, wallMs, rowsRead }) => {
    const [failover] = receipt.failovers;
    return [
      label,
      `${failover?.tasksRestarted ?? 0} of ${receipt.tasks.total}`,
      millions(rowsRead - undisturbed.rowsRead),
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

function keyed(airports: readonly Airport[]): ReadonlyMap<string, Airport> {
  return new Map(airports.map((airport) => [airport.origin, airport]));
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function millions(rows: number): string {
  return `${(rows / 1e6).toFixed(2)} M`;
}

await main();
