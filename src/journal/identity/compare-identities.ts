import { compareEdges, partitioningDifferences } from './compare-edges.ts';
import type { JobComparison, VertexComparison } from './job-comparison.ts';
import type { EdgeIdentity, JobIdentity, StepIdentity, VertexIdentity } from './job-identity.ts';
import { partDifferences } from './part-differences.ts';

/**
 * Compares a job with that of an earlier run: which vertices do the same as before, and which earlier results mean the
 * same. The inputs of a vertex count as part of it, but not how they were produced: the caller must treat everything
 * after a changed vertex as changed.
 */
export function compareIdentities(before: JobIdentity, now: JobIdentity): JobComparison {
  const indexById = new Map(before.vertices.map(({ id }, index) => [id, index]));
  const ids = now.vertices.map(({ id }) => id);
  return {
    ...(before.job !== now.job && { earlierJob: before.job }),
    ids,
    vertices: now.vertices.map((vertex): VertexComparison => {
      const index = indexById.get(vertex.id);
      if (index === undefined) return { kind: 'changed', before: undefined, reasons: whyNew(vertex, before) };
      const { changes, unknown } = differencesOfVertex(before.vertices[index] as VertexIdentity, vertex);
      const reasons = [...new Set([...changes, ...inputDifferences(vertex, before.edges, now.edges)])];
      if (reasons.length > 0) return { kind: 'changed', before: index, reasons: [...reasons, ...unknown] };
      if (unknown.length > 0) return { kind: 'unknown-source', before: index, reasons: unknown };
      return { kind: 'unchanged', before: index };
    }),
    edges: compareEdges(before.edges, now.edges),
    removed: before.vertices.map(({ id }) => id).filter((id) => !ids.includes(id)),
  };
}

/** Why there was no vertex with this first step. */
function whyNew({ id, steps }: VertexIdentity, before: JobIdentity): readonly string[] {
  const host = before.vertices.find((vertex) => vertex.steps.some(({ uid }) => uid === id));
  if (host !== undefined) return [`"${id}" ran in the tasks of "${host.id}", it has its own now`];
  const former = steps.find(({ uid }) => before.vertices.some((vertex) => vertex.id === uid));
  if (former !== undefined) return [`"${id}" was added before "${former.uid}", in whose tasks it runs now`];
  return [`"${id}" is new`];
}

interface VertexDifferences {
  readonly changes: readonly string[];
  /** The unknown parts of its source. */
  readonly unknown: readonly string[];
}

function differencesOfVertex(before: VertexIdentity, now: VertexIdentity): VertexDifferences {
  const changes: string[] = [];
  const unknown: string[] = [];
  if (before.parallelism !== now.parallelism) {
    changes.push(`the parallelism of "${now.id}" was ${before.parallelism}, is ${now.parallelism}`);
  }
  const earlier = new Map(before.steps.map((step) => [step.uid, step]));
  for (const step of now.steps) {
    const previous = earlier.get(step.uid);
    if (previous === undefined) changes.push(`"${step.uid}" was added`);
    else compareSteps(previous, step, changes, unknown);
  }
  const current = new Set(now.steps.map(({ uid }) => uid));
  for (const { uid } of before.steps) if (!current.has(uid)) changes.push(`"${uid}" was removed`);
  const [orderBefore, orderNow] = [
    before.steps.filter(({ uid }) => current.has(uid)),
    now.steps.filter(({ uid }) => earlier.has(uid)),
  ];
  const moved = orderNow.find(({ uid }, index) => orderBefore[index]?.uid !== uid);
  if (moved !== undefined) changes.push(`"${moved.uid}" has another place among the steps of "${now.id}"`);
  return { changes, unknown };
}

function compareSteps(before: StepIdentity, now: StepIdentity, changes: string[], unknown: string[]): void {
  const of = `"${now.uid}"`;
  if (before.role !== now.role || before.kind !== now.kind) {
    changes.push(`${of} was ${before.kind}, is ${now.kind}`);
    return;
  }
  const differences = partDifferences(of, before.parts, now.parts);
  changes.push(...differences.changes);
  for (const { name, reason } of differences.unknown) {
    (now.role === 'source' && name === 'records' ? unknown : changes).push(reason);
  }
}

/** The inputs of a vertex that it did not read before, or read differently. */
function inputDifferences(
  { id }: VertexIdentity,
  before: readonly EdgeIdentity[],
  now: readonly EdgeIdentity[],
): readonly string[] {
  const unmatched = before.filter(({ target }) => target === id);
  const differences: string[] = [];
  for (const edge of now.filter(({ target }) => target === id)) {
    const isAlike = ({ source, partitioning }: EdgeIdentity): boolean =>
      source === edge.source && partitioningDifferences(source, partitioning, edge.partitioning).length === 0;
    const match = unmatched.find(isAlike) ?? unmatched.find(({ source }) => source === edge.source);
    if (match === undefined) {
      differences.push(`"${id}" reads "${edge.source}" now`);
      continue;
    }
    unmatched.splice(unmatched.indexOf(match), 1);
    differences.push(...partitioningDifferences(edge.source, match.partitioning, edge.partitioning));
  }
  return [...differences, ...unmatched.map(({ source }) => `"${id}" does not read "${source}" any more`)];
}
