import type { ExecutionVertexId, RegionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import { type JobVertex, nameOfEdge } from './job-graph.ts';
import type { PipelinedRegions } from './pipelined-region.ts';

/**
 * Whether a restarted region reproduces its results, record by record and subpartition by subpartition, given the same
 * inputs:
 * - `never`, and why not;
 * - `from-kept-results`: it merges channels in a recorded order, which it can replay as long as the producers of its
 *   inputs do not restart too;
 * - `always`.
 */
export type Reproducibility =
  | { readonly kind: 'never'; readonly why: string }
  | { readonly kind: 'from-kept-results' }
  | { readonly kind: 'always' };

/**
 * How a region restarts. `again`: it reproduces its results, and its consumers skip the records they already have.
 * `new`: it recomputes them, and its consumers restart too.
 */
export type RestartMode = 'again' | 'new';

const always: Reproducibility = { kind: 'always' };
const fromKeptResults: Reproducibility = { kind: 'from-kept-results' };

/** How many channels a task reads. */
function channelCount(graph: ExecutionGraph, vertex: ExecutionVertexId): number {
  return graph.inputsOf(vertex).reduce((count, { producerCount }) => count + producerCount, 0);
}

/**
 * Which regions of a job reproduce their results, given the declarations of its vertices (`deterministic`) and how many
 * channels their tasks merge. Tasks without consumers do not matter. Each region is examined once: O(its tasks).
 */
export class ReproducibleRegions {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #distrusted = new Set<number>();
  /** By region. */
  readonly #known: (Reproducibility | undefined)[];
  /** By job vertex: as far as its declarations tell. */
  readonly #declared: (Reproducibility | undefined)[] = [];

  constructor(graph: ExecutionGraph, regions: PipelinedRegions) {
    this.#graph = graph;
    this.#regions = regions;
    // Of its whole length from the start, as an array that begins far from its start is a slow one.
    this.#known = Array.from({ length: regions.count }, () => undefined);
  }

  of(region: RegionId): Reproducibility {
    return (this.#known[region] ??= this.#lookAt(region));
  }

  /** Records that a job vertex was declared deterministic but is not. */
  distrust(jobVertex: number): void {
    this.#distrusted.add(jobVertex);
    this.#declared.length = 0;
    this.#known.fill(undefined);
  }

  /** Whether the tasks of a vertex must record the order in which they merge their channels. */
  keepsOrder(vertex: ExecutionVertexId): boolean {
    if (this.of(this.#regions.regionOf(vertex)).kind !== 'from-kept-results') return false;
    // The order of a task without consumers does not matter, so it may merge inputs that restart with it.
    return this.#graph.outputsOf(vertex).length > 0 && channelCount(this.#graph, vertex) > 1;
  }

  #lookAt(region: RegionId): Reproducibility {
    const graph = this.#graph;
    let merges = false;
    let own: Set<number> | undefined;
    let found: Reproducibility | undefined;
    this.#regions.forEachVertex(region, (vertex) => {
      if (found !== undefined) return;
      const jobVertex = graph.jobVertexIndexOf(vertex);
      if (graph.edgesOutOf(jobVertex).length === 0) return;
      const declared = (this.#declared[jobVertex] ??= this.#declaredOf(jobVertex));
      if (declared.kind === 'never') {
        found = declared;
        return;
      }
      const { channels, lossy } = inputsOf(graph, vertex);
      if (lossy !== undefined) found = never(`${graph.nameOf(vertex)} may read different records over ${lossy}`);
      if (lossy !== undefined || channels < 2) return;
      merges = true;
      own ??= this.#producedBy(region);
      const input = ownInput(graph, vertex, own);
      if (input !== undefined) found = never(`${graph.nameOf(vertex)} merges channels of ${input} in arrival order`);
    });
    return found ?? (merges ? fromKeptResults : always);
  }

  #declaredOf(jobVertex: number): Reproducibility {
    const about = this.#graph.jobGraph.vertices[jobVertex] as JobVertex;
    const { id, deterministic, replayable, operators = [id], undeclared = [id], rejecting = [] } = about;
    if (replayable === false) return never(`"${id}" cannot be read again`);
    if (this.#distrusted.has(jobVertex)) {
      const those = quoted(operators);
      return never(
        `${those} ${operators.length > 1 ? 'were' : 'was'} declared deterministic, but wrote different records`,
      );
    }
    if (deterministic !== true && rejecting.length > 0) {
      return never(`${quoted(rejecting)} may reject other records the next time (\`onError\`)`);
    }
    if (deterministic !== true) {
      return never(`${quoted(undeclared)} ${undeclared.length > 1 ? 'are' : 'is'} not declared deterministic`);
    }
    return always;
  }

  /** The groups that the tasks of a region feed. */
  #producedBy(region: RegionId): Set<number> {
    const groups = new Set<number>();
    this.#regions.forEachVertex(region, (vertex) => {
      this.#graph.forEachProducedGroup(vertex, (group) => groups.add(group));
    });
    return groups;
  }
}

/** How many channels a task reads, and the edge, if any, over which it may read different records after a restart. */
function inputsOf(graph: ExecutionGraph, vertex: ExecutionVertexId): { channels: number; lossy: string | undefined } {
  let lossy: string | undefined;
  graph.forEachConsumedGroup(vertex, (group) => {
    if (graph.exchangeOfGroup(group).reconnectsWithLoss) lossy = nameOfEdge(graph.edgeOfGroup(group));
  });
  return { channels: channelCount(graph, vertex), lossy };
}

/** An input of a task that is fed by its own region, and therefore restarts with the task. */
function ownInput(graph: ExecutionGraph, vertex: ExecutionVertexId, own: ReadonlySet<number>): string | undefined {
  let input: string | undefined;
  graph.forEachConsumedGroup(vertex, (group) => {
    if (own.has(group)) input = nameOfEdge(graph.edgeOfGroup(group));
  });
  return input;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

function never(why: string): Reproducibility {
  return { kind: 'never', why };
}
