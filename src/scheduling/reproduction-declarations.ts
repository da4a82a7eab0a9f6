import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import { type RestartMode, type Reproducibility, ReproducibleRegions } from '../graph/reproducibility.ts';
import type { ExecutionVertexId, RegionId } from '../ids.ts';

const traceless: Reproducibility = { kind: 'never', why: 'no trace of its output is left to compare with' };
const orderLost: Reproducibility = { kind: 'never', why: 'the order in which it merged its channels is lost' };
const drained: Reproducibility = { kind: 'never', why: 'its final results were handed on for a savepoint that failed' };
const noRoom: Reproducibility = { kind: 'never', why: 'there was no room for it beside its consumers' };

/**
 * Which regions can reproduce their results, by the declarations of their tasks and the losses since. Answers are O(1).
 */
export class ReproductionDeclarations {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #reproducible: ReproducibleRegions;
  /** By region: tasks whose recorded channel order is lost, or their place in it. */
  readonly #orderLostIn = new Map<RegionId, Set<ExecutionVertexId>>();
  /** Regions with a result of which no trace is left. */
  readonly #traceless = new Set<RegionId>();
  /** Regions without room (slots, disk space) beside their consumers. */
  readonly #withoutRoom = new Set<RegionId>();
  /** Regions that were drained, and restart because that failed. */
  readonly #drained = new Set<RegionId>();

  constructor(graph: ExecutionGraph, regions: PipelinedRegions) {
    this.#graph = graph;
    this.#regions = regions;
    this.#reproducible = new ReproducibleRegions(graph, regions);
  }

  /** Whether a region could reproduce its current attempt's results now. */
  reproducibilityOf(region: RegionId): Reproducibility {
    const declared = this.#reproducible.of(region);
    if (declared.kind === 'never') return declared;
    if (this.#withoutRoom.has(region)) return noRoom;
    if (this.#drained.has(region)) return drained;
    if (this.#traceless.has(region)) return traceless;
    return declared.kind === 'from-kept-results' && this.#orderLostIn.has(region) ? orderLost : declared;
  }

  /** Whether the region of a task is reproducible by its declarations, regardless of losses since. */
  isReproducible(vertex: ExecutionVertexId): boolean {
    return this.#reproducible.of(this.#regions.regionOf(vertex)).kind !== 'never';
  }

  /** Whether a region had no room beside its consumers when it last failed. */
  isWithoutRoom(region: RegionId): boolean {
    return this.#withoutRoom.has(region);
  }

  /** Whether a task must record the order in which it merges its channels. */
  keepsOrder(vertex: ExecutionVertexId): boolean {
    return this.#reproducible.keepsOrder(vertex);
  }

  /** An attempt of a task begins. If it writes new results, they are reproducible, regardless of earlier losses. */
  begin(vertex: ExecutionVertexId, mode: RestartMode): void {
    if (mode === 'again') return;
    const region = this.#regions.regionOf(vertex);
    this.#traceless.delete(region);
    this.#withoutRoom.delete(region);
    this.#drained.delete(region);
    const tasks = this.#orderLostIn.get(region);
    tasks?.delete(vertex);
    if (tasks?.size === 0) this.#orderLostIn.delete(region);
  }

  /** A task was declared deterministic but is not: the declaration of its whole job vertex is ignored. */
  distrust(vertex: ExecutionVertexId): void {
    this.#reproducible.distrust(this.#graph.jobVertexIndexOf(vertex));
  }

  /** A region has no room beside its consumers, which restart with it. */
  loseRoom(region: RegionId): void {
    this.#withoutRoom.add(region);
  }

  /** A region was drained in vain: its input goes on where its output has ended. */
  drain(region: RegionId): void {
    this.#drained.add(region);
  }

  /** No trace of a region's result is left: if it is produced again, its consumers restart too. */
  loseTrace(region: RegionId): void {
    this.#traceless.add(region);
  }

  /** The channel order that a task recorded is lost, or its place in it. No effect on one that records none. */
  loseOrder(vertex: ExecutionVertexId): void {
    if (!this.keepsOrder(vertex)) return;
    const region = this.#regions.regionOf(vertex);
    const tasks = this.#orderLostIn.get(region) ?? new Set();
    this.#orderLostIn.set(region, tasks.add(vertex));
  }
}
