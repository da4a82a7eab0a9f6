import type { Clock } from '../../environment.ts';
import type { CallKey } from '../call-limiter.ts';
import { TurnQueue } from './turn-queue.ts';

/** Somebody who asked for a place. */
interface Asker {
  readonly granted: () => void;
}

/** The places of one key: who holds one, and who waits, in the order of asking. */
interface Places {
  readonly holders: Set<Asker>;
  readonly waiting: TurnQueue<Asker>;
}

/**
 * Keeps what is under way for each key to so many. Keys that nobody asks for take no memory.
 */
export class KeyPlaces {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #placesByKey = new Map<CallKey, Places>();
  /** Who holds a place and has not heard of it. */
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
    // Who gets a place while others are told is told by this loop, after them.
    for (const asker of this.#unheard) {
      this.#unheard.delete(asker);
      asker.granted();
    }
  }
}
