import { type CallHash, isSameCall } from './files/call-hash.ts';

/** What {@link OpenFlights} knows of a call. */
interface Flight {
  readonly identity: CallHash;
  /** The next one of those whose hashes begin with the same word, which is kept here. */
  next: this | undefined;
  /** Whether it is one of them. */
  isOpen: boolean;
}

/** The calls in flight of one operator: a map by the first word of their hashes, which costs less than one by texts. */
export class OpenFlights<Call extends Flight> {
  readonly #firstByWord = new Map<number, Call>();

  /** The call in flight of this identity; undefined if there is none. */
  get(identity: CallHash): Call | undefined {
    let flight = this.#firstByWord.get(identity.a);
    while (flight !== undefined && !isSameCall(flight.identity, identity)) flight = flight.next;
    return flight;
  }

  /** Adds a call whose identity no other one has. */
  add(flight: Call): void {
    const word = flight.identity.a;
    flight.next = this.#firstByWord.get(word);
    this.#firstByWord.set(word, flight);
    flight.isOpen = true;
  }

  /** Removes a call that is there. */
  delete(flight: Call): void {
    const word = flight.identity.a;
    let before = this.#firstByWord.get(word) as Call;
    if (before !== flight) {
      while (before.next !== flight) before = before.next as Call;
      before.next = flight.next;
    } else if (flight.next === undefined) this.#firstByWord.delete(word);
    else this.#firstByWord.set(word, flight.next);
    flight.next = undefined;
    flight.isOpen = false;
  }

  /** All of them. */
  *all(): Generator<Call> {
    for (const first of this.#firstByWord.values()) {
      for (let flight: Call | undefined = first; flight !== undefined; flight = flight.next) yield flight;
    }
  }
}
