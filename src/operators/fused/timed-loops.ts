import type { Clock } from '../../environment.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import type { Loops } from './loop.ts';
import type { Loop, PullingLoop, SegmentTrace } from './segment.ts';

/** Time in a loop that counts as one measurement. */
const windowMs = 20;

/** Measurements of new code that say nothing, because V8 is still optimizing it. */
const warmUps = 2;

/** µs per record from which it is worth a try to call the user's functions apart. A call costs some ns. */
const worthwhileUs = 0.2;

/** µs per record below which calls would cost more than they gain. */
const lightUs = 0.05;

/**
 * The loops of a stretch, with the user's functions inlined or, if that takes less time, called apart: see
 * {@link callApart}. Both are timed where a record takes long, so this knows no more of the functions than that.
 */
export class TimedLoops implements Loops {
  readonly usesTail: boolean;
  readonly run: Loop = (records, out, trace) => this.#run(records, out, trace);
  readonly pull: PullingLoop | undefined;
  readonly #inlined: Loops;
  readonly #makeApart: () => Loops;
  readonly #clock: Pick<Clock, 'now'>;
  #apart: Loops | undefined;
  #loops: Loops;
  /** Whether there is nothing to find out any more. */
  #isSettled = false;
  #inlinedUs = 0;
  #ms = 0;
  #records = 0;
  #measurements = 0;

  constructor(inlined: Loops, makeApart: () => Loops, clock: Pick<Clock, 'now'>) {
    this.#loops = this.#inlined = inlined;
    this.#makeApart = makeApart;
    this.#clock = clock;
    this.usesTail = inlined.usesTail;
    if (inlined.pull !== undefined) {
      this.pull = (first, count, out, trace) => this.#pull(first, count, out, trace);
    }
  }

  #run(records: Batch, out: unknown[], trace: SegmentTrace): void {
    if (this.#isSettled) return this.#loops.run(records, out, trace);
    const beganMs = this.#clock.now();
    this.#loops.run(records, out, trace);
    this.#note(beganMs, Math.max(records.length, out.length));
  }

  #pull(first: unknown, count: number, out: unknown[], trace: SegmentTrace): void {
    if (this.#isSettled) return this.#loops.pull?.(first, count, out, trace);
    const beganMs = this.#clock.now();
    this.#loops.pull?.(first, count, out, trace);
    this.#note(beganMs, Math.max(count, out.length));
  }

  #note(beganMs: number, records: number): void {
    this.#ms += this.#clock.now() - beganMs;
    this.#records += records;
    if (this.#ms < windowMs) return;
    const us = (this.#ms * 1_000) / this.#records;
    this.#ms = this.#records = 0;
    if (this.#measurements++ >= warmUps) this.#choose(us);
  }

  #choose(us: number): void {
    if (this.#loops === this.#inlined) {
      if (us < worthwhileUs) return;
      this.#inlinedUs = us;
      this.#use((this.#apart ??= this.#makeApart()));
    } else if (us > this.#inlinedUs) {
      this.#use(this.#inlined);
      this.#isSettled = true;
    } else if (us < lightUs) this.#use(this.#inlined);
  }

  #use(loops: Loops): void {
    this.#loops = loops;
    this.#measurements = 0;
  }
}
