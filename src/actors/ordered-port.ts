import type { Carrier, Envelope, Port } from './protocol/port.ts';

/**
 * A port over a carrier that may delay, repeat and reorder: numbers what it sends, hands on what it receives in the order
 * of the numbers, and drops what it has had. O(1) for what arrives in order.
 */
export class OrderedPort<Sent, Received> implements Port<Sent, Received> {
  readonly #carrier: Carrier<Sent>;
  #sent = 0;
  /** The number that is handed on next. */
  #next = 0;
  /** What came before its turn, by number. */
  readonly #early = new Map<number, Received>();
  /** What came while nobody listened. */
  readonly #unheard: Received[] = [];
  #listener: ((message: Received) => void) | undefined;
  #closeListener: ((why: string) => void) | undefined;
  #closed: { readonly why: string } | undefined;

  constructor(carrier: Carrier<Sent>) {
    this.#carrier = carrier;
  }

  post(message: Sent): void {
    if (this.#closed === undefined) this.#carrier.carry({ number: this.#sent++, message });
  }

  onMessage(listener: (message: Received) => void): void {
    this.#listener = listener;
    for (let message = this.#unheard.shift(); message !== undefined; message = this.#unheard.shift()) listener(message);
  }

  onClose(listener: (why: string) => void): void {
    this.#closeListener = listener;
    if (this.#closed !== undefined) listener(this.#closed.why);
  }

  close(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = { why };
    this.#early.clear();
    this.#unheard.length = 0;
    this.#closeListener?.(why);
  }

  /** For the carrier: an envelope has arrived. */
  receive({ number, message }: Envelope<Received>): void {
    if (this.#closed !== undefined || number < this.#next) return;
    if (number > this.#next) {
      this.#early.set(number, message);
      return;
    }
    this.#hand(message);
    for (let next = this.#takeEarly(); next !== undefined; next = this.#takeEarly()) this.#hand(next);
  }

  #takeEarly(): Received | undefined {
    const message = this.#early.get(this.#next);
    this.#early.delete(this.#next);
    return message;
  }

  #hand(message: Received): void {
    this.#next++;
    if (this.#listener === undefined) this.#unheard.push(message);
    else this.#listener(message);
  }
}
