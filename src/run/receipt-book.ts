import type { JobEvent } from '../actors/job-event.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';
import { isTerminalJobStatus } from '../actors/protocol/states.ts';
import type { JobLedger } from '../machines/job-master/job-ledger.ts';
import { describeReceipt, type FailoverReceipt, type JobReceipt, type MovedRecords } from './job-receipt.ts';

/** What a receipt asks of a run that goes on. */
export interface LiveRun {
  readonly isSource: (jobVertex: number) => boolean;
  readonly nowMs: () => number;
  /** What the attempts that run have moved so far. */
  readonly moving: () => Iterable<readonly [vertex: number, counts: Counts]>;
}

type Counts = Omit<MovedRecords, 'perSecond'>;

/** A run of which nothing but its events is known. */
const nothingLive: LiveRun = { isSource: () => false, nowMs: () => 0, moving: () => [] };

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
  /** Per task: what the attempt that took most has taken, and what all that have ended have moved. */
  readonly #moved = new Map<number, { mostIn: number; recordsIn: number; recordsOut: number }>();
  readonly #live: LiveRun;
  /** What tasks had produced that nobody needed more of, in their latest attempt. */
  readonly #curtailed = new Map<number, number>();
  /** By task that opened a source again: its attempts that did, and what those before the latest had read. */
  readonly #reopened = new Map<number, { readonly attempts: number; readonly records: number }>();
  #isOver = false;
  #startedMs: number | undefined;
  #endedMs = 0;

  constructor(
    job: string,
    ledger: JobLedger,
    resultOf: (partition: PartitionId) => ReusableResult | undefined,
    live = nothingLive,
  ) {
    this.#job = job;
    this.#ledger = ledger;
    this.#resultOf = resultOf;
    this.#live = live;
    this.#attemptsOf = new Uint32Array(ledger.graph.vertexCount);
  }

  /** Notes what an attempt moved, when it ended. */
  noteMoved(vertex: number, { recordsIn, recordsOut }: Counts): void {
    this.#moved.set(vertex, plus(this.#moved.get(vertex), { recordsIn, recordsOut }));
  }

  note(event: JobEvent): void {
    this.#endedMs = event.atMs;
    this.#startedMs ??= event.atMs;
    switch (event.type) {
      case 'job.statusChanged':
        this.#isOver = isTerminalJobStatus(event.status);
        break;
      case 'task.stateChanged':
        if (event.state === 'deploying') {
          this.#attemptsOf[event.vertex] = (this.#attemptsOf[event.vertex] as number) + 1;
          this.#curtailed.delete(event.vertex);
        }
        break;
      case 'task.curtailed':
        this.#curtailed.set(event.vertex, event.records);
        break;
      case 'source.reopened': {
        const attempts = (this.#reopened.get(event.vertex)?.attempts ?? 0) + 1;
        this.#reopened.set(event.vertex, { attempts, records: this.#moved.get(event.vertex)?.recordsIn ?? 0 });
        break;
      }
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
        entry.tasksRestarted = this.#begunTasks(event.regions);
        entry.regionsAgain = event.again.filter((region) => this.#resultsOfOthers(region).length > 0).length;
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
    const durationMs = this.#durationMs();
    const moved = new Map(this.#moved);
    if (!this.#isOver) for (const [task, counts] of this.#live.moving()) moved.set(task, plus(moved.get(task), counts));
    const attemptsByVertex: [string, number][] = [];
    const movedByVertex: [string, MovedRecords][] = [];
    const records = { read: 0, reRead: 0 };
    let reRun = 0;
    let attempts = 0;
    let execution = 0;
    for (const [index, vertex] of graph.jobGraph.vertices.entries()) {
      let [recordsIn, recordsOut] = [0, 0];
      let most = 0;
      for (let subtask = 0; subtask < vertex.parallelism; subtask++, execution++) {
        const count = this.#attemptsOf[execution] as number;
        most = Math.max(most, count);
        attempts += count;
        if (count > 1) reRun++;
        const { mostIn, ...all } = moved.get(execution) ?? { mostIn: 0, recordsIn: 0, recordsOut: 0 };
        recordsIn += all.recordsIn;
        recordsOut += all.recordsOut;
        if (this.#live.isSource(index)) {
          records.read += all.recordsIn;
          if (vertex.replayable !== false) records.reRead += all.recordsIn - mostIn;
        }
      }
      attemptsByVertex.push([vertex.id, most]);
      const perSecond = durationMs > 0 ? (recordsIn * 1_000) / durationMs : 0;
      movedByVertex.push([vertex.id, Object.freeze({ recordsIn, recordsOut, perSecond })]);
    }
    const receipt = {
      job: this.#job,
      startedAtMs: this.#startedMs ?? this.#live.nowMs(),
      durationMs,
      tasks: Object.freeze({ total: graph.vertexCount, reRun, attempts }),
      // Whatever their names: `__proto__` is one too.
      attemptsByVertex: Object.freeze(Object.fromEntries(attemptsByVertex)),
      movedByVertex: Object.freeze(Object.fromEntries(movedByVertex)),
      records: Object.freeze(records),
      endedEarly: this.#endedEarly(),
      reopenedSources: this.#reopenedSources(),
      failovers: Object.freeze([...this.#failovers.values()].map((failover) => Object.freeze({ ...failover }))),
    };
    return Object.freeze({ ...receipt, toString: () => describeReceipt(receipt) });
  }

  #durationMs(): number {
    if (this.#startedMs === undefined) return 0;
    return Math.max(this.#endedMs, this.#isOver ? 0 : this.#live.nowMs()) - this.#startedMs;
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

  #reopenedSources(): JobReceipt['reopenedSources'] {
    const bySource = new Map<string, { source: string; attempts: number; records: number }>();
    for (const [task, { attempts, records }] of this.#reopened) {
      const source = this.#ledger.graph.jobVertexOf(task as never).id;
      const entry = bySource.get(source) ?? { source, attempts: 0, records: 0 };
      bySource.set(source, { source, attempts: entry.attempts + attempts, records: entry.records + records });
    }
    return [...bySource.values()];
  }

  /** Tasks that were started before: those that wait for their turn are not started again. */
  #begunTasks(regions: readonly RegionId[]): number {
    let count = 0;
    for (const region of regions) {
      for (const task of this.#ledger.regions.verticesOf(region)) if ((this.#attemptsOf[task] as number) > 0) count++;
    }
    return count;
  }

  /** The results of a region that other regions read. */
  #resultsOfOthers(region: RegionId): PartitionId[] {
    const { graph, regions } = this.#ledger;
    return Array.from(regions.verticesOf(region)).flatMap((vertex) =>
      graph
        .partitionsOf(vertex as ExecutionVertexId)
        .filter((partition) => !graph.exchangeOfPartition(partition).joinsRegions),
    );
  }

  /** Whether somebody who does not restart still reads what is produced again. Called before it is invalidated. */
  #readersKeepRunning({ regions, again }: Extract<JobEvent, { type: 'failover.decided' }>): boolean {
    const { regions: regionsOf } = this.#ledger;
    const restarted = new Set(regions);
    return again.some((region) =>
      this.#resultsOfOthers(region).some((partition) => {
        for (const reader of this.#ledger.readersOf(partition)) {
          if (!restarted.has(regionsOf.regionOf(reader))) return true;
        }
        return false;
      }),
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
        if (this.#attemptsOf[vertex] === 0) continue;
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

function plus(
  before: { mostIn: number; recordsIn: number; recordsOut: number } | undefined,
  { recordsIn, recordsOut }: Counts,
): { mostIn: number; recordsIn: number; recordsOut: number } {
  return {
    mostIn: Math.max(before?.mostIn ?? 0, recordsIn),
    recordsIn: (before?.recordsIn ?? 0) + recordsIn,
    recordsOut: (before?.recordsOut ?? 0) + recordsOut,
  };
}
