import type { Clock } from '../../environment.ts';

/** Time between two beats of a worker. */
const beatMs = 100;

/** The memory that a worker and the main thread share: how often the worker's event loop has turned. */
export type PulseMemory = SharedArrayBuffer;

function pulseMemory(): PulseMemory {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/** In a worker: beats as long as the event loop turns. It does not keep the worker alive. */
export function beat(memory: PulseMemory, clock: Clock): void {
  Atomics.add(new Int32Array(memory), 0, 1);
  clock.setTimeout(() => beat(memory, clock), beatMs, 'background');
}

/** In the main thread: the pulse of one worker. */
export class Pulse {
  readonly memory = pulseMemory();
  readonly #clock: Clock;
  readonly #beats = new Int32Array(this.memory);
  #latest = 0;
  #silentMs = 0;
  #readMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#readMs = clock.now();
  }

  /**
   * Looks at the worker; to be called every {@link Pulse.intervalMs}. Returns for how long its event loop has not turned,
   * in ms. A longer time between two looks counts as the interval: this thread was itself stalled, and the worker perhaps
   * with it.
   */
  read(): number {
    const nowMs = this.#clock.now();
    const sinceMs = Math.min(nowMs - this.#readMs, Pulse.intervalMs);
    const beats = Atomics.load(this.#beats, 0);
    this.#silentMs = beats === this.#latest ? this.#silentMs + sinceMs : 0;
    this.#readMs = nowMs;
    this.#latest = beats;
    return this.#silentMs;
  }

  static readonly intervalMs = 2 * beatMs;
}
