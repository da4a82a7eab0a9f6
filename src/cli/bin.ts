#!/usr/bin/env node
import { systemEnvironment } from '../environment.ts';
import type { CommandIo, TextSink } from './command-io.ts';
import { type CancelSignal, exitCodes } from './exit-code.ts';
import { commandLine } from './main.ts';

/** The signals of a process: the first cancels; the second ends the process as it would have without us. */
function onCancel(listener: (signal: CancelSignal) => void): () => void {
  const signals: readonly CancelSignal[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];
  const handle = (signal: NodeJS.Signals): void => {
    stop();
    for (const each of signals) process.on(each, kill);
    listener(signal as CancelSignal);
  };
  const kill = (signal: NodeJS.Signals): void => {
    stop();
    process.kill(process.pid, signal);
  };
  const stop = (): void => {
    for (const each of signals) process.off(each, handle).off(each, kill);
  };
  for (const each of signals) process.on(each, handle);
  return stop;
}

/** Settles when what was written has gone to the system. */
function flushed(sink: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => sink.write('', () => resolve()));
}

/** A stream as the command line writes to it, not heard by `onOtherWrites`. */
function sinkTo(stream: NodeJS.WriteStream): TextSink {
  const write = stream.write.bind(stream);
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough (`| head`) is no error.
    if (error.code === 'EPIPE') process.exit(exitCodes.done);
    throw error;
  });
  return {
    write: (text, done) => write(text, done),
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
  };
}

/** Hears what others write to a terminal: their calls of `write` pass through here for a while. */
function onOtherWrites(listener: (text: string) => void): () => void {
  const restore = [process.stdout, process.stderr]
    .filter((stream) => stream.isTTY)
    .map((stream) => {
      const { write } = stream;
      stream.write = (...args: unknown[]): boolean => {
        listener(typeof args[0] === 'string' ? args[0] : '\n');
        return (write as (...given: unknown[]) => boolean).apply(stream, args);
      };
      return () => (stream.write = write);
    });
  return () => {
    for (const each of restore) each();
  };
}

const io: CommandIo = {
  stdout: sinkTo(process.stdout),
  stderr: sinkTo(process.stderr),
  env: process.env,
  environment: systemEnvironment(),
  onOtherWrites,
  onCancel,
};
const code = await commandLine(process.argv.slice(2), io);
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
// What a job's module has left open does not keep the process alive.
process.exit(code);
