import type { SegmentTrace } from './segment.ts';

/** Where a run failed: see `SegmentTrace.failedAt`. */
export interface FailedPlace {
  readonly operator: number;
  readonly index: number;
  readonly value: unknown;
}

/** The trace of one run. An object, because a closure per batch would cost more than the trace. */
export class RunTrace implements SegmentTrace {
  readonly origins: number[] | undefined;
  readonly #reject: SegmentTrace['reject'] | undefined;
  place: FailedPlace | undefined;
  #failed: { readonly value: unknown } | undefined;
  taken = 0;
  put = 0;

  constructor(origins: number[] | undefined, reject: SegmentTrace['reject'] | undefined) {
    this.origins = origins;
    this.#reject = reject;
  }

  reject(operator: number, index: number, error: unknown, record: unknown): unknown {
    if (this.#reject === undefined) throw error;
    return this.#reject(operator, index, error, record);
  }

  failedAt(operator: number, index: number): void {
    this.place = { operator, index, value: this.#failed?.value };
  }

  failedWith(value: unknown): void {
    this.#failed ??= { value };
  }

  passed(taken: number, put: number): void {
    this.taken = taken;
    this.put = put;
  }
}

/** The number of a record at `index` behind `base`; undefined if unknown. */
export function numberOf(base: number | undefined, index: number | undefined): number | undefined {
  return base === undefined || index === undefined || base + index < 0 ? undefined : base + index;
}
