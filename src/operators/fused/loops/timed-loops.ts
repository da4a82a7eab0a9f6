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
    const beganMs = this.#clock.now();
    this.#loops.run(records, out, trace);
    this.#note(beganMs, Math.max(records.length, out.length));
  }

  #pull(first: unknown, count: number, out: unknown[], trace: SegmentTrace): void {
    const beganMs = this.#clock.now();
    this.#loops.pull?.(first, count, out, trace);
    this.#note(beganMs, Math.max(count, out.length));
  }

  #note(beganMs: number, records: number): void {
    this.#ms += this.#clock.now() - beganMs;
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
