import picocolors from 'picocolors';
import type { Environment } from '../environment.ts';
import type { CancelSignal } from './exit-code.ts';

/** A stream of text: a terminal, a file or a pipe. */
export interface TextSink {
  /** Calls `done` when there is room for more. */
  write(text: string, done?: () => void): unknown;
  readonly isTTY?: boolean | undefined;
  /** Of a terminal. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** What a command sees of its process. */
export interface CommandIo {
  /** What was asked for. */
  readonly stdout: TextSink;
  /** Progress and errors, so that a job may write its records to stdout. */
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly environment: Environment;
  /**
   * Calls `listener` with what others, such as functions of the job, are about to write to the terminal. Returns how to
   * stop.
   */
  onOtherWrites(listener: (text: string) => void): () => void;
  /** The signal of `onCancel` ends the process at once if it comes again. Returns how to stop listening. */
  onCancel(listener: (signal: CancelSignal) => void): () => void;
}

/** Functions that color a text. */
export type Colors = ReturnType<typeof picocolors.createColors>;

/** The colors of a stream: none if it is no terminal, or `NO_COLOR` is set (https://no-color.org). */
export function colorsOf(sink: TextSink, env: CommandIo['env']): Colors {
  if (isSet(env['NO_COLOR'])) return picocolors.createColors(false);
  return picocolors.createColors(isSet(env['FORCE_COLOR']) || (sink.isTTY === true && env['TERM'] !== 'dumb'));
}

/** Whether lines of a stream can be redrawn in place. */
export function isRedrawable(sink: TextSink, env: CommandIo['env']): boolean {
  return sink.isTTY === true && env['TERM'] !== 'dumb' && !isSet(env['CI']);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
