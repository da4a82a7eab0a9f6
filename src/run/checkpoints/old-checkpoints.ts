import type { Clock, Logger } from '../../environment.ts';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { untilAborted } from '../../checkpoints/until-aborted.ts';
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

/** A series that is removed as a whole. */
export function removalOf(scope: string, storage: Pick<CheckpointStorage, 'remove'>): Removal {
  return { scope, steps: [() => storage.remove(scope)] };
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
    const { environment, cancellationTimeoutMs } = this.#options;
    const silence = new AbortController();
    const why = `No answer of the storage within ${cancellationTimeoutMs} ms`;
    const arm = (): (() => void) =>
      setDeadline(environment.clock, cancellationTimeoutMs, () => silence.abort(new Error(why)));
    let disarm = arm();
    const answered = (): void => {
      disarm();
      if (!silence.signal.aborted) disarm = arm();
    };
    const lane = async (): Promise<void> => {
      for (const { scope, steps } of queue) {
        const failure = await failureOf(steps, silence.signal, answered);
        if (silence.signal.aborted) return;
        if (failure === undefined) whyByScope.delete(scope);
        else whyByScope.set(scope, failure);
      }
    };
    const lanes = Promise.all(Array.from({ length: Math.min(atOnce, removals.length) }, lane));
    await untilAborted(lanes, silence.signal).catch(() => {});
    disarm();
    this.#warn(Array.from(whyByScope, ([scope, failure]) => [scope, failure ?? why]));
    return [...whyByScope.keys()];
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
async function failureOf(
  steps: Removal['steps'],
  silence: AbortSignal,
  answered: () => void,
): Promise<string | undefined> {
  let why: string | undefined;
  for (const step of steps) {
    if (silence.aborted) return why;
    try {
      await step();
    } catch (error) {
      why = toError(error).message;
    }
    answered();
  }
  return why;
}
