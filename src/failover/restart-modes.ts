import type { RestartMode } from '../graph/reproducibility.ts';
import type { RegionId } from '../ids.ts';

/** Not in the answer. */
const absent = 0;
const codes = { again: 1, new: 2 } as const;
const modes: readonly (RestartMode | undefined)[] = [undefined, 'again', 'new'];

/** Up to so many regions of the job per restarted one, a table over all regions is quicker than a `Map`. */
const sparsest = 16;

/**
 * The regions that restart, in the order in which the rule found them, and the mode of each. A map whose index is made
 * when it is first asked: an answer of thousands of regions is mostly only walked.
 */
export class RestartModes implements ReadonlyMap<RegionId, RestartMode> {
  readonly #regions: readonly RegionId[];
  readonly #modes: readonly RestartMode[];
  /** Number of regions in the job. */
  readonly #regionCount: number;
  #table: Uint8Array | undefined;
  #map: Map<RegionId, RestartMode> | undefined;

  /**
   * @param regions each once
   * @param modes parallel to `regions`
   */
  constructor(regions: readonly RegionId[], modes: readonly RestartMode[], regionCount: number) {
    this.#regions = regions;
    this.#modes = modes;
    this.#regionCount = regionCount;
  }

  get size(): number {
    return this.#regions.length;
  }

  get(region: RegionId): RestartMode | undefined {
    if (this.#regionCount > sparsest * this.size) return this.#byRegion().get(region);
    return modes[this.#codes()[region] ?? absent];
  }

  has(region: RegionId): boolean {
    return this.get(region) !== undefined;
  }

  forEach(visit: (mode: RestartMode, region: RegionId, map: ReadonlyMap<RegionId, RestartMode>) => void): void {
    for (const [region, mode] of this) visit(mode, region, this);
  }

  *entries(): MapIterator<[RegionId, RestartMode]> {
    for (const [at, region] of this.#regions.entries()) yield [region, this.#modes[at] as RestartMode];
  }

  keys(): MapIterator<RegionId> {
    return this.#regions.values();
  }

  values(): MapIterator<RestartMode> {
    return this.#modes.values();
  }

  [Symbol.iterator](): MapIterator<[RegionId, RestartMode]> {
    return this.entries();
  }

  #codes(): Uint8Array {
    if (this.#table === undefined) {
      const table = new Uint8Array(this.#regionCount);
      for (const [at, region] of this.#regions.entries()) table[region] = codes[this.#modes[at] as RestartMode];
      this.#table = table;
    }
    return this.#table;
  }

  #byRegion(): Map<RegionId, RestartMode> {
    return (this.#map ??= new Map(this));
  }
}
