import type { Clock } from '../../../environment.ts';
import type { Batch } from '../../../partitions/stream-element.ts';
import type { Loops } from './loop.ts';
import type { Loop, PullingLoop, SegmentTrace } from './segment.ts';

/** Time in a loop that counts as one measurement. */
const windowMs = 20;

/**
 * Time in a loop that is looked at by itself. The fastest of these in a measurement counts: in others the thread may have
 * stood still, because the machine was busy, or garbage was collected.
 */
const lookMs = 1;

/** After a run that took less, the clock is not read for the next few: of such a run, that is one percent. In ms. */
const shortMs = 0.03;

/** How many these are. */
const mostUntimed = 7;

/** Measurements of new code that say nothing, because V8 is still optimizing it. */
const warmUps = 2;

/** µs per record from which a few calls, of some ns each, hardly count. */
const heavyUs = 0.5;

/** Measurements after which lighter functions that are called apart are inlined again, to see what that takes now. */
const mostApart = 50;

/**
 * The loops of a stretch, with the user's functions inlined or, where a record takes long, called apart: see
 * {@link callApart}. Lighter functions stay apart only while that is clearly faster.
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
  #inlinedUs = 0;
  #measuredMs = 0;
  #leastUs = Number.POSITIVE_INFINITY;
  #ms = 0;
  #records = 0;
  #measurements = 0;
  #untimed = 0;

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
    const beganMs = this.#begin();
    this.#loops.run(records, out, trace);
    if (beganMs !== undefined) this.#note(beganMs, Math.max(records.length, out.length));
  }

  #pull(first: unknown, count: number, out: unknown[], trace: SegmentTrace): void {
    const beganMs = this.#begin();
    this.#loops.pull?.(first, count, out, trace);
    if (beganMs !== undefined) this.#note(beganMs, Math.max(count, out.length));
  }

  /** When a run began that is timed. */
  #begin(): number | undefined {
    if (this.#untimed === 0) return this.#clock.now();
    this.#untimed--;
    return undefined;
  }

  #note(beganMs: number, records: number): void {
    const tookMs = this.#clock.now() - beganMs;
    if (tookMs < shortMs) this.#untimed = mostUntimed;
    this.#ms += tookMs;
    this.#records += records;
    if (this.#ms < lookMs) return;
    this.#leastUs = Math.min(this.#leastUs, (this.#ms * 1_000) / this.#records);
    this.#measuredMs += this.#ms;
    this.#ms = this.#records = 0;
    if (this.#measuredMs < windowMs) return;
    const us = this.#leastUs;
    this.#measuredMs = 0;
    this.#leastUs = Number.POSITIVE_INFINITY;
    if (this.#measurements++ >= warmUps) this.#choose(us);
  }

  #choose(us: number): void {
    if (this.#loops === this.#inlined) {
      if (us < heavyUs) return;
      this.#inlinedUs = us;
      this.#use((this.#apart ??= this.#makeApart()));
    } else if (us < heavyUs && (us > 0.75 * this.#inlinedUs || this.#measurements > mostApart)) {
      this.#use(this.#inlined);
    }
  }

  #use(loops: Loops): void {
    this.#loops = loops;
    this.#measurements = 0;
  }
}
