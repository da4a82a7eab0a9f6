import type { DividedExchange } from '../../actors/job-event.ts';
import type { CallCounts, RejectedRecords } from '../../actors/protocol/deployment.ts';
import { type CheckpointsReceipt, continuedInWords, type ContinuedReceipt } from '../checkpoints/checkpoint-receipt.ts';
import { counted } from './counted.ts';

/** The cost of one failure. */
export interface FailoverReceipt {
  readonly failover: number;
  /** The failed task, `map[2]`; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  readonly cause: string;
  /** The lost results that the failure blames: `map[2]→sums`; absent if none. */
  readonly lostPartitions?: readonly string[];
  /** The strategy's reason, or why more restarted than it asked for. */
  readonly why: string | undefined;
  readonly regionsRestarted: number;
  /** Restarted tasks that had begun. */
  readonly tasksRestarted: number;
  /** Restarted regions that reproduced their results for other regions. */
  readonly regionsAgain: number;
  /** Whether consumers of those results kept running. */
  readonly readersKeptRunning: boolean;
  /** Results of other regions, complete or not, that restarted tasks re-read instead of recomputing them. */
  readonly partitionsReused: number;
  readonly bytesReused: number;
  readonly recordsReused: number;
  /** The delay set by the backoff. */
  readonly delayMs: number;
  /** Time from the failure until every restarted region that had begun ran again; undefined if that never happened. */
  readonly recoveryMs: number | undefined;
}

/** What a run took over from an earlier run of the same job, in its state directory. */
export interface ResumedReceipt {
  /** The latest of those runs. */
  readonly earlier: string;
  /** When the job finished there, in ISO 8601; undefined if it did not. */
  readonly finishedAt: string | undefined;
  /** Tasks that had finished. */
  readonly tasks: number;
  /** Results that were re-used instead of being recomputed. */
  readonly results: number;
  readonly records: number;
  readonly bytes: number;
  /** Those that were divided anew for another number of consumers, by exchange; absent if none were. */
  readonly divided?: readonly DividedExchange[];
  /** What its streaming components did with the checkpoints of that run; absent if there were none. */
  readonly checkpoints?: readonly ContinuedReceipt[];
  /** What ran again although it had finished: by operator, with the reason. */
  readonly rerun: readonly { readonly operator: string; readonly why: string }[];
}

/** An executor that was lost. */
export interface LostExecutorReceipt {
  readonly executor: string;
  /** `Task executor local-0 is lost: it was not heard for 10000 ms` */
  readonly cause: string;
}

/** The second attempts of slow tasks. */
export interface SpeculationReceipt {
  readonly begun: number;
  /** Those that finished before the first attempt. */
  readonly finishedFirst: number;
}

/** A region that is quarantined. */
export interface QuarantineReceipt {
  readonly region: number;
  /** The task that failed last, `map[2]`, with its failure. */
  readonly task: string;
  readonly cause: string;
  /** Number of its tasks. */
  readonly tasks: number;
  /** Its failures within the window of `quarantine`. */
  readonly failures: number;
}

/** The account of a run: its work and the cost of its recovery. Immutable. */
export interface JobReceipt {
  readonly job: string;
  /** When the run began, on the environment's clock. */
  readonly startedAtMs: number;
  /** Time since the beginning, until now or the end of the run. */
  readonly durationMs: number;
  readonly tasks: {
    readonly total: number;
    /** Tasks with more than one started attempt. */
    readonly reRun: number;
    /** Started attempts of all tasks. */
    readonly attempts: number;
  };
  /** Maximum number of attempts of a subtask, by vertex. */
  readonly attemptsByVertex: Readonly<Record<string, number>>;
  /** By vertex, over all attempts of its subtasks, including running ones. */
  readonly movedByVertex: Readonly<Record<string, MovedRecords>>;
  readonly records: {
    /** Records read from sources, over all attempts, including running ones. */
    readonly read: number;
    /** Records that an earlier attempt had already read. Does not count sources that cannot be read again. */
    readonly reRead: number;
  };
  /**
   * Tasks that finished before the end of their input because no consumer needed more: by vertex, with the records they
   * produced.
   */
  readonly endedEarly: readonly { readonly vertex: string; readonly tasks: number; readonly records: number }[];
  /**
   * Calls of operators that remember their answers, over all attempts that have ended: those made, and the answers that
   * took none. Absent if no such operator ran.
   */
  readonly calls?: CallCounts;
  /**
   * Records that `onError` rejected, by operator and source, in the attempts that finished; those of an earlier run too that
   * count as finished here.
   */
  readonly rejected: readonly RejectedRecords[];
  /**
   * Sources that cannot be read again but were reopened by restarted attempts: the number of such attempts, over all
   * subtasks, and of the records that earlier attempts had read. These records are lost, with those that arrived
   * between two attempts, except in the output of sinks without a rollback.
   */
  readonly reopenedSources: readonly { readonly source: string; readonly attempts: number; readonly records: number }[];
  /** The number of all failures. */
  readonly failures: number;
  /** The latest failures, at most 1 000. */
  readonly failovers: readonly FailoverReceipt[];
  /** Second attempts of slow tasks; absent if there was none. */
  readonly speculation?: SpeculationReceipt;
  /** Regions that are quarantined, or were at the end. Absent if there is none. */
  readonly quarantined?: readonly QuarantineReceipt[];
  /** Given with `quarantined`: whether the job ended so, with an incomplete output. */
  readonly isIncomplete?: boolean;
  /** The latest executors that were lost, at most 100, with the reason; absent if none was. */
  readonly lostExecutors?: readonly LostExecutorReceipt[];
  /** The checkpoints of this run; absent if there was none. */
  readonly checkpoints?: CheckpointsReceipt;
  /** What this run took over from an earlier one; undefined if it began from the start. */
  readonly resumed: ResumedReceipt | undefined;
  toString(): string;
}

/** The records that the tasks of a vertex read and emitted. */
export interface MovedRecords {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Records read per second since the run began. */
  readonly perSecond: number;
}

/** Formats bytes with three digits: `2.30 GB`, `41.0 kB`, `17 B` (more digits from 1000 PB on). */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  // Round to three digits first, so that 999 999 bytes are 1.00 MB.
  while (Number(value.toPrecision(3)) >= 1000 && unit + 1 < units.length) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 1000 ? Math.round(value) : value.toPrecision(3)} ${units[unit]}`;
}

/** `results of "label" divided anew for 3 tasks of "fix": 60 records` */
export function dividedInWords({ source, target, consumers, results, records }: DividedExchange): string {
  const what = results === 1 ? 'result' : 'results';
  return `${what} of "${source}" divided anew for ${counted(consumers, 'task')} of "${target}": ${counted(records, 'record')}`;
}

function describeResumed(resumed: ResumedReceipt, total: number): string[] {
  const { earlier, finishedAt, tasks, results, records, bytes, divided = [], checkpoints = [], rerun } = resumed;
  if (finishedAt !== undefined && tasks === total) {
    return [`  finished on ${finishedAt}: nothing has changed since, and nothing was done`];
  }
  const past =
    finishedAt === undefined
      ? `continued run ${earlier}: ${tasks} of ${counted(total, 'task')} had finished`
      : `run ${earlier} finished on ${finishedAt}: ${tasks} of ${counted(total, 'task')} need not run again`;
  return [
    `  ${past}`,
    `  results re-used from an earlier run: ${results}, ${counted(records, 'record')}, ${formatBytes(bytes)}`,
    ...divided.map((exchange) => `  ${dividedInWords(exchange)}`),
    ...checkpoints.map((continued) => `  ${continuedInWords(continued)}`),
    ...rerun.map(({ operator, why }) => `  "${operator}" runs again: ${why}`),
  ];
}

function describeCheckpoints(checkpoints: CheckpointsReceipt | undefined): string[] {
  if (checkpoints === undefined) return [];
  const { completed, failed, bytesWritten, restored, bytesRead, longestRestoreMs } = checkpoints;
  const written = `  checkpoints: ${completed} completed, ${failed} failed, ${formatBytes(bytesWritten)} written`;
  if (restored === 0) return [written];
  const took = `${formatBytes(bytesRead)} read, at most ${longestRestoreMs.toFixed(1)} ms to running`;
  return [written, `  ${counted(restored, 'region')} continued from checkpoints: ${took}`];
}

function describeQuarantined({ quarantined = [], isIncomplete }: Omit<JobReceipt, 'toString'>): string[] {
  if (quarantined.length === 0) return [];
  const regions = counted(quarantined.length, 'region');
  return [
    isIncomplete === true
      ? `  finished with ${regions} quarantined: the output is incomplete`
      : `  ${regions} quarantined`,
    ...quarantined.map(
      ({ region, task, tasks, failures, cause }) =>
        `    region ${region} (${counted(tasks, 'task')}) after ${counted(failures, 'failure')}, last of ${task}: ${cause}`,
    ),
  ];
}

/** `12 skipped by "parse"`, `3 dead letters of "embed"`. */
function rejectedBy({ operator, skipped, deadLetters }: RejectedRecords): string[] {
  return [
    ...(skipped > 0 ? [`${skipped} skipped by "${operator}"`] : []),
    ...(deadLetters > 0 ? [`${counted(deadLetters, 'dead letter')} of "${operator}"`] : []),
  ];
}

/** How many failures the text of a receipt describes. */
const mostDescribed = 100;

/** A receipt as text: the latest failures and their cost, tasks that ended early, sources that lost records. */
export function describeReceipt(receipt: Omit<JobReceipt, 'toString'>): string {
  const { tasks, records, failures } = receipt;
  const failovers = receipt.failovers.slice(-mostDescribed);
  const lines = [
    `${receipt.job}: ${counted(tasks.total, 'task')} in ${Math.round(receipt.durationMs)} ms, ${counted(failures, 'failure')}`,
    ...describeQuarantined(receipt),
  ];
  if (receipt.resumed !== undefined) lines.push(...describeResumed(receipt.resumed, tasks.total));
  if (failures > failovers.length) lines.push(`  the latest ${failovers.length} failures:`);
  for (const failover of failovers) {
    const recovery =
      failover.recoveryMs === undefined ? 'not recovered' : `${failover.recoveryMs.toFixed(1)} ms to running`;
    lines.push(
      `  ${failover.task ?? 'the job'} failed (${failover.cause})`,
      `    restarted ${failover.tasksRestarted} of ${tasks.total} tasks, ${recovery}` +
        (failover.delayMs > 0 ? ` (${Math.round(failover.delayMs)} ms of it backoff)` : '') +
        (failover.regionsAgain > 0 ? `; ${failover.regionsAgain} of its regions reproduced their output` : '') +
        (failover.readersKeptRunning ? ', and its consumers kept running' : ''),
      `    re-used ${counted(failover.partitionsReused, 'partition')}: ${failover.recordsReused} records, ${formatBytes(failover.bytesReused)}`,
    );
    if (failover.why !== undefined) lines.push(`    because ${failover.why}`);
  }
  for (const { cause } of receipt.lostExecutors ?? []) lines.push(`  ${cause}`);
  const { speculation } = receipt;
  if (speculation !== undefined) {
    const { begun, finishedFirst } = speculation;
    lines.push(`  ${counted(begun, 'second attempt')} of slow tasks, of which ${finishedFirst} finished first`);
  }
  for (const { vertex, tasks: ended, records: produced } of receipt.endedEarly) {
    lines.push(
      `  ${vertex}: ${counted(ended, 'task')} ended early, after ${counted(produced, 'record')}: no consumer needed more`,
    );
  }
  const { calls } = receipt;
  if (calls !== undefined) lines.push(`  calls made: ${calls.made}; answers re-used: ${calls.reused}`);
  if (calls !== undefined && calls.again > 0) {
    lines.push(`  in flight when an earlier run or its process ended: ${counted(calls.again, 'call')}, paid again`);
  }
  lines.push(...describeCheckpoints(receipt.checkpoints));
  const rejected = receipt.rejected.flatMap(rejectedBy);
  if (rejected.length > 0) lines.push(`  records not processed: ${rejected.join(', ')}`);
  const replaced = receipt.rejected.filter((one) => one.replaced > 0);
  if (replaced.length > 0) {
    const named = replaced.map(({ operator, replaced: count }) => `${count} of "${operator}"`);
    lines.push(`  records answered by \`onError\`: ${named.join(', ')}`);
  }
  for (const { source, attempts, records: read } of receipt.reopenedSources) {
    lines.push(
      `  ${counted(attempts, 'attempt')} of source "${source}" began again; what came before is lost, with ${counted(read, 'record')} that had been read`,
    );
  }
  if (failovers.length > 0) {
    lines.push(
      `  re-ran ${tasks.reRun} of ${tasks.total} tasks; sources re-read ${records.reRead} of ${records.read - records.reRead} records`,
    );
  }
  return lines.join('\n');
}
