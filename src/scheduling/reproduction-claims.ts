import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import { type RestartMode, type Reproducibility, ReproducibleRegions } from '../graph/reproducibility.ts';
import type { ExecutionVertexId, RegionId } from '../ids.ts';

const traceless: Reproducibility = { kind: 'never', why: 'no trace of its output is left to compare with' };
const orderLost: Reproducibility = { kind: 'never', why: 'the order in which it merged its channels is lost' };
const noRoom: Reproducibility = { kind: 'never', why: 'there was no room for it beside its consumers' };

/** Which regions can reproduce their results: what their tasks claim, and what was lost since. Answers are O(1). */
export class ReproductionClaims {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #reproducible: ReproducibleRegions;
  /** Tasks whose channels were merged in an order that is lost, by region. */
  readonly #orderLostIn = new Map<RegionId, Set<ExecutionVertexId>>();
  /** Regions with results of which not even a trace is left that a second run could be compared with. */
  readonly #traceless = new Set<RegionId>();
  /** Regions for which there was no room beside their consumers. */
  readonly #withoutRoom = new Set<RegionId>();

  constructor(graph: ExecutionGraph, regions: PipelinedRegions) {
    this.#graph = graph;
    this.#regions = regions;
    this.#reproducible = new ReproducibleRegions(graph, regions);
  }

  /** Whether a region could reproduce, as things are now, what its present attempt writes. */
  reproducibilityOf(region: RegionId): Reproducibility {
    const claimed = this.#reproducible.of(region);
    if (claimed.kind === 'never') return claimed;
    if (this.#withoutRoom.has(region)) return noRoom;
    if (this.#traceless.has(region)) return traceless;
    return claimed.kind === 'from-kept-results' && this.#orderLostIn.has(region) ? orderLost : claimed;
  }

  /** Whether the region of a task claims what it takes to reproduce its results, whatever was lost since. */
  isReproducible(vertex: ExecutionVertexId): boolean {
    return this.#reproducible.of(this.#regions.regionOf(vertex)).kind !== 'never';
  }

  /** Whether there was no room for a region beside its consumers, when it last failed. */
  isWithoutRoom(region: RegionId): boolean {
    return this.#withoutRoom.has(region);
  }

  /** Whether a task is to keep the order in which it merges its channels. */
  keepsOrder(vertex: ExecutionVertexId): boolean {
    return this.#reproducible.keepsOrder(vertex);
  }

  /** An attempt of a task begins. What it writes anew can be reproduced, whatever was lost of what was there before. */
  begin(vertex: ExecutionVertexId, mode: RestartMode): void {
    if (mode === 'again') return;
    const region = this.#regions.regionOf(vertex);
    this.#traceless.delete(region);
    this.#withoutRoom.delete(region);
    const tasks = this.#orderLostIn.get(region);
    tasks?.delete(vertex);
    if (tasks?.size === 0) this.#orderLostIn.delete(region);
  }

  /** A task claims to be deterministic and is not: no task of its job vertex is believed any more. */
  distrust(vertex: ExecutionVertexId): void {
    this.#reproducible.distrust(this.#graph.jobVertexIndexOf(vertex));
  }

  /** There is no room for a region beside its consumers: they restart with it. */
  loseRoom(region: RegionId): void {
    this.#withoutRoom.add(region);
  }

  /** Nothing is left of a result of a region: if it has to be produced again, its consumers restart too. */
  loseTrace(region: RegionId): void {
    this.#traceless.add(region);
  }

  /** The order in which a task merged its channels is gone with its executor. */
  loseOrder(vertex: ExecutionVertexId): void {
    const region = this.#regions.regionOf(vertex);
    const tasks = this.#orderLostIn.get(region) ?? new Set();
    this.#orderLostIn.set(region, tasks.add(vertex));
  }
}
