import { PortEnd } from './local-link.ts';
import type { Carrier, Envelope } from './protocol/port.ts';

/**
 * A port over a carrier that may delay, repeat and reorder. It numbers outgoing messages, delivers incoming ones in the
 * order of their numbers, and drops repeats. O(1) for a message that arrives in order.
 */
export class OrderedPort<Sent, Received> extends PortEnd<Sent, Received> {
  /** Number of the next message to deliver. */
  #next = 0;
  /** Messages that arrived early, by number. */
  readonly #early = new Map<number, Received>();

  constructor(carrier: Carrier<Sent>) {
    let sent = 0;
    super((message) => carrier.carry({ number: sent++, message }));
  }

  /** For the carrier: delivers an envelope. */
  receive({ number, message }: Envelope<Received>): void {
    if (this.isClosed || !(number >= this.#next)) return;
    this.#early.set(number, message);
    for (let next = this.#early.get(this.#next); next !== undefined; next = this.#early.get(this.#next)) {
      this.#early.delete(this.#next++);
      this.deliver(next);
    }
  }

  override close(why: string): void {
    this.#early.clear();
    super.close(why);
  }
}
