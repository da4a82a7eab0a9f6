import { pointwiseSources } from '../../src/graph/distribution-pattern.ts';
import { edgeTable, stronglyConnectedComponents } from '../../src/graph/strongly-connected-components.ts';
import type { RegionId } from '../../src/ids.ts';
import { joinedSets } from '../support/joined-sets.ts';
import {
  CannotRun,
  type ConformanceCase,
  DiffersOnPurpose,
  equals,
  equalsAs,
  type Handler,
  type Judge,
  knowing,
  onlyKnown,
  prose,
  sortedNumbers,
  sortedSets,
} from './conformance-case.ts';
import { type GivenGraph, givenGraph, graphFields, knownVertex, listOf } from './given-graph.ts';

const setsOfNumbers = (sets: readonly (readonly number[])[]): string[] =>
  sortedSets(sets.map((set) => set.map(String)));

const naming = '<vertex>[i], i from 0';
const aRing = 'i -> (i+1) mod nodes';

function numberOf(value: unknown, what: string): number {
  if (typeof value !== 'number') throw new CannotRun(`${what} ${JSON.stringify(value)} is no number`);
  return value;
}

const schedulingRegions: Handler = ({ given }) => {
  if ((given['subtaskNaming'] ?? naming) !== naming)
    throw new CannotRun('names of subtasks other than v[i] are not known');
  const { coLocationGroups, ...apart } = given;
  const named = given['level'] === 'generated' ? generatedGraph(apart) : givenGraph(given);
  const judges = regionJudges(named, given['level'] === 'generated');
  if (listOf(coLocationGroups, 'coLocationGroups').length === 0) return judges;
  const without = regionJudges(givenGraph(apart), false);
  const differing = Object.entries(judges).map(([field, judge]): [string, Judge] => [
    field,
    (expected) => {
      const verdict = judge(expected);
      const isForIt = verdict.kind === 'failed' && without[field]?.(expected).kind === 'passed';
      if (isForIt) throw new DiffersOnPurpose('coLocationGroups');
      return verdict;
    },
  ]);
  return Object.fromEntries(differing);
};

function regionJudges(named: GivenGraph, isGenerated: boolean): Record<string, Judge> {
  const { graph, regions } = named;
  const ids = Array.from({ length: regions.count }, (_, region) => region as RegionId);
  const sizes = ids.map((region) => regions.verticesOf(region).length);
  const counts: Record<string, Judge> = {
    regionCount: equals(regions.count),
    currentRegionCount: equals(regions.count),
    // Historical: a co-location group made the whole job one region. We have no counterpart.
    legacyRegionCount: prose,
    regionSizes: equalsAs(sortedNumbers, sizes),
    largestRegion: (expected) => equals(sizes.reduce((a, b) => Math.max(a, b), 0))(sizeOf(expected)),
    regionSizeEach: (expected) => equals(sizes.filter((size) => size !== expected))([]),
  };
  if (isGenerated) return counts;
  return {
    ...counts,
    regions: equalsAs(
      sortedSets,
      ids.map((region) => named.namesIn(region)),
    ),
    rawRegionsBeforeSccMerge: equalsAs(
      sortedSets,
      joinedSets(graph).map((set) => set.map((vertex) => named.nameOf(vertex))),
    ),
    assertedSame: (expected) =>
      equals(listOf<string[]>(expected, 'assertedSame').filter((set) => regionsOf(named, set).size !== 1))([]),
    assertedDistinct: (expected) =>
      equals(listOf<string[]>(expected, 'assertedDistinct').filter((set) => regionsOf(named, set).size !== set.length))(
        [],
      ),
    samePerIndex: (expected) => equals(indexesThatDiffer(named, listOf<string>(expected, 'samePerIndex')))([]),
  };
}

/** Regions of job vertices, without rings, which a job graph cannot have. */
const logicalRegions: Handler = ({ given }) => {
  const named = givenGraph({
    ...given,
    level: 'execution',
    vertices: listOf<object>(given['vertices'], 'vertices').map((vertex) => {
      const { id, parallelism, ...others } = vertex as Readonly<Record<string, unknown>>;
      onlyKnown(others, [], 'vertex');
      if (typeof (parallelism ?? 1) !== 'number') throw new CannotRun('parallelism is no number');
      return { id };
    }),
  });
  const sets = joinedSets(named.graph).map((set) => set.map((vertex) => named.nameOf(vertex)));
  return {
    regionCount: equals(sets.length),
    regionSizes: equalsAs(
      sortedNumbers,
      sets.map((set) => set.length),
    ),
    regions: equalsAs(sortedSets, sets),
  };
};

const scc: Handler = ({ given }) => {
  const nodes = numberOf(given['nodes'], 'nodes');
  const ring = given['ring'] !== undefined;
  if (ring && given['ring'] !== aRing) throw new CannotRun(`ring ${JSON.stringify(given['ring'])} is not known`);
  const outEdges = listOf<number[]>(given['outEdges'], 'outEdges');
  if (!ring && outEdges.length !== nodes) throw new CannotRun('there are not as many lists of edges as nodes');
  const { componentOf, componentCount } = stronglyConnectedComponents(
    edgeTable(nodes, (node) => (ring ? [(node + 1) % nodes] : (outEdges[node] as number[]))),
  );
  for (const node of outEdges.flat()) numberOf(node, 'outEdges');
  const components = Array.from({ length: componentCount }, (): number[] => []);
  for (let node = 0; node < nodes; node++) components[componentOf[node] as number]?.push(node);
  return {
    components: equalsAs(setsOfNumbers, components),
    componentCount: equals(componentCount),
    componentSizes: equalsAs(
      sortedNumbers,
      components.map((component) => component.length),
    ),
  };
};

const pointwiseMapping: Handler = ({ given }) => {
  const { sourceParallelism, targetParallelism, pattern = 'pointwise' } = given;
  if (pattern !== 'pointwise') throw new CannotRun(`pattern ${JSON.stringify(pattern)} is not known`);
  const sources = numberOf(sourceParallelism, 'sourceParallelism');
  const targets = numberOf(targetParallelism, 'targetParallelism');
  return {
    inputsPerTarget: equals(
      Array.from({ length: targets }, (_, target) => {
        const { start, end } = pointwiseSources(target, sources, targets);
        return Array.from({ length: end - start }, (_unused, index) => start + index);
      }),
    ),
    asserted: prose,
  };
};

/** Handlers of the area `region-building`. */
export const regionBuildingHandlers: Readonly<Record<string, Handler>> = {
  'scheduling-regions': knowing(
    {
      given: [...graphFields, ...['shape', 'levels', 'leaves', 'type', 'subtaskNaming', 'coLocationGroups']],
      ops: { computeRegions: [] },
    },
    schedulingRegions,
  ),
  'logical-regions': knowing({ given: graphFields, ops: { computeLogicalRegions: [] } }, logicalRegions),
  scc: knowing({ given: ['level', 'nodes', 'outEdges', 'ring'], ops: { computeScc: [] } }, scc),
  'pointwise-mapping': knowing(
    { given: ['level', 'pattern', 'sourceParallelism', 'targetParallelism'], ops: { expandPointwise: [] } },
    pointwiseMapping,
  ),
};

/**
 * A case that describes its graph by a rule. Interpreted as a tree: `leaves` subtasks at its widest level, `levels`
 * levels, each node joined to its parent by one result type. Other rules are unknown.
 */
function generatedGraph(given: ConformanceCase['given']): GivenGraph {
  const { shape, levels, leaves, type } = given as { shape?: string; levels?: number; leaves?: number; type?: string };
  if (!shape?.includes('tree')) throw new CannotRun(`generated shape ${JSON.stringify(shape)} is not known`);
  if (typeof levels !== 'number' || typeof leaves !== 'number' || typeof type !== 'string') {
    throw new CannotRun('a generated tree needs `levels`, `leaves` and `type`');
  }
  const branching = Math.round(leaves ** (1 / Math.max(1, levels - 1)));
  if (branching ** (levels - 1) !== leaves) throw new CannotRun(`${levels} levels do not lead to ${leaves} leaves`);
  const width = (level: number): number => leaves / branching ** level;
  return givenGraph({
    level: 'job',
    vertices: Array.from({ length: levels }, (_, level) => ({ id: `level${level}`, parallelism: width(level) })),
    edges: Array.from({ length: levels - 1 }, (_, level) => ({
      from: `level${level}`,
      to: `level${level + 1}`,
      type,
      pattern: 'pointwise',
    })),
  });
}

/** The largest region as a size or as its members. */
function sizeOf(expected: unknown): unknown {
  return Array.isArray(expected) ? expected.length : expected;
}

function regionsOf(named: GivenGraph, subtasks: readonly string[]): Set<number> {
  return new Set(subtasks.map((name) => named.regions.regionOf(knownVertex(named, name))));
}

function indexesThatDiffer(named: GivenGraph, jobVertices: readonly string[]): number[] {
  const { graph, regions } = named;
  const indexes = jobVertices.map((id) => {
    const index = graph.jobGraph.vertexIndexById.get(id as never);
    if (index === undefined) throw new CannotRun(`there is no vertex ${JSON.stringify(id)}`);
    return index;
  });
  const parallelism = graph.jobGraph.vertices[indexes[0] ?? 0]?.parallelism ?? 0;
  const seen = new Set<number>();
  return Array.from({ length: parallelism }, (_, subtask) => subtask).filter((subtask) => {
    const found = new Set(indexes.map((index) => regions.regionOf(graph.vertexAt(index, subtask))));
    const [region] = found;
    const isShared = seen.has(region as number);
    seen.add(region as number);
    return found.size !== 1 || isShared;
  });
}
