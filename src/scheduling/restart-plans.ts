import { type RestartMode, type Reproducibility, ReproducibleRegions } from '../graph/reproducibility.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../ids.ts';

/**
 * How a region that was restarted stands, as the latest failover decided:
 * - `to-be-new`, `to-be-again`: decided, and not begun;
 * - `to-wait`: it has not begun, and waits once more for what it reads. Who reads it goes on, and it has written nothing
 *   that it would have to write again;
 * - `again`: it has begun to produce again what it has produced.
 *
 * A region of which nothing is noted produces something new, or is about to for the first time.
 */
type RestartPlan = 'to-be-new' | 'to-be-again' | 'to-wait' | 'again';

const anew: Reproducibility = { kind: 'never', why: 'it is about to produce something new' };
const traceless: Reproducibility = { kind: 'never', why: 'nothing is left of what it wrote to compare with' };
const outOfOrder: Reproducibility = { kind: 'never', why: 'the order in which it merged its channels is lost' };

/** How the regions of a job restart, and which of them can produce again what they have produced. Answers are O(1). */
export class RestartPlans {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #reproducible: ReproducibleRegions;
  readonly #planOf = new Map<RegionId, RestartPlan>();
  /** Tasks whose channels were merged in an order that nobody knows any more, by region. */
  readonly #orderLostIn = new Map<RegionId, Set<ExecutionVertexId>>();
  /** Regions of whose results nothing is left, not even what a second run could be compared with. */
  readonly #traceless = new Set<RegionId>();

  constructor(graph: ExecutionGraph, regions: PipelinedRegions) {
    this.#graph = graph;
    this.#regions = regions;
    this.#reproducible = new ReproducibleRegions(graph, regions);
  }

  /** Whether a region produces again what it has produced, or something new; new in its first attempt. */
  modeOf(region: RegionId): RestartMode {
    const plan = this.#planOf.get(region);
    return plan === undefined || plan === 'to-be-new' ? 'new' : 'again';
  }

  /** Whether, as things are now, a region could produce again what it has produced. */
  reproducibilityOf(region: RegionId): Reproducibility {
    if (this.#planOf.get(region) === 'to-be-new') return anew;
    const reproducibility = this.#reproducible.of(region);
    if (reproducibility.kind === 'never') return reproducibility;
    if (this.#traceless.has(region)) return traceless;
    return reproducibility.kind === 'from-kept-results' && this.#orderLostIn.has(region) ? outOfOrder : reproducibility;
  }

  /** Whether the tasks of a region claim what it takes to produce again, whatever was lost since. */
  isReproducible(region: RegionId): boolean {
    return this.#reproducible.of(region).kind !== 'never';
  }

  /** Whether a task is to keep the order in which it merges its channels. */
  keepsOrder(vertex: ExecutionVertexId): boolean {
    return this.#reproducible.keepsOrder(vertex);
  }

  /** Regions that were to produce again and, as things are now, cannot: nobody is prepared for that. O(restarted regions). */
  unableToProduceAgain(): RegionId[] {
    return [...this.#planOf].flatMap(([region, plan]) =>
      plan === 'to-be-again' && this.reproducibilityOf(region).kind === 'never' ? [region] : [],
    );
  }

  /** A failover decided how a region restarts. What was to be new and has not begun stays so: its inputs have changed. */
  decide(region: RegionId, mode: RestartMode): void {
    const plan = this.#planOf.get(region);
    if (mode === 'new') this.#planOf.set(region, 'to-be-new');
    else if (plan !== 'to-be-new' && plan !== 'to-wait') this.#planOf.set(region, 'to-be-again');
  }

  /** Whether what was decided about a region has not begun: what is there of its results is of an earlier attempt. */
  isDecided(region: RegionId): boolean {
    const plan = this.#planOf.get(region);
    return plan !== undefined && plan !== 'again';
  }

  /** A region that has not begun is to wait once more: what is decided about it stays. */
  wait(region: RegionId): void {
    const plan = this.#planOf.get(region);
    if (plan === undefined) this.#planOf.set(region, 'to-wait');
    else if (plan === 'again') this.#planOf.set(region, 'to-be-again');
  }

  /** An attempt of a task begins, and with it what was decided about its region. */
  begin(vertex: ExecutionVertexId): void {
    const region = this.#regions.regionOf(vertex);
    if (this.modeOf(region) === 'again') {
      this.#planOf.set(region, 'again');
      return;
    }
    this.#planOf.delete(region);
    this.#traceless.delete(region);
    const orderLost = this.#orderLostIn.get(region);
    orderLost?.delete(vertex);
    if (orderLost?.size === 0) this.#orderLostIn.delete(region);
  }

  /** A task claims to be deterministic and is not: no other of its job vertex is believed either. */
  distrust(vertex: ExecutionVertexId): void {
    this.#reproducible.distrust(this.#graph.jobVertexIndexOf(vertex));
  }

  /** A region cannot run beside those who read what it has produced: they will restart with it. */
  giveUpProducingAgain(region: RegionId): void {
    this.#planOf.set(region, 'to-be-new');
  }

  /** Of a result of a region nothing is left: if it has to be produced again, everybody reads it anew. */
  loseTrace(region: RegionId): void {
    this.#traceless.add(region);
  }

  /** The order in which a task merged its channels is gone with its executor. */
  loseOrder(vertex: ExecutionVertexId): void {
    const region = this.#regions.regionOf(vertex);
    const orderLost = this.#orderLostIn.get(region) ?? new Set();
    this.#orderLostIn.set(region, orderLost.add(vertex));
  }
}
