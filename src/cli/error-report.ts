import { isKintsugiError } from '../errors/kintsugi-error.ts';
import { toError } from '../errors/thrown-value.ts';
import { propertyOf } from '../foreign-value.ts';
import { CommandLineError } from './command.ts';
import type { Colors } from './command-io.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { printable } from './progress/text-width.ts';

const usageCodes: readonly unknown[] = ['INVALID_ARGUMENT', 'JOB_INVALID', 'JOB_MODULE'];
const inUseCodes: readonly unknown[] = ['STATE_DIRECTORY_IN_USE', 'ANSWERS_IN_USE', 'OUTPUT_IN_USE', 'PORT_IN_USE'];

/** Errors whose cause comes from the functions or the module of the user. */
const userCodeCodes: readonly unknown[] = ['JOB_FAILED', 'JOB_INCOMPLETE', 'JOB_MODULE'];

/** What to do about errors that do not say so themselves. */
const remedyByCode: Readonly<Record<string, string>> = {
  FILE_ACCESS: 'Check the path, and who may use it.',
  RECORDING_FORMAT: 'Give it a file that `kintsugi run --record FILE` or `job.run({ record: FILE })` has written.',
};

/** The exit code of a command that ended with an error. */
export function exitCodeOf(thrown: unknown): ExitCode {
  if (thrown instanceof CommandLineError || usageCodes.includes(propertyOf(thrown, 'code'))) return exitCodes.usage;
  if (propertyOf(thrown, 'code') === 'JOB_INCOMPLETE') return exitCodes.incomplete;
  for (const error of [thrown, propertyOf(thrown, 'cause')]) {
    if (inUseCodes.includes(propertyOf(error, 'code'))) return exitCodes.inUse;
  }
  return exitCodes.failed;
}

/**
 * An error for people: what is wrong, where, and what to do.
 * @param remedy what to do if the error does not say so itself
 */
export function errorReport(thrown: unknown, colors: Colors, remedy?: string): string {
  const error = toError(thrown);
  const lines = [colors.red(colors.bold(printable(messageOf(error))))];
  const origin = originOf(error);
  if (origin !== undefined) lines.push(...userFrames(origin).map((line) => colors.dim(printable(line))));
  const code = propertyOf(error, 'code');
  if (error instanceof CommandLineError) {
    lines.push(`See: kintsugi ${error.command === undefined ? '' : `${error.command} `}--help`);
  } else if (remedy !== undefined) lines.push(remedy);
  else if (!isOurs(error)) {
    lines.push('This is not an error of the job. Please report it, with the lines above.');
  } else if (typeof code === 'string' && Object.hasOwn(remedyByCode, code)) lines.push(remedyByCode[code] as string);
  return `${lines.join('\n')}\n`;
}

function isOurs(error: Error): boolean {
  return error instanceof CommandLineError || isKintsugiError(error);
}

/** Errors of this library say what is wrong in their message, others also by their name. */
function messageOf(error: Error): string {
  return isOurs(error) ? error.message : `${error.name}: ${error.message}`;
}

/** The error of the user's code behind an error of ours, or an unexpected one itself. */
function originOf(error: Error): Error | undefined {
  if (error instanceof CommandLineError) return undefined;
  if (!isOurs(error)) return error;
  const code = propertyOf(error, 'code');
  const cause: unknown = propertyOf(error, 'cause');
  if (cause === undefined || !userCodeCodes.includes(code)) return undefined;
  const origin = toError(cause);
  return isKintsugiError(origin) ? undefined : origin;
}

const mostFrames = 6;

/** The stack of an error, without the frames of Node and of packages, unless there are no others. */
function userFrames(error: Error): string[] {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const own = frames.filter((line) => !/\(?node:|[\\/]node_modules[\\/]/.test(line));
  return (own.length > 0 ? own : frames).slice(0, mostFrames);
}
