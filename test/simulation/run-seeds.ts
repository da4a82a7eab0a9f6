import { simulate } from '../../src/testing/index.ts';
import { resumeReport } from './durable/simulated-resume.ts';
import { deleteFiles } from './changing-file.ts';
import { drawJobAndFiles } from './drawn/drawn-job.ts';
import { withQuarantine } from './drawn/drawn-quarantine.ts';
import { type DrawnSize, large, optionOf } from './drawn/drawn-size.ts';
import { drawStagedJob } from './staged-job.ts';
import { drawRudeExtensions } from './rude-extensions.ts';

/** Totals over simulated jobs. */
export interface SeedsSummary {
  readonly passed: number;
  /** Failed runs, by seed. */
  readonly failures: readonly string[];
  /** Faults that fired. */
  readonly faults: number;
  readonly tasks: number;
  readonly attempts: number;
  readonly reRun: number;
  /** Results that were re-read instead of recomputed. */
  readonly reused: number;
  /** Restarts of single tasks that had to be widened. */
  readonly widened: number;
  /** Regions that reproduced their output while their consumers kept running. */
  readonly again: number;
  /** Detected false declarations of determinism. */
  readonly brokenDeclarations: number;
  /** Jobs that rightly failed because their disk budget was too small. */
  readonly tooLarge: number;
  /** Rejected records, by `onError`. */
  readonly rejected: number;
  /** Jobs whose sinks answered in drawn manners. */
  readonly rudeSinks: number;
  /** Overruled answers of strategies and backoffs. */
  readonly overruled: number;
  /** Executors that were lost, by a fault or because their connection went silent. */
  readonly lostExecutors: number;
  /** Observers, classifiers and enrichers that failed. */
  readonly unheard: number;
  /** Second attempts of slow tasks, and those of them that were preferred. */
  readonly speculated: number;
  readonly preferred: number;
  /** Those that wrote to a sink beside the first attempt. */
  readonly besideSinks: number;
  /** Jobs with a file that was appended to during the run, which changes nothing. */
  readonly appended: number;
  /** Jobs with a file that was changed otherwise, */
  readonly changed: number;
  /** and those among them that rightly failed because of it. */
  readonly inputsChanged: number;
  /** Regions that were quarantined, and released again, */
  readonly quarantined: number;
  readonly released: number;
  /** and jobs that ended with one. */
  readonly incomplete: number;
}

/** What the drawn jobs are, beside what their seeds draw. */
interface SeedsOptions {
  /** Whether each run is also looked at as if its process had died, after every event. */
  readonly resume?: boolean | undefined;
  /** Whether all jobs consist of stages, whose slow tasks may have second attempts; otherwise as many as their size says. */
  readonly areStaged?: boolean | undefined;
  /** Whether all jobs run over workers; otherwise one in sixteen. */
  readonly areOverWorkers?: boolean | undefined;
  readonly size?: DrawnSize | undefined;
}

/**
 * Simulates `count` drawn jobs, from seed `first` on.
 * @param tell gets failed runs, and occasionally the progress
 */
export async function runSeeds(
  first: number,
  count: number,
  tell: (line: string) => void,
  { resume = false, areStaged = false, areOverWorkers = false, size = large }: SeedsOptions = {},
): Promise<SeedsSummary> {
  const failures: string[] = [];
  const sum = {
    faults: 0,
    tasks: 0,
    attempts: 0,
    reRun: 0,
    reused: 0,
    widened: 0,
    again: 0,
    brokenDeclarations: 0,
    tooLarge: 0,
    rejected: 0,
    rudeSinks: 0,
    overruled: 0,
    unheard: 0,
    lostExecutors: 0,
    speculated: 0,
    preferred: 0,
    besideSinks: 0,
    appended: 0,
    changed: 0,
    inputsChanged: 0,
    quarantined: 0,
    released: 0,
    incomplete: 0,
  };
  for (let seed = first; seed < first + count; seed++) {
    try {
      const isStaged = areStaged || seed % size.staged === 0;
      const { job, files } = isStaged ? { job: drawStagedJob(seed, size), files: [] } : drawJobAndFiles(seed, size);
      const workers = areOverWorkers || seed % 16 === 4;
      const report = await simulate(job, {
        seed,
        workers,
        maxParallelism: size.runParallelism,
        ...withQuarantine(seed, drawRudeExtensions(seed)),
      });
      const [problem] = resume ? (await resumeReport(job, report)).problems : [];
      if (problem !== undefined) throw new Error(problem);
      const { drawn, firedFaults, isTooLarge, isInputChanged, isIncomplete, receipt, history } = report;
      sum.incomplete += isIncomplete ? 1 : 0;
      const changes = files.flatMap(({ isChanged, change }) => (isChanged ? [change] : []));
      const isChanged = changes.some((change) => change !== 'appended to');
      if (isInputChanged && !isChanged) throw new Error('it failed because of a change that there was not');
      sum.appended += changes.includes('appended to') ? 1 : 0;
      sum.changed += isChanged ? 1 : 0;
      sum.inputsChanged += isInputChanged ? 1 : 0;
      sum.rudeSinks += drawn.sinkAnswers === 'drawn' ? 1 : 0;
      for (const event of history.events) {
        const { type } = event;
        if (type === 'task.speculated') {
          sum.speculated++;
          sum.besideSinks += /^(out|taste)\[/.test(event.task) ? 1 : 0;
        } else if (type === 'speculation.decided') sum.preferred += event.attempt > event.instead ? 1 : 0;
        else if (type === 'failover.overruled') sum.overruled++;
        else if (type === 'executor.lost') sum.lostExecutors++;
        else if (type === 'region.quarantined') sum.quarantined++;
        else if (type === 'region.released') sum.released++;
        else if (type === 'failure.extensionFailed' || type === 'observer.failed') sum.unheard++;
      }
      sum.faults += firedFaults;
      sum.tasks += receipt.tasks.total;
      sum.attempts += receipt.tasks.attempts;
      for (const { skipped, deadLetters, replaced } of receipt.rejected)
        sum.rejected += skipped + deadLetters + replaced;
      sum.reRun += receipt.tasks.reRun;
      sum.tooLarge += isTooLarge ? 1 : 0;
      for (const { partitionsReused, why, regionsAgain } of receipt.failovers) {
        sum.reused += partitionsReused;
        sum.widened += why === undefined ? 0 : 1;
        sum.again += regionsAgain;
      }
      sum.brokenDeclarations += history.events.filter(({ type }) => type === 'determinism.broken').length;
    } catch (error) {
      const repeat = `--seeds 1 --seed ${seed}${areStaged ? ' --staged' : ''}${areOverWorkers ? ' --workers' : ''}${optionOf(size)}`;
      failures.push(`seed ${seed} (npm run simulate -- ${repeat}): ${(error as Error).message}`);
      tell(`${failures.at(-1)}\n`);
    }
    const done = seed - first + 1;
    if (done % 100 === 0) tell(`… ${done} of ${count} seeds, ${failures.length} failed`);
  }
  deleteFiles();
  return { passed: count - failures.length, failures, ...sum };
}

/** What a summary says to people. */
export function seedsInWords({ passed, failures, ...sum }: SeedsSummary): string[] {
  return [
    `${sum.faults} faults fired; ${sum.tasks} tasks took ${sum.attempts} attempts`,
    `${sum.rejected} records were rejected, ${sum.lostExecutors} executors were lost`,
    `${sum.again} regions reproduced their output, ${sum.brokenDeclarations} declarations were false, ${sum.tooLarge} jobs were too large`,
    `${sum.rudeSinks} jobs had misbehaving sinks, ${sum.overruled} decisions were overruled, ${sum.unheard} other extensions failed`,
    `${sum.appended} files were appended to, ${sum.changed} changed otherwise, which ${sum.inputsChanged} jobs rightly reported`,
    `${sum.speculated} slow tasks got a second attempt, ${sum.preferred} of which were preferred; ${sum.besideSinks} had sinks`,
    `${sum.quarantined} regions were quarantined, ${sum.released} released, ${sum.incomplete} jobs ended as incomplete`,
    `${passed} passed, ${failures.length} failed`,
  ];
}
