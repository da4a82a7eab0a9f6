import type { Clock } from '../environment.ts';

/** Where results go, as far as the pace depends on it. */
export interface ResultRoom {
  /** Whether all results of earlier steps were taken. */
  readonly isEmpty: boolean;
  /** Total number of batches taken. */
  readonly batchesTaken: number;
  /** Whether it holds less than a batch. */
  readonly hasRoom: boolean;
}

/** Maximum growth of a step over the last one. */
const growth = 4;

/** Batches of results per step above which the next step is shorter. */
const mostBatches = 4;

/** Time after which work stops for now, and which a step should not take longer than, in ms. */
const sliceMs = 1;

/** Records after which V8 has surely optimized the loop that processes them. */
const warmUpRecords = 1 << 17;

/** Maximum records per step until then. */
const warmUpStep = 128;

/**
 * Adapts how many records to process at once, so that each step yields a few batches of results, and takes a
 * millisecond at most: a record may expand into many, or a large one, and not all of them should be in memory at once; or
 * it may take long, and others wait for the thread. Begins with one record.
 */
export class Pace {
  readonly #results: ResultRoom;
  readonly #clock: Pick<Clock, 'now'> | undefined;
  #most = 1;
  /** Records that a step has time for. */
  #mostInTime = Number.POSITIVE_INFINITY;
  /** Records processed since the last adaptation. */
  #worked = 0;
  #batchesBefore = 0;
  #warmUpLeft: number;

  /**
   * @param clock without one, a record takes no time
   * @param warmsUp whether each step calls a loop that is new, so steps are short at first: what V8 has optimized is used
   *   from the next call on, and for a call that goes on for long it would optimize the loop a second time
   */
  constructor(results: ResultRoom, clock?: Pick<Clock, 'now'>, warmsUp = false) {
    this.#results = results;
    this.#clock = clock;
    this.#warmUpLeft = warmsUp ? warmUpRecords : 0;
  }

  /**
   * Works in steps until a batch of results is full, the time is over, or no input is left.
   *
   * @param work processes `count` records; returns whether there may be more
   */
  workOn(count: number, work: (count: number) => boolean): void {
    if (this.#results.isEmpty) this.#learn();
    const beganMs = this.#clock?.now() ?? 0;
    let nowMs = beganMs;
    for (let left = count; left > 0; ) {
      const step = Math.min(this.#most, this.#mostInTime, left, this.#warmUpLeft > 0 ? warmUpStep : left);
      left -= step;
      if (this.#warmUpLeft > 0) this.#warmUpLeft -= step;
      this.#worked += step;
      const hasMore = work(step);
      const stepBeganMs = nowMs;
      nowMs = this.#clock?.now() ?? 0;
      this.#keepTime(step, nowMs - stepBeganMs);
      if (!hasMore || left === 0 || nowMs - beganMs >= sliceMs || !this.#results.hasRoom) return;
      if (step >= this.#most) this.#most *= growth;
    }
  }

  /** Goes by the last step as soon as the next one might take too long. */
  #keepTime(step: number, tookMs: number): void {
    if (tookMs * growth > sliceMs) this.#mostInTime = Math.max(1, Math.floor((step * sliceMs) / tookMs));
    else if (step >= this.#mostInTime) this.#mostInTime *= growth;
  }

  /** Adapts to the number of batches that the last steps yielded. */
  #learn(): void {
    const { batchesTaken } = this.#results;
    const batches = batchesTaken - this.#batchesBefore;
    if (batches > mostBatches) this.#most = Math.max(1, Math.floor((2 * this.#worked) / batches));
    else this.#most = Math.max(this.#most, this.#worked * growth);
    this.#worked = 0;
    this.#batchesBefore = batchesTaken;
  }
}
