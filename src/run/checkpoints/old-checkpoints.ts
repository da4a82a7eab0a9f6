import type { Clock, Logger } from '../../environment.ts';
import { setDeadline } from '../../deadline.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { RunId } from '../../ids.ts';

export interface OldCheckpointsOptions {
  readonly run: RunId;
  readonly environment: { readonly clock: Clock; readonly logger: Logger };
  /** How long the storage may be silent. */
  readonly cancellationTimeoutMs: number;
}

/** What is to be removed of a series. */
export interface Removal {
  readonly scope: string;
  /** One after the other; one that fails does not keep the next from its turn. */
  readonly steps: readonly (() => Promise<unknown>)[];
}

/** How many series are tidied at once. */
const atOnce = 16;

/**
 * Removes checkpoints that nobody needs, as far as the storage allows: what is left is no harm.
 *
 * - OC1 However many series there are, it ends once the storage has been silent for the limit, and begins nothing more then.
 * - OC2 A series that is not known to be removed in full is among those that are left.
 */
export class OldCheckpoints {
  readonly #options: OldCheckpointsOptions;

  constructor(options: OldCheckpointsOptions) {
    this.#options = options;
  }

  /** Returns the series of which something is left, in the order given. */
  async tidy(removals: readonly Removal[]): Promise<readonly string[]> {
    if (removals.length === 0) return [];
    const whyByScope = new Map<string, string | undefined>(removals.map(({ scope }) => [scope, undefined]));
    const queue = removals.values();
    const silence = this.#silence();
    const lane = async (): Promise<void> => {
      for (const { scope, steps } of queue) {
        const why = await failureOf(steps, silence);
        if (silence.isOver) return;
        if (why === undefined) whyByScope.delete(scope);
        else whyByScope.set(scope, why);
      }
    };
    const lanes = Array.from({ length: Math.min(atOnce, removals.length) }, lane);
    await Promise.race([Promise.all(lanes), silence.tooLong]);
    const late = silence.isOver ? silence.why : '';
    silence.end();
    this.#warn(Array.from(whyByScope, ([scope, why]) => [scope, why ?? late]));
    return [...whyByScope.keys()];
  }

  #silence(): Silence {
    const { environment, cancellationTimeoutMs } = this.#options;
    return new Silence(environment.clock, cancellationTimeoutMs);
  }

  /** One line for each reason. */
  #warn(left: readonly (readonly [scope: string, why: string])[]): void {
    const { environment, run } = this.#options;
    for (const why of new Set(left.map(([, reason]) => reason))) {
      const [first, ...others] = left.filter(([, reason]) => reason === why).map(([scope]) => scope);
      const scopes = others.length === 0 ? first : `${first} and ${others.length} more`;
      environment.logger.warn(`Old checkpoints of ${scopes} stay where they are: ${why}`, { run });
    }
  }
}

/** Of a storage that is asked for something: it is over once there was no answer for too long. */
class Silence {
  readonly why: string;
  readonly tooLong: Promise<void>;
  readonly #clock: Clock;
  readonly #limitMs: number;
  #isOver = false;
  #tell: () => void = () => {};
  #disarm: () => void;

  constructor(clock: Clock, limitMs: number) {
    this.why = `No answer of the storage within ${limitMs} ms`;
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.tooLong = new Promise((resolve) => {
      this.#tell = resolve;
    });
    this.#disarm = this.#arm();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** There was an answer. */
  break(): void {
    if (this.#isOver) return;
    this.#disarm();
    this.#disarm = this.#arm();
  }

  /** Nothing is asked any more. */
  end(): void {
    this.#isOver = true;
    this.#disarm();
    this.#tell();
  }

  #arm(): () => void {
    return setDeadline(this.#clock, this.#limitMs, () => this.end());
  }
}

/** Why the last of those steps failed that did; undefined if none did. */
async function failureOf(steps: Removal['steps'], silence: Silence): Promise<string | undefined> {
  let why: string | undefined;
  for (const step of steps) {
    if (silence.isOver) return why;
    try {
      await step();
    } catch (error) {
      why = toError(error).message;
    }
    silence.break();
  }
  return why;
}
