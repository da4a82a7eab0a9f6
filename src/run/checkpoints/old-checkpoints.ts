import type { Clock, Logger } from '../../environment.ts';
import { awaitAnswer } from '../../checkpoints/await-answer.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { RunId } from '../../ids.ts';

export interface OldCheckpointsOptions {
  readonly run: RunId;
  readonly environment: { readonly clock: Clock; readonly logger: Logger };
  /** How long the answers of the storage are waited for, all together. */
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
 * - OC1 However many series there are, it takes no longer than the limit, after which nothing more is begun.
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
    let isOver = false;
    const lane = async (): Promise<void> => {
      for (const { scope, steps } of queue) {
        const why = await failureOf(steps, () => isOver);
        if (isOver) return;
        if (why === undefined) whyByScope.delete(scope);
        else whyByScope.set(scope, why);
      }
    };
    const answered = Promise.all(Array.from({ length: Math.min(atOnce, removals.length) }, lane));
    const late = await this.#inTime(answered);
    isOver = true;
    this.#warn(Array.from(whyByScope, ([scope, why]) => [scope, why ?? late ?? '']));
    return [...whyByScope.keys()];
  }

  /** Why not; undefined if it was. */
  async #inTime(answer: Promise<unknown>): Promise<string | undefined> {
    const { environment, cancellationTimeoutMs } = this.#options;
    const limit = { clock: environment.clock, timeoutMs: cancellationTimeoutMs, who: 'the storage' };
    return await new Promise((resolve) => {
      awaitAnswer(answer, { ...limit, done: () => resolve(undefined), failed: ({ message }) => resolve(message) });
    });
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

/** Why the last of those steps failed that did; undefined if none did. */
async function failureOf(steps: Removal['steps'], isOver: () => boolean): Promise<string | undefined> {
  let why: string | undefined;
  for (const step of steps) {
    if (isOver()) return why;
    try {
      await step();
    } catch (error) {
      why = toError(error).message;
    }
  }
  return why;
}
