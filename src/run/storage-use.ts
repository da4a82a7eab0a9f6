import type { ExecutionVertexId } from '../ids.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { JobShape } from './folds/job-shape.ts';
import type { SnapshotFold } from './folds/job-snapshot.ts';

/** The current storage use of one exchange, and the reason. */
export interface StorageUse {
  /** The job vertices at the ends of the exchange. */
  readonly source: string;
  readonly target: string;
  readonly exchange: string;
  /** Number of results, one per producer task. */
  readonly results: number;
  /** Records written to them. */
  readonly records: number;
  /** Estimated. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Age of the oldest result. */
  readonly oldestMs: number;
  /** Number of consumers that have yet to read them to the end; 0 if only `keepResults` keeps them. */
  readonly readerCount: number;
  /** The names of the first of those consumers, at most eight. */
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

/** The storage use at `nowMs`, by edge of the job graph. O(results and their consumers). */
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

/** The consumers of a group that have not read it to the end: those in unfinished regions. */
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
