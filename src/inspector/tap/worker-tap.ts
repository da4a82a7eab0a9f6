import { Observable } from '../../rxjs/rxjs-classes.ts';
import type { AnyActorRef } from 'xstate';
import type { ActorHost } from '../../actors/actor-host.ts';
import type { Port } from '../../actors/protocol/port.ts';
import type { Clock } from '../../environment.ts';
import { toPlainError } from '../../plain-error.ts';
import type { JobShape } from '../../run/folds/job-shape.ts';
import { encodeValue } from '../recording/plain-value.ts';
import type { ActorLine } from './actor-lines.ts';
import { ActorTap } from './actor-tap.ts';
import { type TapCommand, tapCommandCheck, type TapReport } from './tap-messages.ts';
import { traceLimits } from './trace-limits.ts';

/** The actors of a worker, and the connection to who watches them. */
export interface WorkerTapOptions {
  readonly port: Port<TapReport, TapCommand>;
  /** Whose actors it follows. */
  readonly executor: {
    readonly actors: Pick<ActorHost, 'inspect' | 'watch'>;
    actorRefs(): Iterable<AnyActorRef>;
  };
  readonly shape: JobShape;
  readonly clock: Pick<Clock, 'now' | 'setImmediate'>;
}

/**
 * Follows the actors of a worker while the inspector wants it, and reports what they do.
 *
 * WT1 At most one report is on its way: what changes meanwhile is in the next one, however much it is.
 * WT2 Until the inspector asks, and when it asks no longer, no actor is followed.
 */
export class WorkerTap {
  readonly #port: WorkerTapOptions['port'];
  readonly #clock: WorkerTapOptions['clock'];
  readonly #tap: ActorTap;
  #lines: ActorLine[] = [];
  #isReporting = false;
  /** What is to be done in the turn after the present report was taken. */
  #waiting: (() => void)[] = [];

  constructor({ port, executor, shape, clock }: WorkerTapOptions) {
    this.#port = port;
    this.#clock = clock;
    this.#tap = new ActorTap({
      inside: {
        ...{ shape, events$: new Observable<never>() },
        actors: () => executor.actorRefs(),
        inspect: (observer) => executor.actors.inspect(observer),
        watch: (watcher) => executor.actors.watch(watcher),
        // AT2: its last message.
        observerFailed: (_, cause) => port.post({ type: 'tap.failed', cause: toPlainError(cause) }),
        environment: { clock: { now: () => clock.now(), setImmediate: (flush) => this.#whenTaken(flush) } },
      },
      withTasks: true,
      emit: (line) => this.#emit(line),
      encode: (value, path) => encodeValue(value, path, { limits: traceLimits }),
    });
    port.onMessage((command) => this.#take(command));
  }

  #take(command: TapCommand): void {
    if (tapCommandCheck(command) !== undefined) return;
    switch (command.type) {
      case 'tap.open':
        return this.#tap.open();
      case 'tap.close':
        return this.#tap.close();
      case 'tap.focus':
        return this.#tap.focus(command.actor);
      case 'tap.taken': {
        this.#isReporting = false;
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const flush of waiting) this.#clock.setImmediate(flush);
        if (this.#lines.length > 0) this.#report();
      }
    }
  }

  /** WT1 */
  #whenTaken(flush: () => void): void {
    if (this.#isReporting) this.#waiting.push(flush);
    else this.#clock.setImmediate(flush);
  }

  /** The lines of one flush are one report. */
  #emit(line: ActorLine): void {
    this.#lines.push(line);
    if (this.#lines.length === 1 && !this.#isReporting) this.#clock.setImmediate(() => this.#report());
  }

  #report(): void {
    if (this.#isReporting || this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#isReporting = true;
    this.#port.post({ type: 'tap.lines', lines });
  }
}
