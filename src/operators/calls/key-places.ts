import type { Clock } from '../../environment.ts';
import type { CallKey } from '../call-limiter.ts';
import { TurnQueue } from './turn-queue.ts';

/** A request for a place. */
interface Asker {
  readonly granted: () => void;
}

/** The places of one key: its holders, and the waiting requests in order. */
interface Places {
  readonly holders: Set<Asker>;
  readonly waiting: TurnQueue<Asker>;
}

/** Limits the calls under way per key. Unused keys take no memory. */
export class KeyPlaces {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #placesByKey = new Map<CallKey, Places>();
  /** Granted requests whose callback has not run yet. */
  readonly #unheard = new Set<Asker>();

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** See `CallLimiter.requestPlace`. */
  request(key: CallKey, granted: () => void): () => void {
    const asker: Asker = { granted };
    let places = this.#placesByKey.get(key);
    if (places === undefined) this.#placesByKey.set(key, (places = { holders: new Set(), waiting: new TurnQueue() }));
    places.waiting.add(asker);
    this.#grant(places);
    return () => this.#leave(key, places, asker);
  }

  #leave(key: CallKey, places: Places, asker: Asker): void {
    this.#unheard.delete(asker);
    places.waiting.delete(asker);
    places.holders.delete(asker);
    this.#grant(places);
    if (places.holders.size === 0 && this.#placesByKey.get(key) === places) this.#placesByKey.delete(key);
  }

  #grant({ holders, waiting }: Places): void {
    for (let asker = waiting.first; asker !== undefined && holders.size < this.#limit; asker = waiting.first) {
      waiting.delete(asker);
      holders.add(asker);
      this.#unheard.add(asker);
      if (this.#unheard.size === 1) this.#clock.setImmediate(() => this.#tell());
    }
  }

  #tell(): void {
    // A request granted during this loop is called by this loop, after the others.
    for (const asker of this.#unheard) {
      this.#unheard.delete(asker);
      asker.granted();
    }
  }
}
