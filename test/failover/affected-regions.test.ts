import fc from 'fast-check';
import { affectedRegions } from '../../src/failover/affected-regions.ts';
import type { RestartMode, Reproducibility } from '../../src/graph/reproducibility.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type { PipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { Topology } from '../../src/graph/topology.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../src/ids.ts';
import { namesOf, taskOf } from '../graph/drawn-graph.ts';
import { anyClaimingGraph, type ExplicitEdge, explicitEdges, naiveRegions } from '../graph/naive-graph.ts';
import { draws } from '../support/draws.ts';
import { drawnTopology, failureOf, topologyOf } from './drawn-failure.ts';

/** The regions that a failure restarts, and their modes: `again: a; new: b c`. */
interface Story {
  readonly rule: string;
  readonly drawing: readonly string[];
  readonly failed: readonly string[];
  /** Tasks whose results the failure blames. */
  readonly lost?: readonly string[];
  /** Tasks whose results were lost before. */
  readonly gone?: readonly string[];
  readonly restarts: string;
}

function told({ drawing, failed, lost, gone }: Omit<Story, 'restarts'>): string {
  const topology = drawnTopology(drawing, gone);
  const { graph, regions } = topology;
  const seed = failed.map((task) => regions.regionOf(taskOf(graph, task)));
  const { lostPartitions } = failureOf(topology, undefined, lost);
  const tasksByMode: Record<RestartMode, number[]> = { again: [], new: [] };
  for (const [region, mode] of affectedRegions(seed, topology, new Set(lostPartitions))) {
    tasksByMode[mode].push(...regions.verticesOf(region));
  }
  return Object.entries(tasksByMode)
    .filter(([, tasks]) => tasks.length > 0)
    .map(
      ([mode, tasks]) =>
        `${mode}: ${namesOf(
          graph,
          tasks.toSorted((a, b) => a - b),
        ).join(' ')}`,
    )
    .join('; ');
}

//  (a) ═▶ (b) ═▶ (c)
const stages = ['a! => b! => c!'];
//  (p) ═┬═▶ (c[0])
//       └═▶ (c[1])
const fan = ['p! =x> c:2'];
//  (p[0]) ═╦═▶ (m) ═▶ (d)     m merges: it reproduces its result only if p[0] and p[1] do not restart
//  (p[1]) ═╝
const merge = ['p!:2 =x> m! => d', 'x'];
//  (k[0]) ═╦═▶ (m) ─▶ (n) ═▶ (d)
//  (k[1]) ═╝
const mergingPipeline = ['k!:2 =x> m! -> n! => d'];

const stories: readonly Story[] = [
  { rule: 'a producer that is deterministic restarts alone', drawing: fan, failed: ['p'], restarts: 'again: p' },
  {
    rule: 'one that is not takes its readers',
    drawing: ['p =x> c:2', 'x'],
    failed: ['p'],
    restarts: 'new: p c[0] c[1]',
  },
  { rule: 'the middle, and nothing after it', drawing: stages, failed: ['b'], restarts: 'again: b' },
  { rule: 'its result is lost', drawing: fan, failed: ['c[1]'], lost: ['p'], restarts: 'again: p c[1]' },
  { rule: 'its result was lost before', drawing: fan, failed: ['c[1]'], gone: ['p'], restarts: 'again: p c[1]' },
  { rule: 'its result is lost, but not needed', drawing: fan, failed: ['p'], gone: ['p'], restarts: 'again: p' },
  {
    rule: 'a chain of lost results',
    drawing: [...stages, 'x'],
    failed: ['c'],
    gone: ['a', 'b'],
    restarts: 'again: a b c',
  },
  {
    rule: 'a pipelined result is read again once it is produced again',
    drawing: ['p! .> c!', 'x'],
    failed: ['c'],
    restarts: 'again: p c',
  },
  {
    rule: 'after an undeclared task all are new, declared or not',
    drawing: ['a => b! => c! => d!', 'x'],
    failed: ['a'],
    restarts: 'new: a b c d',
  },
  {
    rule: 'found by way of a lost result, it takes its other readers too',
    drawing: ['a => b! => c', 'a => e! => f', 'x'],
    failed: ['b'],
    lost: ['a'],
    restarts: 'new: a b e c f',
  },
  {
    rule: 'a chain of lost results that leads to an undeclared task',
    drawing: ['a => b! => c! => d', 'x'],
    failed: ['c'],
    gone: ['a', 'b'],
    restarts: 'new: a b c d',
  },
  {
    rule: 'an undeclared task among declared ones',
    drawing: ['a! => b => c! => d', 'x'],
    failed: ['c'],
    gone: ['b'],
    restarts: 'new: b c d',
  },
  { rule: 'a merging task with a recorded order', drawing: merge, failed: ['m'], restarts: 'again: m' },
  { rule: 'a producer of a merging task', drawing: merge, failed: ['p[0]'], restarts: 'again: p[0]' },
  {
    rule: 'a merging task and its producer: the recorded order no longer applies',
    drawing: merge,
    failed: ['m'],
    lost: ['p[1]'],
    restarts: 'again: p[1]; new: m d',
  },
  {
    rule: 'the same, when both fail',
    drawing: merge,
    failed: ['m', 'p[0]'],
    restarts: 'again: p[0]; new: m d',
  },
  {
    rule: 'the same, in the other order',
    drawing: merge,
    failed: ['p[0]', 'm'],
    restarts: 'again: p[0]; new: m d',
  },
  {
    rule: 'a merging task that restarts because its result is lost',
    drawing: ['p!:2 =x> m! => d:2', 'x'],
    failed: ['d[0]', 'p[0]'],
    lost: ['m'],
    restarts: 'again: p[0]; new: m d[0] d[1]',
  },
  {
    rule: 'a task with a single channel is as reproducible as its input',
    drawing: ['p!:2 => m!:2 => d:2'],
    failed: ['m[0]', 'p[0]'],
    restarts: 'again: p[0] m[0]',
  },
  {
    rule: 'a pipeline that begins with a merge: its inner edges affect no order',
    drawing: mergingPipeline,
    failed: ['n'],
    restarts: 'again: m n',
  },
  {
    rule: 'a pipeline that begins with a merge, and a producer of it',
    drawing: [...mergingPipeline, 'x'],
    failed: ['n'],
    lost: ['k[0]'],
    restarts: 'again: k[0]; new: m n d',
  },
  {
    rule: 'the declaration of a pipelined merge has no effect',
    drawing: ['p!:2 -x> m! => d', 'x'],
    failed: ['p[0]'],
    restarts: 'new: p[0] p[1] m d',
  },
  { rule: 'a reader at the end restarts alone', drawing: ['a => b'], failed: ['b'], restarts: 'again: b' },
  { rule: 'everything restarts: everything is new', drawing: stages, failed: ['a', 'b', 'c'], restarts: 'new: a b c' },
  { rule: 'a job of one region: everything is new', drawing: ['a! -> b!'], failed: ['b'], restarts: 'new: a b' },
  {
    rule: 'everything restarts because of lost results: everything is new',
    drawing: stages,
    failed: ['c'],
    gone: ['a', 'b'],
    restarts: 'new: a b c',
  },
  { rule: 'nobody failed', drawing: stages, failed: [], restarts: '' },
];

/** Whether the output of a region is the same for the same input: connection by connection. */
function naiveReproducibility(
  graph: ExecutionGraph,
  edges: readonly ExplicitEdge[],
  regionOf: readonly number[],
  region: number,
): Reproducibility['kind'] {
  let kind: Reproducibility['kind'] = 'always';
  for (const [task, of] of regionOf.entries()) {
    const isRead = edges.some(({ producer }) => producer === task);
    if (of !== region || !isRead) continue;
    const vertices = graph.jobGraph.vertices.flatMap((vertex) =>
      Array.from({ length: vertex.parallelism }, () => vertex),
    );
    if (vertices[task]?.deterministic !== true) return 'never';
    const channels = edges.filter(({ consumer }) => consumer === task);
    if (channels.some(({ exchange }) => exchange.reconnectsWithLoss)) return 'never';
    if (channels.length < 2) continue;
    if (channels.some(({ producer }) => regionOf[producer] === region)) return 'never';
    kind = 'from-kept-results';
  }
  return kind;
}

/** The rules, applied connection by connection until nothing changes. */
function naiveModes(
  graph: ExecutionGraph,
  seed: Iterable<number>,
  isLost: (partition: PartitionId) => boolean,
  isGone: (partition: PartitionId) => boolean,
): Map<number, RestartMode> {
  const edges = explicitEdges(graph.jobGraph);
  const regionOf = naiveRegions(graph.vertexCount, edges);
  const kinds = regionOf.map((_, region) => naiveReproducibility(graph, edges, regionOf, region));
  const modes = new Map<number, RestartMode>();
  let isSettled = false;
  const involve = (region: number, mode: RestartMode): void => {
    const next = mode === 'new' || modes.get(region) === 'new' || kinds[region] === 'never' ? 'new' : 'again';
    if (modes.get(region) === next) return;
    modes.set(region, next);
    isSettled = false;
  };
  for (const region of seed) involve(region, 'again');
  while (!isSettled) {
    isSettled = true;
    for (const { edge, producer, consumer, exchange } of edges) {
      const [from, to] = [regionOf[producer] as number, regionOf[consumer] as number];
      const partition = graph.partitionOf(edge, producer as ExecutionVertexId);
      const canBeReadAgain =
        !isLost(partition) && (exchange.reconnectsWithLoss || (exchange.reconsumable && !isGone(partition)));
      if (modes.has(to) && !canBeReadAgain) involve(from, 'again');
      if (modes.get(from) === 'new') involve(to, 'new');
      const isDisturbed = modes.has(from) && modes.has(to) && !exchange.joinsRegions;
      if (isDisturbed && kinds[to] === 'from-kept-results') involve(to, 'new');
    }
  }
  const count = new Set(regionOf).size;
  return modes.size < count ? modes : new Map([...modes.keys()].map((region) => [region, 'new']));
}

describe('the regions that a failure affects', () => {
  it.each(stories)('$rule: $restarts', (story) => {
    expect(told(story)).toBe(story.restarts);
  });

  it('distrusted regions and new ones count as undeclared', () => {
    const claiming = drawnTopology(['a! => b! => c!', 'x']);
    const topology = { ...claiming, reproducibilityOf: (): Reproducibility => ({ kind: 'never', why: 'found out' }) };
    expect([...affectedRegions([0 as RegionId], topology, new Set()).values()]).toEqual(['new', 'new', 'new']);
  });

  it('are the least set closed under the rules, each region as new as they make it, connection by connection', () => {
    const anyLoss = fc.array(fc.nat(40), { maxLength: 6 });
    const anySeeds = fc.array(fc.nat(29), { maxLength: 3 });
    fc.assert(
      fc.property(anyClaimingGraph, anySeeds, anyLoss, anyLoss, (graph, seeds, gone, lost) => {
        const topology = topologyOf(graph, (partition) => gone.includes(partition));
        const seed = seeds.map((task) => topology.regions.regionOf((task % graph.vertexCount) as ExecutionVertexId));
        const expected = naiveModes(
          graph,
          seed,
          (partition) => lost.includes(partition),
          (partition) => gone.includes(partition),
        );
        const actual = affectedRegions(seed, topology, new Set(lost as PartitionId[]));
        const sorted = (modes: ReadonlyMap<number, RestartMode>) => [...modes].toSorted(([a], [b]) => a - b);
        expect(sorted(actual)).toEqual(sorted(expected));
      }),
      { numRuns: draws(400, 1_000) },
    );
  });

  it('may be asked again while it is answering', () => {
    const plain = drawnTopology(['a => x! => y!', 'b'], ['x']);
    const seed = ['a', 'y'].map((task) => plain.regions.regionOf(taskOf(plain.graph, task)));
    const question = (topology: Topology): ReadonlyMap<RegionId, RestartMode> =>
      affectedRegions(seed, topology, new Set());
    const asking: Topology = {
      ...plain,
      isPartitionAvailable: (partition) => {
        question(plain);
        return plain.isPartitionAvailable(partition);
      },
    };
    question(plain);
    const modes = [...question(asking)].map(([region, mode]) => [
      namesOf(plain.graph, plain.regions.verticesOf(region)),
      mode,
    ]);
    expect(modes.sort()).toEqual([
      [['a'], 'new'],
      [['x'], 'new'],
      [['y'], 'new'],
    ]);
  });

  it('the regions that restart because of new input are the same in any order of evaluation', () => {
    fc.assert(
      fc.property(anyClaimingGraph, fc.array(fc.nat(29), { maxLength: 4 }), (graph, seeds) => {
        const topology = topologyOf(graph);
        const seed = seeds.map((task) => topology.regions.regionOf((task % graph.vertexCount) as ExecutionVertexId));
        const sorted = (order: readonly RegionId[]) =>
          [...affectedRegions(order, topology, new Set())].toSorted(([a], [b]) => a - b);
        expect(sorted(seed.toReversed())).toEqual(sorted(seed));
      }),
    );
  });
});

/** Counts the questions asked of a graph and its regions. */
class Meter {
  operations = 0;

  of<Asked extends object>(asked: Asked): Asked {
    return new Proxy(asked, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          this.operations++;
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  }
}

describe('the cost of finding them', () => {
  const width = 2_000;
  const wide = (...claims: boolean[]): ExecutionGraph =>
    new ExecutionGraph(
      createJobGraph(
        'wide',
        claims.map((deterministic, index) => ({ id: `v${index}`, parallelism: width, deterministic })),
        claims.slice(1).map((_, index) => ({
          source: `v${index}`,
          target: `v${index + 1}`,
          exchange: exchangeTypes.blocking,
          pattern: 'all-to-all' as const,
        })),
      ),
    );
  const allOf = (vertex: number): number[] => Array.from({ length: width }, (_, subtask) => vertex * width + subtask);

  it.each<{ what: string; claims: boolean[]; failed: number[]; areResultsGone: boolean; restarted: number }>([
    {
      what: 'none is declared',
      claims: [false, false, false],
      failed: [0],
      areResultsGone: false,
      restarted: 2 * width + 1,
    },
    {
      what: 'all producers fail',
      claims: [false, false, false],
      failed: allOf(0),
      areResultsGone: false,
      restarted: 3 * width,
    },
    { what: 'all are declared', claims: [true, true, true], failed: allOf(1), areResultsGone: false, restarted: width },
    {
      what: 'all are declared, and their results are gone',
      claims: [true, true, true],
      failed: [2 * width],
      areResultsGone: true,
      restarted: 3 * width,
    },
    {
      what: 'readers before their producers',
      claims: [true, true, true],
      failed: [...allOf(2), ...allOf(1), ...allOf(0)],
      areResultsGone: false,
      restarted: 3 * width,
    },
    {
      what: 'again at first, new afterwards',
      claims: [false, true, true],
      failed: [...allOf(1), ...allOf(0)],
      areResultsGone: false,
      restarted: 3 * width,
    },
  ])('2 000 × 2 000 × 2 000, $what: a few questions per task', ({ claims, failed, areResultsGone, restarted }) => {
    const graph = wide(...claims);
    const plain = topologyOf(graph, () => areResultsGone);
    const meter = new Meter();
    const topology = meter.of({
      ...plain,
      graph: meter.of(graph),
      regions: meter.of<PipelinedRegions>(plain.regions),
      // Answers in O(1), because the cost of this answer is another test's subject.
      reproducibilityOf: (region: RegionId): Reproducibility => {
        const vertex = plain.regions.verticesOf(region)[0] as ExecutionVertexId;
        if (graph.jobVertexOf(vertex).deterministic !== true) return { kind: 'never', why: 'it is not declared' };
        return { kind: vertex < width ? 'always' : 'from-kept-results' };
      },
    });
    const affected = affectedRegions(failed as RegionId[], topology, new Set());
    expect(affected.size).toBe(restarted);
    expect(meter.operations).toBeLessThan(40 * graph.vertexCount);
  });
});
