import type { EdgeComparison } from './job-comparison.ts';
import type { EdgeIdentity, PartitioningIdentity } from './job-identity.ts';
import { partDifferences } from './part-differences.ts';

/**
 * Finds, for each edge, the earlier edge whose results mean the same.
 *
 * A result is determined by its producer and by how it was written: exchange, partitioning, number of consumers, place.
 * Its consumer does not matter, so an edge to another step still finds its result; of several that fit it takes the one
 * with its own name.
 */
export function compareEdges(before: readonly EdgeIdentity[], now: readonly EdgeIdentity[]): readonly EdgeComparison[] {
  const free = new Set(before.keys());
  const found = now.map((): number | undefined => undefined);
  for (const isCandidate of [isNamesake, () => true]) {
    for (const [index, edge] of now.entries()) {
      if (found[index] !== undefined) continue;
      const match = [...free].find((earlier) => {
        const candidate = before[earlier] as EdgeIdentity;
        return isCandidate(candidate, edge) && differencesOfEdge(candidate, edge).length === 0;
      });
      if (match === undefined) continue;
      found[index] = match;
      free.delete(match);
    }
  }
  return now.map((edge, index): EdgeComparison => {
    const match = found[index];
    if (match !== undefined) return { kind: 'same', before: match };
    return { kind: 'different', reasons: whyNone(edge, before, free) };
  });
}

function isNamesake(before: EdgeIdentity, now: EdgeIdentity): boolean {
  return before.target === now.target && before.ordinal === now.ordinal;
}

/** Why no earlier result fits. Of the unused ones, the one with the same names explains it best. */
function whyNone(edge: EdgeIdentity, before: readonly EdgeIdentity[], free: ReadonlySet<number>): readonly string[] {
  const candidates = before.filter(({ source }, index) => source === edge.source && free.has(index));
  const nearest = candidates.find((candidate) => isNamesake(candidate, edge)) ?? candidates[0];
  if (nearest !== undefined) return differencesOfEdge(nearest, edge);
  const isUsed = before.some((other) => differencesOfEdge(other, edge).length === 0);
  return [
    isUsed
      ? `each consumer has its own result, and "${edge.source}" wrote none for "${edge.target}"`
      : `"${edge.source}" wrote no result for "${edge.target}"`,
  ];
}

/** Why the results of two edges differ, given the same records; empty if they do not. */
function differencesOfEdge(before: EdgeIdentity, now: EdgeIdentity): string[] {
  if (before.source !== now.source) return [`it is a result of "${before.source}"`];
  const differences: string[] = [];
  if (before.exchange !== now.exchange) {
    differences.push(`the exchange after "${now.source}" was ${before.exchange}, is ${now.exchange}`);
  }
  if (before.consumers !== now.consumers) {
    const tasks = before.consumers === 1 ? '1 task' : `${before.consumers} tasks`;
    differences.push(`its records are divided among ${tasks}, "${now.target}" has ${now.consumers}`);
  }
  if (before.keptIn !== now.keptIn) {
    differences.push(`it was to be kept in ${placeOf(before.keptIn)}, now in ${placeOf(now.keptIn)}`);
  }
  return [...differences, ...partitioningDifferences(now.source, before.partitioning, now.partitioning)];
}

/** Why the records of `source` are distributed differently over the same number of consumers. */
export function partitioningDifferences(
  source: string,
  before: PartitioningIdentity,
  now: PartitioningIdentity,
): readonly string[] {
  if (before.kind !== now.kind) {
    // The number of consumers already differs.
    if (before.kind === 'single' || now.kind === 'single') return [];
    return [`the partitioning after "${source}" was ${before.kind}, is ${now.kind}`];
  }
  const { changes, unknown } = partDifferences(`the partitioning after "${source}"`, before.key ?? {}, now.key ?? {});
  return [...changes, ...unknown.map(({ reason }) => reason)];
}

function placeOf(directory: string | undefined): string {
  return directory === undefined ? 'the files of the run' : JSON.stringify(directory);
}
