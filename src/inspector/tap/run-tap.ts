import type { RunInside } from '../../run/run-inside.ts';
import { encodeValue, type Redact } from '../recording/plain-value.ts';
import type { ActorLine } from './actor-lines.ts';
import { ActorTap } from './actor-tap.ts';
import { ActorSequence } from './actor-sequence.ts';
import { ChartNames } from './chart-names.ts';
import { traceLimits } from './trace-limits.ts';
import { WorkerTaps } from './worker-taps.ts';

export interface RunTapOptions {
  readonly inside: RunInside;
  readonly emit: (line: ActorLine) => void;
  readonly redact: Redact | undefined;
}

/** Follows all actors of a run: those of this thread, and those of its workers, as one tree. */
export class RunTap {
  readonly #here: ActorTap;
  readonly #workers: WorkerTaps;

  constructor({ inside, emit, redact }: RunTapOptions) {
    const shared = { inside, emit, numbers: new ActorSequence(), charts: new ChartNames() };
    this.#here = new ActorTap({
      ...shared,
      encode: (value, path) => encodeValue(value, path, { redact, limits: traceLimits }),
    });
    this.#workers = new WorkerTaps({ ...shared, redact, rootNumber: () => this.#here.rootNumber });
  }

  /** Follows the actors from now on. Those that exist already are announced. */
  open(): void {
    this.#here.open();
    this.#workers.open();
  }

  /** Follows nothing any more, until it is opened again. */
  close(): void {
    this.#workers.close();
    this.#here.close();
  }

  /** The run is over: no actor is left. */
  end(): void {
    this.#workers.end();
    this.#here.end();
  }

  /** Traces the actors with this id, present and to come; null for none. */
  focus(id: string | null): void {
    this.#here.focus(id);
    this.#workers.focus(id);
  }
}
