import type { EdgeComparison } from './job-comparison.ts';
import type { EdgeIdentity, PartitioningIdentity } from './job-identity.ts';
import { partDifferences } from './part-differences.ts';

/**
 * Finds, for each edge, the earlier edge whose results mean the same.
 *
 * A result is determined by its producer and by how it was written: exchange, partitioning, number of consumers, place.
 * Its consumer does not matter, so an edge to another step still finds its result; of several that fit it takes the one
 * with its own name. If none fits but for the number of consumers, it takes one of those, to be divided anew.
 */
export function compareEdges(before: readonly EdgeIdentity[], now: readonly EdgeIdentity[]): readonly EdgeComparison[] {
  const free = new Set(before.keys());
  const found = now.map((): EdgeComparison | undefined => undefined);
  for (const fits of [isSame, hasOtherShares]) {
    for (const isCandidate of [isNamesake, () => true]) {
      for (const [index, edge] of now.entries()) {
        if (found[index] !== undefined) continue;
        const match = [...free].find((earlier) => {
          const candidate = before[earlier] as EdgeIdentity;
          return isCandidate(candidate, edge) && fits(candidate, edge);
        });
        if (match === undefined) continue;
        const reasons = differencesOfEdge(before[match] as EdgeIdentity, edge);
        found[index] =
          fits === isSame ? { kind: 'same', before: match } : { kind: 'other-shares', before: match, reasons };
        free.delete(match);
      }
    }
  }
  return now.map((edge, index) => found[index] ?? { kind: 'different', reasons: whyNone(edge, before, free) });
}

function isSame(before: EdgeIdentity, now: EdgeIdentity): boolean {
  return differencesOfEdge(before, now).length === 0;
}

/** Whether only the number of consumers differs, and the order of the records of a key is known for each of them. */
function hasOtherShares(before: EdgeIdentity, now: EdgeIdentity): boolean {
  if (now.keptIn !== undefined || !isSame({ ...before, consumers: now.consumers }, now)) return false;
  if (before.partitioning.kind !== 'hash' || now.partitioning.kind === 'hash') return true;
  const { changes, unknown } = partDifferences('', before.partitioning.key ?? {}, now.partitioning.key ?? {});
  return changes.length + unknown.length === 0;
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
  // Either there is one consumer before and now, or their number differs already.
  if (before.kind === 'single' || now.kind === 'single') return [];
  if (before.kind !== now.kind) {
    return [`the partitioning after "${source}" was ${before.kind}, is ${now.kind}`];
  }
  if (before.keyRule !== now.keyRule) {
    return [`the partitioning after "${source}" assigned keys to tasks by the rule of another version`];
  }
  const { changes, unknown } = partDifferences(`the partitioning after "${source}"`, before.key ?? {}, now.key ?? {});
  return [...changes, ...unknown.map(({ reason }) => reason)];
}

function placeOf(directory: string | undefined): string {
  return directory === undefined ? 'the files of the run' : JSON.stringify(directory);
}
