import type { Clock, Logger } from '../../environment.ts';
import { awaitAnswer } from '../../checkpoints/await-answer.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { RunId } from '../../ids.ts';

export interface OldCheckpointsOptions {
  readonly run: RunId;
  readonly environment: { readonly clock: Clock; readonly logger: Logger };
  /** How long an answer of the storage is waited for. */
  readonly cancellationTimeoutMs: number;
}

/** Removes checkpoints that nobody needs, as far as the storage allows: what is left is no harm. */
export class OldCheckpoints {
  readonly #options: OldCheckpointsOptions;

  constructor(options: OldCheckpointsOptions) {
    this.#options = options;
  }

  /** Whether it worked, and in time. */
  async tidy(scope: string, action: () => Promise<unknown>): Promise<boolean> {
    const { environment, run } = this.#options;
    try {
      await this.#inTime(action());
      return true;
    } catch (error) {
      environment.logger.warn(`Old checkpoints of ${scope} stay where they are: ${toError(error).message}`, { run });
      return false;
    }
  }

  async #inTime(answer: Promise<unknown>): Promise<void> {
    const { environment, cancellationTimeoutMs } = this.#options;
    const limit = { clock: environment.clock, timeoutMs: cancellationTimeoutMs, who: 'the storage' };
    await new Promise<void>((done, failed) => awaitAnswer(answer, { ...limit, done, failed }));
  }
}
