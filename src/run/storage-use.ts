import type { ExecutionVertexId } from '../ids.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { JobShape } from './folds/job-shape.ts';
import type { SnapshotFold } from './folds/job-snapshot.ts';

/** What the results of one exchange take now, and why they are still there. */
export interface StorageUse {
  /** The job vertices at the ends of the exchange. */
  readonly source: string;
  readonly target: string;
  readonly exchange: string;
  /** Results of attempts that are held, one for each producing task. */
  readonly results: number;
  /** Records that were written to them. */
  readonly records: number;
  /** Estimated. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** How long ago the oldest of them was begun. */
  readonly oldestMs: number;
  /** How many consumers have yet to read them to the end; 0: they stay because of the exchange's `keepResults` alone. */
  readonly readerCount: number;
  /** The first of those tasks, by name; at most eight. */
  readonly readers: readonly string[];
}

const mostNames = 8;

const nothingHeld = {
  results: 0,
  records: 0,
  memoryBytes: 0,
  diskBytes: 0,
  oldestMs: 0,
  readerCount: 0,
  readers: [] as readonly string[],
};

/** What results take at `nowMs`, by edge of the job graph. O(results and their readers). */
export function storageUse(
  results: Iterable<{ readonly output: Pick<ResultPartition, 'id' | 'statistics'>; readonly sinceMs: number }>,
  shape: JobShape,
  progress: Pick<SnapshotFold, 'hasFinished'>,
  nowMs: number,
): StorageUse[] {
  const { graph } = shape;
  const byEdge = new Map<number, { -readonly [Key in keyof StorageUse]: StorageUse[Key] }>();
  const readers = new Map<number, readonly ExecutionVertexId[]>();
  for (const { output, sinceMs } of results) {
    const id = output.id.partition;
    const edge = graph.edgeIndexOfPartition(id);
    const { source, target, exchange } = graph.edgeOfPartition(id);
    let use = byEdge.get(edge);
    if (use === undefined) {
      use = { source, target, exchange: exchange.name, ...nothingHeld };
      byEdge.set(edge, use);
    }
    const { records, memoryBytes, spilledBytes } = output.statistics();
    use.results++;
    use.records += records;
    use.memoryBytes += memoryBytes;
    use.diskBytes += spilledBytes;
    use.oldestMs = Math.max(use.oldestMs, nowMs - sinceMs);
    const group = graph.groupOfPartition(id);
    if (!readers.has(group)) readers.set(group, readersOf(group, shape, progress));
  }
  for (const [group, reading] of readers) {
    const use = byEdge.get(graph.edgeIndexOfGroup(group));
    if (use === undefined) continue;
    const names = reading.slice(0, mostNames - use.readers.length).map((task) => graph.nameOf(task));
    use.readers = [...use.readers, ...names];
    use.readerCount += reading.length;
  }
  return [...byEdge].sort(([a], [b]) => a - b).map(([, use]) => use);
}

/** The consumers of a group that have not read it to the end: those of regions that have not finished. */
function readersOf(
  group: number,
  { graph, regions }: JobShape,
  progress: Pick<SnapshotFold, 'hasFinished'>,
): ExecutionVertexId[] {
  const consumers: ExecutionVertexId[] = [];
  for (let at = graph.consumerStart(group); at < graph.consumerEnd(group); at++) {
    const consumer = at as ExecutionVertexId;
    if (!progress.hasFinished(regions.regionOf(consumer))) consumers.push(consumer);
  }
  return consumers;
}
