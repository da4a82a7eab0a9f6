import type { Clock } from '../../../environment.ts';
import type { ExecutorId } from '../../../ids.ts';
import type { CallLimiters } from '../../../operators/calls/call-limiters.ts';
import type { CallElsewhere, LocalCallLimiter } from '../../../operators/calls/local-call-limiter.ts';
import type { CallsReply, CallsRequest } from '../service-messages.ts';

/** Speaks with the executors: posts a message to one of them. */
export type PostTo<Reply> = (executor: ExecutorId, message: Reply) => void;

/** What an executor has or waits for. */
interface Client {
  readonly limiterByUid: Map<string, LocalCallLimiter>;
  /** Calls that are waited for, or granted and perhaps made. */
  readonly calls: Map<number, CallElsewhere>;
  /** What gives back a place, or withdraws the request for it. */
  readonly places: Map<number, () => void>;
}

/**
 * The limits on calls, for all executors.
 *
 * Invariants:
 * - CD1 No interval of a limit sees calls of all executors together that cost more than the limit.
 * - CD2 A key never has more calls under way, over all executors, than its limit.
 * - CD3 A lost executor gives back its places, and waits for nothing. Calls that were granted to it count as made.
 */
export class CallDesk {
  readonly #limiters: CallLimiters;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #post: PostTo<CallsReply>;
  readonly #clients = new Map<ExecutorId, Client>();
  /** Until when the calls of an operator pause. */
  readonly #pausedUntilMs = new Map<string, number>();

  constructor(limiters: CallLimiters, clock: Pick<Clock, 'now'>, post: PostTo<CallsReply>) {
    this.#limiters = limiters;
    this.#clock = clock;
    this.#post = post;
  }

  accept(executor: ExecutorId): void {
    this.#clients.set(executor, { limiterByUid: new Map(), calls: new Map(), places: new Map() });
    for (const [operator, untilMs] of this.#pausedUntilMs) {
      const forMs = untilMs - this.#clock.now();
      if (forMs > 0) this.#post(executor, { service: 'calls', type: 'paused', operator, forMs });
    }
  }

  receive(executor: ExecutorId, message: CallsRequest): void {
    const client = this.#clients.get(executor) as Client;
    const { calls, places, limiterByUid } = client;
    switch (message.type) {
      case 'open': {
        const { operator, rates, perKey } = message;
        limiterByUid.set(operator, this.#limiters.limiterOf(operator, { rates, perKey }));
        return;
      }
      case 'request': {
        const { id } = message;
        const granted = (): void => this.#post(executor, { service: 'calls', type: 'granted', id });
        const call = limiterByUid.get(message.operator)?.requestCallElsewhere(message, granted);
        if (call !== undefined) calls.set(id, call);
        return;
      }
      case 'made':
        calls.get(message.id)?.made();
        calls.delete(message.id);
        return;
      case 'withdraw':
        calls.get(message.id)?.withdraw();
        calls.delete(message.id);
        return;
      case 'requestPlace': {
        const { id, operator, key } = message;
        const granted = (): void => this.#post(executor, { service: 'calls', type: 'placed', id });
        const leave = limiterByUid.get(operator)?.requestPlace(key, granted);
        if (leave !== undefined) places.set(id, leave);
        return;
      }
      case 'leavePlace':
        places.get(message.id)?.();
        places.delete(message.id);
        return;
      case 'pause':
        limiterByUid.get(message.operator)?.pause(message.forMs);
        this.#tellPause(executor, message.operator, message.forMs);
    }
  }

  /** CD3. */
  lost(executor: ExecutorId): void {
    const client = this.#clients.get(executor);
    this.#clients.delete(executor);
    for (const call of client?.calls.values() ?? []) call.made();
    for (const leave of client?.places.values() ?? []) leave();
  }

  #tellPause(from: ExecutorId, operator: string, forMs: number): void {
    const untilMs = this.#clock.now() + forMs;
    this.#pausedUntilMs.set(operator, Math.max(untilMs, this.#pausedUntilMs.get(operator) ?? untilMs));
    for (const executor of this.#clients.keys()) {
      if (executor !== from) this.#post(executor, { service: 'calls', type: 'paused', operator, forMs });
    }
  }
}
