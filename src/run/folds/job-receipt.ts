/** What one failure cost. */
export interface FailoverReceipt {
  readonly failover: number;
  /** The task that failed, as `map[2]`; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  readonly cause: string;
  /** Why more was restarted than asked for, or what the strategy said. */
  readonly why: string | undefined;
  readonly regionsRestarted: number;
  /** Tasks of those that had begun. */
  readonly tasksRestarted: number;
  /** Regions among them that reproduced their output for other regions. */
  readonly regionsAgain: number;
  /** Whether consumers of their output kept running meanwhile. */
  readonly readersKeptRunning: boolean;
  /** Results of other regions that restarted tasks re-read instead of recomputing them, complete or still being written. */
  readonly partitionsReused: number;
  readonly bytesReused: number;
  readonly recordsReused: number;
  /** The wait that the backoff asked for. */
  readonly delayMs: number;
  /** From the failure until every restarted region ran again; undefined if that never came. */
  readonly recoveryMs: number | undefined;
}

/** What a run did and what its recovery cost. Immutable. */
export interface JobReceipt {
  readonly job: string;
  /** When the run began, on the environment's clock. */
  readonly startedAtMs: number;
  /** Until now, or until it ended. */
  readonly durationMs: number;
  readonly tasks: {
    readonly total: number;
    /** Tasks that were started more than once. */
    readonly reRun: number;
    /** Attempts that were started, all tasks together. */
    readonly attempts: number;
  };
  /** The greatest number of attempts of any subtask, by vertex. */
  readonly attemptsByVertex: Readonly<Record<string, number>>;
  /** By vertex, over all attempts of its subtasks, those that run included. */
  readonly movedByVertex: Readonly<Record<string, MovedRecords>>;
  readonly records: {
    /** Records that sources handed out, over all attempts, those that run included. */
    readonly read: number;
    /** Those among them that an earlier attempt had read before. None of a source that cannot be read again. */
    readonly reRead: number;
  };
  /** Tasks that finished before their input had ended, as no consumer needed more: by vertex, with what they produced. */
  readonly endedEarly: readonly { readonly vertex: string; readonly tasks: number; readonly records: number }[];
  /**
   * Sources that cannot be read again and that restarted attempts opened again: how many attempts, over all subtasks, and how
   * many records the attempts before had read. These are lost, with what came between two attempts, except for what sinks
   * that take nothing back have written.
   */
  readonly reopenedSources: readonly { readonly source: string; readonly attempts: number; readonly records: number }[];
  readonly failovers: readonly FailoverReceipt[];
  toString(): string;
}

/** What the tasks of a vertex took in and handed on. */
export interface MovedRecords {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Records taken per second since the run began. */
  readonly perSecond: number;
}

/** `2.30 GB`, `41.0 kB`, `17 B`: three digits, and more only from 1000 PB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  // Rounded to three digits first: 999 999 bytes are 1.00 MB.
  while (Number(value.toPrecision(3)) >= 1000 && unit + 1 < units.length) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 1000 ? Math.round(value) : value.toPrecision(3)} ${units[unit]}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A receipt in lines: what failed, what that cost, which tasks ended early, which sources lost what. */
export function describeReceipt(receipt: Omit<JobReceipt, 'toString'>): string {
  const { tasks, records, failovers } = receipt;
  const lines = [
    `${receipt.job}: ${counted(tasks.total, 'task')} in ${Math.round(receipt.durationMs)} ms, ${counted(failovers.length, 'failure')}`,
  ];
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
  for (const { vertex, tasks: ended, records: produced } of receipt.endedEarly) {
    lines.push(
      `  ${vertex}: ${counted(ended, 'task')} ended early, after ${counted(produced, 'record')}: no consumer needed more`,
    );
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
