/** Of one subpartition: how many records each batch had, and the checksum of its frame. */
interface SubpartitionTrace {
  readonly counts: Uint32Array;
  readonly checksums: Uint32Array;
}

/**
 * What is left of a complete result that was given up: enough to tell whether another attempt produces the same again.
 * 8 bytes a batch.
 */
export class ResultTrace {
  readonly #subpartitions: readonly (SubpartitionTrace | undefined)[];

  /** @param batches by subpartition, those of each in order */
  constructor(batches: readonly (Iterable<{ readonly count: number; readonly checksum: number }> | undefined)[]) {
    this.#subpartitions = batches.map((of) => {
      if (of === undefined) return undefined;
      const all = [...of];
      return {
        counts: Uint32Array.from(all, ({ count }) => count),
        checksums: Uint32Array.from(all, ({ checksum }) => checksum),
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

  checksum(subpartition: number, batch: number): number {
    return this.#subpartitions[subpartition]?.checksums[batch] ?? 0;
  }
}
