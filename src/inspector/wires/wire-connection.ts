import type { AnyActorRef, Snapshot } from 'xstate';
import { toError } from '../../errors/thrown-value.ts';
import { encodeValue, type PlainValueLimits, type Redact } from '../recording/plain-value.ts';
import { type ActorObserver, type WatchedRun, watchActors } from '../tap/actor-watch.ts';
import type { SentEvent, Wire, WireContext } from './wire.ts';

/** What a connection needs of a WebSocket. */
export interface WireSocket {
  readonly bufferedAmount: number;
  send(text: string, sent: () => void): void;
  close(code: number, reason: string): void;
}

export interface WireConnectionOptions {
  readonly socket: WireSocket;
  readonly wire: Wire;
  readonly redact: Redact | undefined;
  /** Whether events of the receiver reach actors. */
  readonly allowSend: boolean;
}

/** Messages that wait for the receiver; each is made when its turn comes. */
const mostWaiting = 200_000;

/** Bytes that the socket may hold before more is made. */
const mostBufferedBytes = 1 << 20;

/** Of events and contexts. */
const limits: Partial<PlainValueLimits> = { depth: 4, entries: 50, characters: 500, values: 500 };

/** "Try again later" and "internal error", as RFC 6455 registers them. */
const tryAgainLater = 1013;
const internalError = 1011;

/**
 * One receiver of an inspector of XState, and the runs it is told about. Messages are made and sent at its pace, not
 * while an actor handles an event. An error in making them ends the connection, with one `observer.failed` of the run.
 */
export class WireConnection {
  readonly #options: WireConnectionOptions;
  readonly #runs = new Map<string, WatchedRun>();
  readonly #stops: (() => void)[] = [];
  readonly #waiting: (() => object | undefined)[] = [];
  /** By session id, for events of the receiver. */
  readonly #actors = new Map<string, AnyActorRef>();
  #isAsked: boolean;
  #isSending = false;
  #isClosed = false;
  #isToldOff = false;

  constructor(options: WireConnectionOptions) {
    this.#options = options;
    this.#isAsked = options.wire.handshake === undefined;
  }

  /** Tells the receiver about a run: at once, or when it asks. */
  add(run: WatchedRun): void {
    if (this.#runs.has(run.run) || this.#isClosed) return;
    this.#runs.set(run.run, run);
    if (this.#isAsked) this.#watch(run);
  }

  /** Takes a message of the receiver. Others than those of its language are ignored. */
  receive(message: unknown): void {
    if (typeof message !== 'object' || message === null || this.#isClosed) return;
    const { wire } = this.#options;
    const given = message as Readonly<Record<string, unknown>>;
    if (wire.handshake !== undefined && given['type'] === wire.handshake) this.#ask();
    const sent = wire.sentEvent(given);
    if (sent !== undefined) this.#pass(sent);
  }

  close(): void {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    this.#waiting.length = 0;
    this.#actors.clear();
  }

  /** Begins to tell, or begins anew. */
  #ask(): void {
    this.#isAsked = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#waiting.length = 0;
    for (const run of this.#runs.values()) this.#watch(run);
  }

  #watch(run: WatchedRun): void {
    const { wire, redact } = this.#options;
    const context: WireContext = {
      sessionIdOf: (actor) => `${run.run}/${actor.sessionId}`,
      encode: (value, path) => encodeValue(value, path, { redact, limits }),
      epochMs: () => run.environment.clock.epochMs(),
    };
    const tell = (make: () => object | undefined): void => {
      this.#waiting.push(make);
      this.#sendLater(run);
    };
    const observer: ActorObserver = {
      started: (actor, snapshot) => {
        this.#actors.set(context.sessionIdOf(actor), actor);
        tell(() => wire.started(actor, snapshot, context));
      },
      received: (actor, event, source) => tell(() => wire.received(actor, event, source, context)),
      changed: (actor, snapshot, event) => tell(() => wire.changed(actor, snapshot, event, context)),
      stopped: (actor) =>
        this.#guard(run, () => {
          this.#actors.delete(context.sessionIdOf(actor));
          const last = actor.getSnapshot() as Snapshot<unknown>;
          tell(() => wire.stopped(actor, last, context));
        }),
    };
    const guarded: WatchedRun = {
      ...run,
      inspect: (inspected) => run.inspect((event) => this.#guard(run, () => inspected(event))),
    };
    this.#guard(run, () => this.#stops.push(watchActors(guarded, observer)));
  }

  #sendLater(run: WatchedRun): void {
    if (this.#waiting.length > mostWaiting) {
      this.#options.socket.close(tryAgainLater, 'The receiver is too slow for this job');
      this.close();
    } else if (!this.#isSending) {
      this.#isSending = true;
      run.environment.clock.setImmediate(() => this.#guard(run, () => this.#send(run)));
    }
  }

  /** Sends what waits, up to the bound, and goes on when the socket has passed that on. */
  #send(run: WatchedRun): void {
    const { socket } = this.#options;
    let sent = 0;
    let isLast = false;
    while (sent < this.#waiting.length && !isLast) {
      const message = (this.#waiting[sent++] as () => object | undefined)();
      if (message === undefined) continue;
      const text = JSON.stringify(message);
      isLast = socket.bufferedAmount + text.length >= mostBufferedBytes || sent === this.#waiting.length;
      socket.send(text, isLast ? () => this.#guard(run, () => this.#send(run)) : () => {});
    }
    this.#waiting.splice(0, sent);
    this.#isSending = isLast;
  }

  #guard(run: WatchedRun, work: () => void): void {
    if (this.#isClosed) return;
    try {
      work();
    } catch (error) {
      this.#options.socket.close(internalError, 'The inspector failed');
      this.close();
      run.observerFailed('inspector', toError(error));
    }
  }

  #pass({ sessionId, event }: SentEvent): void {
    const actor = this.#actors.get(sessionId);
    if (actor === undefined) return;
    if (this.#options.allowSend) {
      actor.send(event);
      return;
    }
    if (this.#isToldOff) return;
    this.#isToldOff = true;
    const [run] = this.#runs.values();
    run?.environment.logger.warn(
      'A receiver of the inspector sent an event to an actor, which is off. Start the inspector with `allowSend: true`, and in production with `allowBreaking: true` too',
      { actor: actor.id, event: event.type },
    );
  }
}
