import type { DistributionPattern } from '../../src/graph/distribution-pattern.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type { PipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';

const exchangeBySign: Readonly<Record<string, ExchangeType>> = {
  '-': exchangeTypes.pipelined,
  '=': exchangeTypes.blocking,
  '~': exchangeTypes.memory,
  '^': exchangeTypes.reliable,
  '+': {
    name: 'approximate',
    joinsRegions: false,
    reconsumable: false,
    reconnectsWithLoss: true,
    consumption: 'after-producer-scheduled',
  },
  // Flink's hybrid results that are read once: they neither join regions nor can be read again.
  '.': {
    name: 'read once',
    joinsRegions: false,
    reconsumable: false,
    reconnectsWithLoss: false,
    consumption: 'after-producer-scheduled',
  },
};

interface DrawnVertex {
  readonly id: string;
  readonly parallelism: number;
  readonly deterministic: boolean;
  readonly slotSharingGroup?: string;
  readonly coLocationGroup?: string;
}

interface DrawnEdge {
  readonly source: string;
  readonly target: string;
  readonly exchange: ExchangeType;
  readonly pattern: DistributionPattern;
}

/**
 * The job graph of a drawing: `a:2 -> b:2 =x> c` is two pipelines that feed one task by a blocking exchange.
 *
 * Each line is a chain. `->` is pipelined, `=>` blocking, `~>` memory, `^>` reliable, `.>` read once, `+>` reconnects with
 * loss; an `x` before the point (`=x>`) makes the edge all-to-all. A vertex has its parallelism, the `!` of one that is
 * declared deterministic (`a!:2`), and its slot sharing and co-location groups (`a/slots@place:2`), where it is drawn first.
 */
export function drawn(...lines: readonly string[]): ExecutionGraph {
  const vertexById = new Map<string, DrawnVertex>();
  const edges: DrawnEdge[] = [];
  for (const line of lines) {
    let source: string | undefined;
    let arrow: string | undefined;
    for (const token of line.split(' ')) {
      if (token.endsWith('>')) {
        arrow = token;
        continue;
      }
      const vertex = vertexOf(token);
      const { id } = vertex;
      if (!vertexById.has(id)) vertexById.set(id, vertex);
      if (source !== undefined && arrow !== undefined) edges.push(edgeOf(source, arrow, id));
      source = id;
    }
  }
  return new ExecutionGraph(createJobGraph('drawn', [...vertexById.values()], edges));
}

function vertexOf(token: string): DrawnVertex {
  const [, id, sign, sharing, place, parallelism] =
    /^([^!/@:]+)(!?)(?:\/([^@:]+))?(?:@([^:]+))?(?::(\d+))?$/.exec(token) ?? [];
  if (id === undefined) throw new Error(`No vertex is drawn as ${token}`);
  return {
    id,
    parallelism: Number(parallelism ?? 1),
    deterministic: sign === '!',
    ...(sharing !== undefined && { slotSharingGroup: sharing }),
    ...(place !== undefined && { coLocationGroup: place }),
  };
}

function edgeOf(source: string, arrow: string, target: string): DrawnEdge {
  const exchange = exchangeBySign[arrow[0] as string];
  if (exchange === undefined) throw new Error(`No exchange is drawn as ${arrow}`);
  return { source, target, exchange, pattern: arrow.includes('x') ? 'all-to-all' : 'pointwise' };
}

/** The execution vertex called `map[2]`; `map` is `map[0]`. */
export function taskOf(graph: ExecutionGraph, name: string): ExecutionVertexId {
  const full = name.endsWith(']') ? name : `${name}[0]`;
  for (let vertex = 0 as ExecutionVertexId; vertex < graph.vertexCount; vertex++) {
    if (graph.nameOf(vertex) === full) return vertex;
  }
  throw new Error(`No task ${full}`);
}

/** The names of tasks, without the `[0]` of those that are alone. */
export function namesOf(graph: ExecutionGraph, vertices: Iterable<number>): string[] {
  return [...vertices].map((vertex) => {
    const { id, parallelism } = graph.jobVertexOf(vertex as ExecutionVertexId);
    return parallelism === 1 ? id : graph.nameOf(vertex as ExecutionVertexId);
  });
}

/** The task names of each region. */
export function drawnRegions(graph: ExecutionGraph, regions: PipelinedRegions): string[] {
  return Array.from({ length: regions.count }, (_, region) =>
    namesOf(graph, regions.verticesOf(region as RegionId)).join(' '),
  );
}
