/**
 * One end of a connection between threads, processes or machines. A posted message arrives at the other end later,
 * never on the caller's stack, in order, and once. A closed port neither accepts nor delivers messages.
 */
export interface Port<Sent, Received> {
  post(message: Sent): void;
  /** Sets the only listener; earlier messages wait for it. It must not throw. */
  onMessage(listener: (message: Received) => void): void;
  /** Calls `listener` once, when this end is closed by its owner or because the other end is gone. */
  onClose(listener: (why: string) => void): void;
  /** Calls `listener` whenever the carrier learns that what was posted last arrived, or that it could not be sent. */
  onSent(listener: (hasArrived: boolean) => void): void;
  close(why: string): void;
}

/** A message in transit, with its number: 0 for the first message of its sender. */
export interface Envelope<Message> {
  readonly number: number;
  readonly message: Message;
}

/**
 * Carries envelopes in one direction. It may delay, repeat and reorder them; the receiver restores their order by number.
 * One that loses an envelope is broken: nothing after the gap is delivered, heartbeats neither, so that both ends notice
 * the silence.
 */
export interface Carrier<Message> {
  carry(envelope: Envelope<Message>): void;
}
