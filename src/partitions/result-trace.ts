/** A batch that was produced. */
export interface TracedBatch {
  readonly count: number;
  /** Of its frame; undefined where that is not known: then it is as good as any. */
  readonly checksum: number | undefined;
}

/** Of one subpartition: how many records each batch had, and the checksum of its frame. */
interface SubpartitionTrace {
  readonly counts: Uint32Array;
  readonly checksums: Uint32Array;
  /** Batches without a checksum. */
  readonly unknown: ReadonlySet<number>;
}

/**
 * What is left of a result that was released: enough to tell whether another attempt produces the same again. 8 bytes a
 * batch.
 */
export class ResultTrace {
  /** Whether that was all of it; otherwise nobody needed the rest, and nothing is known of it. */
  readonly isWhole: boolean;
  readonly #subpartitions: readonly (SubpartitionTrace | undefined)[];

  /** @param batches by subpartition, those of each in order */
  constructor(batches: readonly (Iterable<TracedBatch> | undefined)[], isWhole = true) {
    this.isWhole = isWhole;
    this.#subpartitions = batches.map((of) => {
      if (of === undefined) return undefined;
      const all = [...of];
      return {
        counts: Uint32Array.from(all, ({ count }) => count),
        checksums: Uint32Array.from(all, ({ checksum = 0 }) => checksum),
        unknown: new Set(all.flatMap(({ checksum }, batch) => (checksum === undefined ? [batch] : []))),
      };
    });
  }

  get subpartitionCount(): number {
    return this.#subpartitions.length;
  }

  batchCount(subpartition: number): number {
    return this.#subpartitions[subpartition]?.counts.length ?? 0;
  }

  recordCount(subpartition: number, batch: number): number {
    return this.#subpartitions[subpartition]?.counts[batch] ?? 0;
  }

  /** Records of a subpartition before a batch. O(batches). */
  sequence(subpartition: number, batch: number): number {
    return this.#subpartitions[subpartition]?.counts.subarray(0, batch).reduce((sum, count) => sum + count, 0) ?? 0;
  }

  checksum(subpartition: number, batch: number): number | undefined {
    const trace = this.#subpartitions[subpartition];
    return trace?.unknown.has(batch) === true ? undefined : trace?.checksums[batch];
  }
}
