import type { Port } from '../../actors/protocol/port.ts';
import type { ExecutorObserver } from '../../executors/executors.ts';
import type { ExecutorId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { RunInside } from '../../run/run-inside.ts';
import type { Redact } from '../recording/plain-value.ts';
import type { ActorLine } from './actor-lines.ts';
import type { ActorSequence } from './actor-sequence.ts';
import type { ChartNames } from './chart-names.ts';
import { JoinedLines } from './joined-lines.ts';
import { type TapCommand, type TapReport, tapReportCheck } from './tap-messages.ts';

export interface WorkerTapsOptions {
  readonly inside: Pick<RunInside, 'run' | 'observeExecutors' | 'messageInvalid' | 'observerFailed'> & {
    readonly environment: { readonly clock: Pick<RunInside['environment']['clock'], 'now'> };
  };
  readonly emit: (line: ActorLine) => void;
  readonly numbers: ActorSequence;
  readonly charts: ChartNames;
  readonly redact: Redact | undefined;
  /** The number of the root of the actors of this thread, which stands for those of the workers. */
  readonly rootNumber: () => number;
}

/** The tap of a worker, as it is known here. */
interface JoinedTap {
  readonly port: Port<TapCommand, TapReport>;
  readonly lines: JoinedLines;
}

/**
 * Follows the actors in worker threads: asks the tap of each worker for them while somebody watches, and joins what it
 * reports with the actors of this thread, by their ids.
 *
 * WT3 Before somebody watches for the first time, no worker is asked for anything.
 * WT4 The actors of a worker that has ended end.
 */
export class WorkerTaps implements ExecutorObserver {
  readonly #options: WorkerTapsOptions;
  readonly #taps = new Map<ExecutorId, JoinedTap>();
  #stopObserving: (() => void) | undefined;
  #isOpen = false;
  #focusedId: string | null = null;

  constructor(options: WorkerTapsOptions) {
    this.#options = options;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    // Those that exist are told of at once.
    if (this.#stopObserving === undefined) this.#stopObserving = this.#options.inside.observeExecutors(this);
    else for (const [executor, { port }] of this.#taps) this.#ask(executor, port);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const { port } of this.#taps.values()) port.post({ type: 'tap.close' });
  }

  /** The run is over: so are its workers. */
  end(): void {
    for (const executor of [...this.#taps.keys()]) this.ended(executor);
    this.#stopObserving?.();
  }

  focus(id: string | null): void {
    if (id === this.#focusedId) return;
    this.#focusedId = id;
    for (const [executor, { port }] of this.#taps) this.#focusIn(executor, port);
  }

  joined(executor: ExecutorId, connection: Port<unknown, unknown>): void {
    const { run } = this.#options.inside;
    const tap: JoinedTap = {
      port: connection as Port<TapCommand, TapReport>,
      lines: new JoinedLines({ ...this.#options, run, nowMs: () => this.#options.inside.environment.clock.now() }),
    };
    this.#taps.set(executor, tap);
    tap.port.onMessage((report) => this.#take(executor, tap, report));
    if (this.#isOpen) this.#ask(executor, tap.port);
  }

  /** WT4 */
  ended(executor: ExecutorId): void {
    const tap = this.#taps.get(executor);
    if (tap === undefined) return;
    this.#taps.delete(executor);
    tap.port.close('its executor has ended');
    tap.lines.end();
  }

  #ask(executor: ExecutorId, port: JoinedTap['port']): void {
    port.post({ type: 'tap.open' });
    this.#focusIn(executor, port);
  }

  /** To trace costs each event of a worker, so only the one that has the actor does it. */
  #focusIn(executor: ExecutorId, port: JoinedTap['port']): void {
    const { run } = this.#options.inside;
    const isThere = this.#focusedId?.startsWith(`${run}/${executor}/`) === true;
    port.post({ type: 'tap.focus', actor: isThere ? this.#focusedId : null });
  }

  #take(executor: ExecutorId, { port, lines }: JoinedTap, report: TapReport): void {
    const problem = tapReportCheck(report);
    if (problem !== undefined) {
      this.#options.inside.messageInvalid(executor, { message: 'tap.lines', problem });
      this.ended(executor);
      return;
    }
    if (report.type === 'tap.failed')
      return this.#options.inside.observerFailed('inspector', fromPlainError(report.cause));
    port.post({ type: 'tap.taken' });
    for (const line of report.lines) lines.take(line);
  }
}
