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

/** A reader that has seen enough (`| head`) is no error. */
function endQuietlyWithReader(sink: NodeJS.WriteStream): TextSink {
  sink.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.done);
    throw error;
  });
  return sink;
}

const io: CommandIo = {
  stdout: endQuietlyWithReader(process.stdout),
  stderr: endQuietlyWithReader(process.stderr),
  env: process.env,
  environment: systemEnvironment(),
  onCancel,
};
const code = await commandLine(process.argv.slice(2), io);
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
// What a job's module has left open does not keep the process alive.
process.exit(code);
