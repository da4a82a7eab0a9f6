import type { JobEvent } from '../../actors/job-event.ts';
import type { Clock, Logger } from '../../environment.ts';
import { logEvent } from '../../run/folds/log-event.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { TextSink } from '../command-io.ts';
import { RunProgress } from './run-progress.ts';

/** A run, and what its views need of it. */
export interface ViewedRun {
  readonly run: Pick<JobRun, 'job' | 'status' | 'snapshot' | 'receipt'>;
  readonly vertices: readonly { readonly id: string; readonly parallelism: number }[];
  readonly clock: Clock;
}

/** Shows a run while it is under way. */
export interface RunView {
  next(event: JobEvent): void;
  /** Shows a line of the command itself. */
  note(text: string): void;
  /** Somebody else is about to write to the same terminal. */
  makeRoom?(text: string): void;
  /** The run is over: stops the view, which leaves what is for good. */
  end(): void;
}

/** Shows how far a run is now and then. */
export abstract class PeriodicView implements RunView {
  protected readonly viewed: ViewedRun;
  protected readonly sink: TextSink;
  protected readonly progress: RunProgress;
  readonly #stop: () => void;

  constructor(viewed: ViewedRun, sink: TextSink, everyMs: number) {
    this.viewed = viewed;
    this.sink = sink;
    this.progress = new RunProgress(viewed.vertices);
    this.#stop = repeat(viewed.clock, everyMs, () => this.report());
  }

  abstract next(event: JobEvent): void;
  abstract note(text: string): void;

  end(): void {
    this.#stop();
  }

  /** Shows how far it is now. */
  protected abstract report(): void;
}

/** The log lines of an event, for people: level and message. */
export function messagesOf(job: string, event: JobEvent): readonly (readonly [keyof Logger, string])[] {
  const lines: [keyof Logger, string][] = [];
  const take = (level: keyof Logger) => (message: string) => void lines.push([level, message]);
  logEvent({ debug: take('debug'), info: take('info'), warn: take('warn'), error: take('error') }, job, event);
  return lines;
}

/**
 * Calls `callback` every `everyMs` until the returned function is called. Keeps the process alive: what a job waits for,
 * such as a promise that nobody settles, may not, and Node would end in the middle of it.
 */
export function repeat(clock: Clock, everyMs: number, callback: () => void): () => void {
  let timer: unknown;
  const start = (): void => {
    timer = clock.setTimeout(() => {
      start();
      callback();
    }, everyMs);
  };
  start();
  return () => clock.clearTimeout(timer);
}
