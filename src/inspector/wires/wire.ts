import type { AnyActorRef, AnyEventObject, Snapshot } from 'xstate';

/** Names the actors of one run so that no other run or process has the same. */
export interface WireContext {
  sessionIdOf(actor: AnyActorRef): string;
  /** Encodes an event or a context, without likely secrets, and bounded. */
  encode(value: unknown, path: string): unknown;
  /** ms since 1970. */
  epochMs(): number;
}

/** The language of one of XState's inspectors: what an actor does, as messages of plain data. */
export interface Wire {
  /** How the receiver asks for everything; undefined if it is told unasked. */
  readonly handshake: string | undefined;
  started(actor: AnyActorRef, snapshot: Snapshot<unknown>, context: WireContext): object;
  received(actor: AnyActorRef, event: AnyEventObject, source: AnyActorRef | undefined, context: WireContext): object;
  changed(actor: AnyActorRef, snapshot: Snapshot<unknown>, event: AnyEventObject, context: WireContext): object;
  /** undefined if its last snapshot has said it. */
  stopped(actor: AnyActorRef, last: Snapshot<unknown>, context: WireContext): object | undefined;
  /** The event that a message of the receiver sends to an actor; undefined if it sends none. */
  sentEvent(message: Readonly<Record<string, unknown>>): SentEvent | undefined;
}

/** An event that a receiver sends. */
export interface SentEvent {
  readonly sessionId: string;
  readonly event: AnyEventObject;
}
