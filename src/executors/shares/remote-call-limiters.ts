import type { Clock } from '../../environment.ts';
import type {
  CallKey,
  CallLimiter,
  CallLimiterRegistry,
  CallLimits,
  CallRequest,
} from '../../operators/call-limiter.ts';
import type { CallsReply, CallsRequest } from './service-messages.ts';

export interface RemoteCallLimitersOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly post: (message: CallsRequest) => void;
}

/** The limiters of an executor: the run, which has those of all executors, grants what is requested here. */
export class RemoteCallLimiters implements CallLimiterRegistry {
  readonly #options: RemoteCallLimitersOptions;
  readonly #limiterByUid = new Map<string, CallLimiter>();
  readonly #pauseByUid = new Map<string, Pause>();
  /** What waits for a grant of the run. */
  readonly #requests: Requests = { waiting: new Map(), next: 0 };

  constructor(options: RemoteCallLimitersOptions) {
    this.#options = options;
  }

  limiterOf(operator: string, limits: CallLimits): CallLimiter {
    let limiter = this.#limiterByUid.get(operator);
    if (limiter === undefined) {
      const { rates, perKey } = limits;
      this.#options.post({ service: 'calls', type: 'open', operator, rates, perKey });
      limiter = new RemoteCallLimiter(operator, limits, this.#pauseOf(operator), this.#requests, this.#options);
      this.#limiterByUid.set(operator, limiter);
    }
    return limiter;
  }

  /** Takes a message of the run. */
  receive(reply: CallsReply): void {
    if (reply.type === 'paused') return this.#pauseOf(reply.operator).extend(reply.forMs);
    const granted = this.#requests.waiting.get(reply.id);
    // It was withdrawn meanwhile.
    if (granted === undefined) return;
    this.#requests.waiting.delete(reply.id);
    granted();
    if (reply.type === 'granted') this.#options.post({ service: 'calls', type: 'made', id: reply.id });
  }

  #pauseOf(operator: string): Pause {
    let pause = this.#pauseByUid.get(operator);
    if (pause === undefined) this.#pauseByUid.set(operator, (pause = new Pause(this.#options.clock)));
    return pause;
  }
}

/** Requests that were not granted, by id. */
interface Requests {
  readonly waiting: Map<number, () => void>;
  next: number;
}

const never = Number.NEGATIVE_INFINITY;

/** The pause of an operator's calls, as far as it is known here. */
class Pause {
  readonly #clock: Pick<Clock, 'now'>;
  #untilMs = never;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  get isOn(): boolean {
    // Called before every call; the common case, no pause, does not read the clock.
    return this.#untilMs !== never && this.#clock.now() < this.#untilMs;
  }

  extend(forMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, this.#clock.now() + forMs);
  }
}

/**
 * The limiter of one operator in an executor.
 *
 * A granted call counts against the rates from its grant until it is known to have been made, and from then on for the
 * length of their intervals. So however long the messages take, no interval sees more calls than the rate allows. A pause
 * stops the calls of other executors once they hear of it.
 */
class RemoteCallLimiter implements CallLimiter {
  readonly #operator: string;
  readonly #hasRates: boolean;
  readonly #pause: Pause;
  readonly #requests: Requests;
  readonly #options: RemoteCallLimitersOptions;
  /** Requests for calls that wait. */
  #waiting = 0;

  constructor(
    operator: string,
    { rates }: CallLimits,
    pause: Pause,
    requests: Requests,
    options: RemoteCallLimitersOptions,
  ) {
    this.#operator = operator;
    this.#hasRates = rates.length > 0;
    this.#pause = pause;
    this.#requests = requests;
    this.#options = options;
  }

  get isOpen(): boolean {
    return !this.#hasRates && this.#waiting === 0 && !this.#pause.isOn;
  }

  requestCall({ costs, isRepeated }: CallRequest, granted: () => void): () => void {
    const id = this.#requests.next++;
    this.#waiting++;
    this.#requests.waiting.set(id, () => {
      this.#waiting--;
      granted();
    });
    this.#options.post({ service: 'calls', type: 'request', id, operator: this.#operator, costs, isRepeated });
    return () => {
      if (!this.#requests.waiting.delete(id)) return;
      this.#waiting--;
      this.#options.post({ service: 'calls', type: 'withdraw', id });
    };
  }

  requestPlace(key: CallKey, granted: () => void): () => void {
    const id = this.#requests.next++;
    this.#requests.waiting.set(id, granted);
    this.#options.post({ service: 'calls', type: 'requestPlace', id, operator: this.#operator, key });
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#requests.waiting.delete(id);
      this.#options.post({ service: 'calls', type: 'leavePlace', id });
    };
  }

  pause(forMs: number): void {
    // 0: the call is made again at once.
    if (forMs <= 0) return;
    this.#pause.extend(forMs);
    this.#options.post({ service: 'calls', type: 'pause', operator: this.#operator, forMs });
  }
}
