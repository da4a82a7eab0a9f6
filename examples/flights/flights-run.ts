import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  type FailoverRule,
  fixedDelay,
  type JobEvent,
  type JobReceipt,
  type JobRun,
  type JobRunOptions,
  systemEnvironment,
} from 'kintsugi';
import { faultPlan } from 'kintsugi/testing';
import { filter, take } from 'rxjs';
import { workersFor } from '../demo-options.ts';
import { inspected } from '../inspected.ts';
import { steered } from '../steered.ts';
import { type Airports, keyed, output, readOutput, sameAirports } from './airports.ts';
import flights from './flights-job.ts';
import { showProgress } from './progress.ts';
import { watchRecovery } from './recovery.ts';

const parallelism = 4;
const rows = 3_000_000;

/** The outcome of one run of the job. */
export interface Outcome {
  readonly label: string;
  readonly receipt: JobReceipt;
  /** The states that the charts of its regions went through after the failure. */
  readonly recovery: string;
  readonly wallMs: number;
  /** Of this: until the first task was deployed. */
  readonly startMs: number;
  /** What it has written, and whether that is what it must be. */
  readonly airports: Airports;
  readonly isRight: boolean;
}

interface FlightsRun {
  readonly label: string;
  /** What the result must be. */
  readonly expected: Airports;
  readonly failoverStrategy?: FailoverRule;
  /** Called when by-airport has read half of its rows; undefined: nothing is broken. */
  readonly atHalf?: 'kills the task' | ((run: JobRun) => Promise<void>);
  /** Default: as the demo was told. */
  readonly executors?: JobRunOptions['executors'];
}

const threads = workersFor(new URL('./flights-job.ts', import.meta.url));

/** Runs the job once, and compares its result. */
export async function runFlights({
  label,
  expected,
  failoverStrategy,
  atHalf,
  executors = threads,
}: FlightsRun): Promise<Outcome> {
  await rm(dirname(output), { recursive: true, force: true });
  const isHere = typeof executors !== 'object';
  const startedMs = performance.now();
  const job = flights({ parallelism: String(parallelism), output });
  await using running = await inspected(
    job.run({
      ...(failoverStrategy && { failoverStrategy }),
      restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 0 }),
      environment: systemEnvironment({
        // Fault points are those of this thread.
        ...(isHere && atHalf === 'kills the task' && { faults: killedHalfWay() }),
        freezeRecords: false,
      }),
      executors,
      // So that what is read in other threads is known soon.
      ...(!isHere && { heartbeat: { intervalMs: 50, timeoutMs: 10_000 } }),
    }),
  );
  let startMs = Number.NaN;
  const isDeployed = (event: JobEvent): boolean => event.type === 'task.stateChanged' && event.state === 'deploying';
  running.events$.pipe(filter(isDeployed), take(1)).subscribe(() => {
    startMs = performance.now() - startedMs;
  });
  showProgress(label, running, () => running.receipt().records.read);
  const recovery = watchRecovery(running);
  if (typeof atHalf === 'function') await whenHalfRead(running, atHalf);
  else if (atHalf !== undefined && !isHere) await whenHalfRead(running, killsTask);
  const { receipt } = await running.result;
  const wallMs = performance.now() - startedMs;
  const lines = await readOutput();
  const isRight = sameAirports(lines, expected);
  return { label, receipt, recovery: recovery(), wallMs, startMs, airports: keyed(lines), isRight };
}

/** by-airport[1] throws after half of its rows. */
function killedHalfWay() {
  const faults = faultPlan();
  const half = rows / parallelism / 2;
  faults.fail('task.batch', {
    when: ({ vertex, subtask, records }) => vertex === 'by-airport' && subtask === 1 && Number(records) >= half,
    error: new Error('killed half-way, on purpose'),
  });
  return faults;
}

async function killsTask(run: JobRun): Promise<void> {
  const act = await steered(run);
  await act('fail-task', { task: 'by-airport[1]', message: 'killed half-way, on purpose' });
}

/** Does something once, when half of the rows have reached by-airport, as far as this thread knows. */
async function whenHalfRead(run: JobRun, act: (run: JobRun) => Promise<void>): Promise<void> {
  const isHalfRead = (): boolean => (run.receipt().movedByVertex['by-airport']?.recordsIn ?? 0) >= rows / 2;
  let hasEnded = false;
  const end = (): void => {
    hasEnded = true;
  };
  run.result.then(end, end);
  while (!hasEnded && !isHalfRead()) await setTimeout(5);
  if (!hasEnded) await act(run);
}
