import type { JobEvent } from '../actors/job-event.ts';
import type { PartitionId } from '../ids.ts';
import type { JobLedger } from '../machines/job-ledger.ts';

/** What one failure cost. */
export interface FailoverReceipt {
  readonly failover: number;
  /** The task that failed, as `map[2]`; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  readonly cause: string;
  /** Why more was restarted than asked for, or what the strategy said. */
  readonly why: string | undefined;
  readonly regionsRestarted: number;
  readonly tasksRestarted: number;
  /** Regions among them that reproduced their output. */
  readonly regionsAgain: number;
  /** Whether tasks that read the output of those kept running meanwhile. */
  readonly readersKeptRunning: boolean;
  /** Results that restarted tasks read again instead of having them produced again, complete or still being written. */
  readonly partitionsReused: number;
  readonly bytesReused: number;
  readonly recordsReused: number;
  /** The wait that the backoff asked for. */
  readonly delayMs: number;
  /** From the failure until every restarted region ran again; undefined if that never came. */
  readonly recoveryMs: number | undefined;
}

/** What a run did and what its recovery cost. */
export interface JobReceipt {
  readonly job: string;
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
  readonly records: {
    /** Records that sources handed out, over all attempts. */
    readonly read: number;
    /** Those among them that an earlier attempt had read before. */
    readonly reRead: number;
  };
  /** Tasks that finished before their input had ended, because nobody needed more: by vertex, with what they produced. */
  readonly endedEarly: readonly { readonly vertex: string; readonly tasks: number; readonly records: number }[];
  readonly failovers: readonly FailoverReceipt[];
  toString(): string;
}

/** What of a result can be read again: asked when a failover is decided. */
export interface ReusableResult {
  readonly records: number;
  readonly bytes: number;
}

/** Keeps the receipt of a run from its events. */
export class ReceiptBook {
  readonly #job: string;
  readonly #ledger: JobLedger;
  readonly #resultOf: (partition: PartitionId) => ReusableResult | undefined;
  readonly #attemptsOf: Uint32Array;
  readonly #failovers = new Map<number, { -readonly [Key in keyof FailoverReceipt]: FailoverReceipt[Key] }>();
  /** Per source vertex: records of the attempt that read most, and of all attempts. */
  readonly #sourceReads = new Map<number, { most: number; all: number }>();
  /** What tasks had produced that nobody needed more of, in their latest attempt. */
  readonly #curtailed = new Map<number, number>();
  #startedMs: number | undefined;
  #endedMs = 0;

  constructor(job: string, ledger: JobLedger, resultOf: (partition: PartitionId) => ReusableResult | undefined) {
    this.#job = job;
    this.#ledger = ledger;
    this.#resultOf = resultOf;
    this.#attemptsOf = new Uint32Array(ledger.graph.vertexCount);
  }

  /** Notes what a source handed out in one attempt, when that attempt ended. */
  noteSourceRead(vertex: number, records: number): void {
    const reads = this.#sourceReads.get(vertex) ?? { most: 0, all: 0 };
    reads.most = Math.max(reads.most, records);
    reads.all += records;
    this.#sourceReads.set(vertex, reads);
  }

  note(event: JobEvent): void {
    this.#endedMs = event.atMs;
    this.#startedMs ??= event.atMs;
    switch (event.type) {
      case 'task.stateChanged':
        if (event.state === 'deploying') {
          this.#attemptsOf[event.vertex] = (this.#attemptsOf[event.vertex] as number) + 1;
          this.#curtailed.delete(event.vertex);
        }
        break;
      case 'task.curtailed':
        this.#curtailed.set(event.vertex, event.records);
        break;
      case 'task.failed':
        this.#failovers.set(event.failover, {
          failover: event.failover,
          task: event.task,
          cause: `${event.cause.name}: ${event.cause.message}`,
          why: undefined,
          regionsRestarted: 0,
          tasksRestarted: 0,
          regionsAgain: 0,
          readersKeptRunning: false,
          partitionsReused: 0,
          bytesReused: 0,
          recordsReused: 0,
          delayMs: 0,
          recoveryMs: undefined,
        });
        break;
      case 'failover.decided': {
        const entry = this.#failovers.get(event.failover);
        if (entry === undefined) break;
        entry.regionsRestarted = event.regions.length;
        entry.tasksRestarted = event.taskCount;
        entry.regionsAgain = event.again.length;
        entry.readersKeptRunning = this.#readersKeepRunning(event);
        entry.delayMs = event.delayMs;
        entry.why = event.why;
        Object.assign(entry, this.#reuse(event));
        break;
      }
      case 'failover.refused': {
        const entry = this.#failovers.get(event.failover);
        if (entry !== undefined) entry.why = event.why;
        break;
      }
      case 'failover.completed': {
        const entry = this.#failovers.get(event.failover);
        if (entry !== undefined) entry.recoveryMs = event.durationMs;
        break;
      }
      default:
        break;
    }
  }

  receipt(): JobReceipt {
    const { graph } = this.#ledger;
    const attemptsByVertex: Record<string, number> = {};
    let reRun = 0;
    let attempts = 0;
    let execution = 0;
    for (const vertex of graph.jobGraph.vertices) {
      let most = 0;
      for (let subtask = 0; subtask < vertex.parallelism; subtask++, execution++) {
        const count = this.#attemptsOf[execution] as number;
        most = Math.max(most, count);
        attempts += count;
        if (count > 1) reRun++;
      }
      attemptsByVertex[vertex.id] = most;
    }
    let read = 0;
    let reRead = 0;
    for (const { most, all } of this.#sourceReads.values()) {
      read += all;
      reRead += all - most;
    }
    const receipt = {
      job: this.#job,
      durationMs: this.#endedMs - (this.#startedMs ?? this.#endedMs),
      tasks: { total: graph.vertexCount, reRun, attempts },
      attemptsByVertex,
      records: { read, reRead },
      endedEarly: this.#endedEarly(),
      failovers: [...this.#failovers.values()],
    };
    return { ...receipt, toString: () => describeReceipt(receipt) };
  }

  #endedEarly(): JobReceipt['endedEarly'] {
    const { graph } = this.#ledger;
    const byVertex = new Map<string, { vertex: string; tasks: number; records: number }>();
    for (const [task, records] of this.#curtailed) {
      const vertex = graph.jobVertexOf(task as never).id;
      const entry = byVertex.get(vertex) ?? { vertex, tasks: 0, records: 0 };
      byVertex.set(vertex, { vertex, tasks: entry.tasks + 1, records: entry.records + records });
    }
    return [...byVertex.values()];
  }

  /** Whether somebody who does not restart still reads what is produced again. Called before it is invalidated. */
  #readersKeepRunning({ regions, again }: Extract<JobEvent, { type: 'failover.decided' }>): boolean {
    const { graph, regions: regionsOf } = this.#ledger;
    const restarted = new Set(regions);
    return again.some((region) =>
      Array.from(regionsOf.verticesOf(region)).some((vertex) =>
        graph.partitionsOf(vertex as never).some((partition) => {
          for (const reader of this.#ledger.readersOf(partition)) {
            if (!restarted.has(regionsOf.regionOf(reader))) return true;
          }
          return false;
        }),
      ),
    );
  }

  /** The results that restarted regions read and that are not produced anew. Called before they are invalidated. */
  #reuse({ regions }: Extract<JobEvent, { type: 'failover.decided' }>) {
    const { graph } = this.#ledger;
    const restarted = new Set(regions);
    const seen = new Set<number>();
    const reuse = { partitionsReused: 0, bytesReused: 0, recordsReused: 0 };
    for (const region of regions) {
      for (const vertex of this.#ledger.regions.verticesOf(region)) {
        graph.forEachConsumedGroup(vertex as never, (group) => {
          if (seen.has(group) || graph.exchangeOfGroup(group).joinsRegions) return;
          seen.add(group);
          for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
            if (restarted.has(this.#ledger.regions.regionOf(producer as never))) continue;
            const partition = graph.partitionOf(graph.edgeIndexOfGroup(group), producer as never);
            if (!this.#ledger.isPartitionReadable(partition)) continue;
            const result = this.#resultOf(partition);
            reuse.partitionsReused++;
            reuse.bytesReused += result?.bytes ?? 0;
            reuse.recordsReused += result?.records ?? 0;
          }
        });
      }
    }
    return reuse;
  }
}

/** `2.3 GB`, `41.0 kB`, `17 B`: three digits at the most. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit + 1 < units.length) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

function describeReceipt(receipt: Omit<JobReceipt, 'toString'>): string {
  const { tasks, records, failovers } = receipt;
  const lines = [
    `${receipt.job}: ${tasks.total} tasks in ${Math.round(receipt.durationMs)} ms, ${failovers.length} ${failovers.length === 1 ? 'failure' : 'failures'}`,
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
      `    re-used ${failover.partitionsReused} partitions: ${failover.recordsReused} records, ${formatBytes(failover.bytesReused)}`,
    );
    if (failover.why !== undefined) lines.push(`    because ${failover.why}`);
  }
  for (const { vertex, tasks: ended, records: produced } of receipt.endedEarly) {
    lines.push(
      `  ${vertex}: ${ended === 1 ? '1 task' : `${ended} tasks`} ended early, after ${produced} records: nobody needed more`,
    );
  }
  if (failovers.length > 0) {
    lines.push(
      `  re-ran ${tasks.reRun} of ${tasks.total} tasks; sources re-read ${records.reRead} of ${records.read - records.reRead} records`,
    );
  }
  return lines.join('\n');
}
