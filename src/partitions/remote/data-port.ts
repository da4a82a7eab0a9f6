/**
 * One end of a connection for records between two executors: what the engine asks of a `MessagePort`. A posted message
 * arrives later, never on the caller's stack, in order, and once.
 */
export interface DataPort<Sent, Received> {
  /** @param transfer buffers in the message, which are moved: they are unusable afterwards */
  post(message: Sent, transfer?: readonly ArrayBuffer[]): void;
  /** Sets the only listener; earlier messages wait for it. It must not throw. */
  onMessage(listener: (message: Received) => void): void;
  close(why: string): void;
}
