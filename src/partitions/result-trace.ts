import type { Barrier } from './stream-element.ts';

/** An element of an output. */
export interface TracedElement {
  /** Number of its records; 0 for a mark. */
  readonly count: number;
  /** Checksum of its frame; undefined if unknown, in which case nothing can be shown to equal it. */
  readonly checksum: number | undefined;
  /** Itself, if it is a barrier. */
  readonly barrier?: Barrier | undefined;
}

/** For one subpartition: the record count of each element, and the checksum of its frame. */
interface SubpartitionTrace {
  readonly counts: Uint32Array;
  readonly checksums: Uint32Array;
  /** Number of elements without a checksum. */
  readonly unknown: ReadonlySet<number>;
  /** By index. */
  readonly barriers: ReadonlyMap<number, Barrier>;
}

/**
 * The trace of a released result: enough to tell whether another attempt produces the same elements. 8 bytes per
 * element.
 */
export class ResultTrace {
  /** Whether the trace is complete. Otherwise the rest of the output is unknown, because no consumer needed it. */
  readonly isWhole: boolean;
  readonly #subpartitions: readonly (SubpartitionTrace | undefined)[];
  readonly #firstRecords: readonly (number | undefined)[];

  /**
   * @param elements by subpartition, in order
   * @param firstRecords by subpartition: the number of the record with which it begins; default 0
   */
  constructor(
    elements: readonly (Iterable<TracedElement> | undefined)[],
    isWhole = true,
    firstRecords: readonly (number | undefined)[] = [],
  ) {
    this.isWhole = isWhole;
    this.#firstRecords = firstRecords;
    this.#subpartitions = elements.map((of) => {
      if (of === undefined) return undefined;
      const all = [...of];
      return {
        counts: Uint32Array.from(all, ({ count }) => count),
        checksums: Uint32Array.from(all, ({ checksum = 0 }) => checksum),
        barriers: new Map(
          all.flatMap(({ barrier }, index) => (barrier === undefined ? [] : [[index, barrier] as const])),
        ),
        unknown: new Set(all.flatMap(({ checksum }, index) => (checksum === undefined ? [index] : []))),
      };
    });
  }

  get subpartitionCount(): number {
    return this.#subpartitions.length;
  }

  elementCount(subpartition: number): number {
    return this.#subpartitions[subpartition]?.counts.length ?? 0;
  }

  /** Number of records in an element; 0 for a mark. */
  recordCount(subpartition: number, index: number): number {
    return this.#subpartitions[subpartition]?.counts[index] ?? 0;
  }

  /** The barrier that an element is; undefined for other elements. */
  barrierAt(subpartition: number, index: number): Barrier | undefined {
    return this.#subpartitions[subpartition]?.barriers.get(index);
  }

  /** Number of records of a subpartition before an element. O(elements). */
  sequence(subpartition: number, index: number): number {
    const first = this.#firstRecords[subpartition] ?? 0;
    const counts = this.#subpartitions[subpartition]?.counts.subarray(0, index);
    return counts?.reduce((sum, count) => sum + count, first) ?? first;
  }

  checksum(subpartition: number, index: number): number | undefined {
    const trace = this.#subpartitions[subpartition];
    return trace?.unknown.has(index) === true ? undefined : trace?.checksums[index];
  }
}
