/**
 * One end of a way between two places, which may be threads, processes or machines. What is posted arrives at the other
 * end later, never on the caller's stack, in order, and once. A port that is closed takes nothing and delivers nothing.
 */
export interface Port<Sent, Received> {
  post(message: Sent): void;
  /** One listener; what arrived before it was set waits for it. Must not throw. */
  onMessage(listener: (message: Received) => void): void;
  /** Calls `listener` once, when this end is closed: by its owner, or because the other end is gone. */
  onClose(listener: (why: string) => void): void;
  close(why: string): void;
}

/** A message on its way, and its number: 0 for the first that its sender has sent. */
export interface Envelope<Message> {
  readonly number: number;
  readonly message: Message;
}

/**
 * What carries envelopes one way. It may delay, repeat and reorder them, and loses none as long as it is open: whoever
 * receives them puts them in order by their numbers.
 */
export interface Carrier<Message> {
  carry(envelope: Envelope<Message>): void;
}
