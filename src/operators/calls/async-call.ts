import type { AsyncCallContext } from '../operator-description.ts';
import type { CallUnderWay } from './call-entry.ts';

/** One call of the user's function. Its signal is created on first use. */
export class AsyncCall implements AsyncCallContext, CallUnderWay {
  readonly retry: number;
  onSettled: (() => void) | undefined;
  #controller: AbortController | undefined;
  #isAbandoned = false;
  #reason: Error | undefined;

  constructor(retry: number) {
    this.retry = retry;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAbandoned) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the call; its result is ignored. */
  abandon(reason?: Error): void {
    this.#isAbandoned = true;
    this.#reason = reason;
    this.onSettled?.();
    this.#controller?.abort(reason);
  }
}
