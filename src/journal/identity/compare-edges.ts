import type { EdgeComparison } from './job-comparison.ts';
import type { EdgeIdentity, PartitioningIdentity } from './job-identity.ts';
import { partDifferences } from './part-differences.ts';

/**
 * Finds, for each edge, the earlier edge whose results mean the same.
 *
 * A result is determined by its producer and by how it was written: exchange, partitioning, number of consumers, place.
 * Who reads it does not matter. So an edge whose consumer is another step now keeps its result, and of several that fit
 * it takes the one with its own name.
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
    return {
      kind: 'different',
      reasons: whyNone(
        edge,
        [...free].map((earlier) => before[earlier] as EdgeIdentity),
      ),
    };
  });
}

function isNamesake(before: EdgeIdentity, now: EdgeIdentity): boolean {
  return before.target === now.target && before.ordinal === now.ordinal;
}

/** Why none of the earlier results that no other edge uses fits: those with the same names say it best. */
function whyNone(edge: EdgeIdentity, free: readonly EdgeIdentity[]): readonly string[] {
  const candidates = free.filter(({ source }) => source === edge.source);
  const nearest = candidates.find((candidate) => isNamesake(candidate, edge)) ?? candidates[0];
  return nearest === undefined
    ? [`no earlier result of "${edge.source}" for "${edge.target}"`]
    : differencesOfEdge(nearest, edge);
}

/** What makes the results of two edges differ, given the same records; empty if nothing. */
function differencesOfEdge(before: EdgeIdentity, now: EdgeIdentity): string[] {
  if (before.source !== now.source) return [`it is a result of "${before.source}"`];
  const differences: string[] = [];
  if (before.exchange !== now.exchange) {
    differences.push(`the exchange after "${now.source}" was ${before.exchange}, is ${now.exchange}`);
  }
  if (before.consumers !== now.consumers) {
    differences.push(`its records are divided among ${before.consumers} tasks, "${now.target}" has ${now.consumers}`);
  }
  if (before.keptIn !== now.keptIn) {
    differences.push(`it was to be kept in ${placeOf(before.keptIn)}, now in ${placeOf(now.keptIn)}`);
  }
  return [...differences, ...partitioningDifferences(now.source, before.partitioning, now.partitioning)];
}

/** What distributes the records of `source` differently over the same number of consumers. */
export function partitioningDifferences(
  source: string,
  before: PartitioningIdentity,
  now: PartitioningIdentity,
): readonly string[] {
  if (before.kind !== now.kind) {
    // The number of consumers says it already.
    if (before.kind === 'single' || now.kind === 'single') return [];
    return [`the partitioning after "${source}" was ${before.kind}, is ${now.kind}`];
  }
  const { changes, unknown } = partDifferences(`the partitioning after "${source}"`, before.key ?? {}, now.key ?? {});
  return [...changes, ...unknown.map(({ reason }) => reason)];
}

function placeOf(directory: string | undefined): string {
  return directory === undefined ? 'the files of the run' : JSON.stringify(directory);
}
