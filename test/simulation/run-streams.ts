import { simulate, type SimulationReport } from '../../src/testing/index.ts';
import { type DrawnSize, large, optionOf } from './drawn/drawn-size.ts';
import { checkDeclarations, drawStream } from './drawn/drawn-stream.ts';

/** Totals over simulated streams with checkpoints. */
export interface StreamsSummary {
  readonly passed: number;
  /** Failed runs, by seed. */
  readonly failures: readonly string[];
  /** Faults that fired; those of them that struck a checkpoint, */
  readonly faults: number;
  /** by moment and effect. */
  readonly byMoment: Readonly<Record<string, number>>;
  readonly completed: number;
  /** Failed checkpoints, by reason. */
  readonly failed: Readonly<Record<string, number>>;
  /** Regions that continued from a checkpoint, */
  readonly restored: number;
  /** and tasks that ran again. */
  readonly reRun: number;
  /** Regions that reproduced their output, so that their consumers went on. */
  readonly again: number;
  /** Checkpoints that could not be read, so that an earlier one was used; */
  readonly unreadable: number;
  /** jobs that rightly failed because none was left. */
  readonly withoutCheckpoint: number;
  readonly lostExecutors: number;
  /** Jobs of several components, jobs over workers, and jobs whose records may be counted twice. */
  readonly divided: number;
  readonly overWorkers: number;
  readonly atLeastOnce: number;
  /** Savepoints that were taken, those of them with which the run ended, */
  readonly savepoints: number;
  readonly stopped: number;
  /** and those of these that were drained; */
  readonly drained: number;
  /** those from which a run continued at another parallelism, and those that could not be taken. */
  readonly rescaled: number;
  readonly failedSavepoints: number;
}

/** Whether the stream of a seed runs over workers, unless all do. */
const isOverWorkers = (seed: number): boolean => seed % 4 === 3;

/** Simulates the stream of one seed. */
export function simulateStream(seed: number, areOverWorkers = false, size = large): Promise<SimulationReport> {
  const { job, checkpoints } = drawStream(seed, size);
  return simulate(job, {
    seed,
    checkpoints,
    workers: areOverWorkers || isOverWorkers(seed),
    maxParallelism: size.runParallelism,
  });
}

/**
 * Simulates `count` drawn streams, from seed `first` on.
 * @param tell gets failed runs, and occasionally the progress
 */
export async function runStreams(
  first: number,
  count: number,
  tell: (line: string) => void,
  {
    areOverWorkers = false,
    size = large,
  }: { readonly areOverWorkers?: boolean | undefined; readonly size?: DrawnSize } = {},
): Promise<StreamsSummary> {
  const failures: string[] = [];
  const failed: Record<string, number> = {};
  const byMoment: Record<string, number> = {};
  const sum = {
    ...{
      faults: 0,
      completed: 0,
      restored: 0,
      reRun: 0,
      again: 0,
      unreadable: 0,
      withoutCheckpoint: 0,
      lostExecutors: 0,
    },
    ...{
      divided: 0,
      overWorkers: 0,
      atLeastOnce: 0,
      savepoints: 0,
      stopped: 0,
      drained: 0,
      rescaled: 0,
      failedSavepoints: 0,
    },
  };
  for (let seed = first; seed < first + count; seed++) {
    try {
      const report = await simulateStream(seed, areOverWorkers, size);
      checkDeclarations(report.history.events);
      const components = new Set<number>();
      const { savepoint } = report;
      sum.savepoints += savepoint?.outcome === 'taken' ? 1 : 0;
      sum.failedSavepoints += savepoint?.outcome === 'failed' ? 1 : 0;
      sum.stopped += savepoint?.hasStopped === true ? 1 : 0;
      sum.drained += savepoint?.hasStopped === true && report.drawn.checkpoints?.savepoint?.drains === true ? 1 : 0;
      sum.rescaled += (savepoint?.parallelism ?? report.drawn.parallelism) === report.drawn.parallelism ? 0 : 1;
      for (const event of [...report.history.events, ...(savepoint?.continued?.events ?? [])]) {
        if ('component' in event) components.add(event.component);
        if (event.type === 'checkpoint.completed') sum.completed++;
        else if (event.type === 'checkpoint.failed') countIn(failed, event.reason);
        else if (event.type === 'checkpoint.restored') sum.restored++;
        else if (event.type === 'checkpoint.unreadable') sum.unreadable++;
        else if (event.type === 'executor.lost') sum.lostExecutors++;
      }
      for (const { moment, effect } of report.struckCheckpoints) countIn(byMoment, `${moment} ${effect}`);
      sum.faults += report.firedFaults;
      sum.reRun += report.receipt.tasks.reRun;
      for (const { regionsAgain } of report.receipt.failovers) sum.again += regionsAgain;
      sum.withoutCheckpoint += report.isWithoutCheckpoint ? 1 : 0;
      sum.divided += components.size > 1 ? 1 : 0;
      sum.overWorkers += report.drawn.areWorkers ? 1 : 0;
      sum.atLeastOnce += report.drawn.checkpoints?.settings.mode === 'at-least-once' ? 1 : 0;
    } catch (error) {
      const repeat = `--checkpoints --seeds 1 --seed ${seed}${areOverWorkers ? ' --workers' : ''}${optionOf(size)}`;
      failures.push(`seed ${seed} (npm run simulate -- ${repeat}): ${(error as Error).message}`);
      tell(`${failures.at(-1)}\n`);
    }
    const done = seed - first + 1;
    // Silence on a busy machine must not look like a run that is stuck.
    if (done % 10 === 0) tell(`… ${done} of ${count} streams, ${failures.length} failed`);
  }
  return { passed: count - failures.length, failures, byMoment, failed, ...sum };
}

function countIn(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** What a summary says to people. */
export function streamsInWords({ passed, failures, byMoment, failed, ...sum }: StreamsSummary): string[] {
  const told = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ');
  const { faults, completed, restored, reRun, again, unreadable, withoutCheckpoint, lostExecutors } = sum;
  return [
    `${faults} faults fired: ${told(byMoment)}`,
    `${completed} checkpoints completed, others failed: ${told(failed)}`,
    `${reRun} tasks ran again, ${restored} regions continued from a checkpoint, ${again} reproduced their output, ${lostExecutors} executors were lost`,
    `${unreadable} checkpoints could not be read, ${withoutCheckpoint} jobs rightly failed because none was left`,
    `${sum.divided} jobs had several components, ${sum.overWorkers} ran over workers, ${sum.atLeastOnce} at-least-once`,
    `${sum.savepoints} savepoints were taken, ${sum.failedSavepoints} could not be; ${sum.stopped} runs ended with theirs, ${sum.drained} of them drained, ${sum.rescaled} continued at another parallelism`,
    `${passed} passed, ${failures.length} failed`,
  ];
}
