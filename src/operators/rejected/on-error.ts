import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { propertyOf } from '../../foreign-value.ts';
import { checkInteger, checkOptions } from '../../options.ts';
import type { Sink } from '../sink.ts';
import type { DeadLetter } from './dead-letter.ts';

/** Where a record was rejected, for the function of `onError`. */
export interface RejectionPlace {
  /** The uid of the operator or source. */
  readonly operator: string;
  readonly subtask: number;
  /** The origin of the record, as in `RecordPlace`; a source file is named without the line. undefined if unknown. */
  readonly position: string | undefined;
}

/** Writes the rejected records to a sink of their own. Exactly once, if the sink is. */
export interface ToDeadLetters<In> {
  readonly deadLetter: Sink<DeadLetter<In>>;
}

/**
 * What happens to a record at which a function of an operator fails: the task fails (`'fail'`), the record is left out
 * (`'skip'`), or it goes to a sink of its own (`{ deadLetter: sink }`).
 */
export type RejectRecord<In> = 'fail' | 'skip' | ToDeadLetters<In>;

/**
 * {@link RejectRecord}, or a function that answers instead of the one that failed, synchronously; only for `mapAsync` it
 * may be async. If it throws, the task fails.
 */
export type OnError<In, Answer> = RejectRecord<In> | ((error: Error, record: In, place: RejectionPlace) => Answer);

/** A limit on failed records, as a share of the records that the operator was given. */
export interface ErrorShare {
  /** From 0 to 1. */
  readonly share: number;
  /** As many errors are always allowed. Default 100. */
  readonly atLeast?: number | undefined;
}

/** The most failed records of an operator, over all its subtasks, before the job fails: a count, or a share. */
export type MaxErrors = number | ErrorShare;

/** Options of operators whose functions may fail at a record, and cannot be answered for. */
export interface RejectOptions<In> {
  /**
   * What happens to a record at which a function of the operator fails. Default: `'fail'`, the task fails. Anything else
   * makes the operator not deterministic, because the next attempt may decide otherwise.
   */
  readonly onError?: RejectRecord<In> | undefined;
  /**
   * The job fails with a `TooManyErrorsError` when more records failed: a count, or `{ share, atLeast }`. Needs
   * `onError`. Default: no limit.
   */
  readonly maxErrors?: MaxErrors | undefined;
}

/** Options of operators whose functions may fail at a record. */
export interface ErrorOptions<In, Answer> extends Omit<RejectOptions<In>, 'onError'> {
  /**
   * What happens to a record at which the function fails. Default: `'fail'`, the task fails. Anything else makes the
   * operator not deterministic, because the next attempt may decide otherwise.
   */
  readonly onError?: OnError<In, Answer> | undefined;
}

/** How an operator handles errors at a record, if it does not fail. */
export interface ErrorHandling {
  readonly reaction:
    | { readonly kind: 'skip' }
    | { readonly kind: 'deadLetter'; readonly sink: Sink<unknown> }
    | { readonly kind: 'replace'; readonly fn: (error: Error, record: unknown, place: RejectionPlace) => unknown };
  readonly limit: ErrorLimit | undefined;
}

/** More than `errors` errors are too many, if they are also more than a `share` of the records. */
export interface ErrorLimit {
  readonly errors: number;
  /** 0: any share. */
  readonly share: number;
}

/** The names of {@link ErrorOptions}, for `checkOptions`. */
export const errorOptionNames = { onError: true, maxErrors: true } as const;

const defaultAtLeast = 100;

/**
 * Checks the options, and resolves them; undefined if errors fail the task. `of` is the call, for messages.
 * @throws InvalidArgumentError
 */
export function errorHandlingOf(
  of: string,
  { onError = 'fail', maxErrors }: { readonly onError?: unknown; readonly maxErrors?: unknown },
  { mayReplace = true }: { readonly mayReplace?: boolean } = {},
): ErrorHandling | undefined {
  const limit = limitOf(of, maxErrors);
  if (onError === 'fail') {
    if (limit === undefined) return undefined;
    throw new InvalidArgumentError(
      `maxErrors of ${of}`,
      maxErrors,
      'no limit without `onError`: the first error fails',
    );
  }
  return { reaction: reactionOf(of, onError, mayReplace), limit };
}

function reactionOf(of: string, onError: unknown, mayReplace: boolean): ErrorHandling['reaction'] {
  if (onError === 'skip') return { kind: 'skip' };
  if (typeof onError === 'function') {
    if (mayReplace) return { kind: 'replace', fn: onError as never };
    const expected = '"fail", "skip" or { deadLetter: sink }: a function cannot answer for a fold or a state';
    throw new InvalidArgumentError(`onError of ${of}`, onError, expected);
  }
  const sink = propertyOf(onError, 'deadLetter') as Sink<unknown> | undefined;
  if (typeof propertyOf(sink, 'open') === 'function') {
    checkOptions(`onError of ${of}`, onError as ToDeadLetters<never>, { deadLetter: true });
    return { kind: 'deadLetter', sink: sink as Sink<unknown> };
  }
  const others = mayReplace ? '{ deadLetter: sink } or a function' : 'or { deadLetter: sink }';
  throw new InvalidArgumentError(`onError of ${of}`, onError, `"fail", "skip", ${others}`);
}

function limitOf(of: string, given: unknown): ErrorLimit | undefined {
  if (given === undefined) return undefined;
  const what = `maxErrors of ${of}`;
  if (typeof given === 'number') {
    checkInteger(what, given, 0);
    return { errors: given, share: 0 };
  }
  if (typeof given !== 'object' || given === null) {
    throw new InvalidArgumentError(what, given, 'a number, or { share, atLeast }');
  }
  checkOptions<ErrorShare>(what, given as ErrorShare, { share: true, atLeast: true });
  const { share, atLeast = defaultAtLeast } = given as ErrorShare;
  if (!(typeof share === 'number' && share >= 0 && share <= 1)) {
    throw new InvalidArgumentError(`share of ${what}`, share, 'a number from 0 to 1');
  }
  checkInteger(`atLeast of ${what}`, atLeast, 0);
  return { errors: atLeast, share };
}

/** @throws InvalidArgumentError if error options are given to `through`, which cannot have them */
export function refuseErrorOptions(of: string, options: object): void {
  for (const name of Object.keys(errorOptionNames)) {
    const given = propertyOf(options, name);
    if (given === undefined) continue;
    const expected =
      'none: an error ends the pipe. Catch it inside (`catchError` in an inner observable), or do the step that fails in map, flatMap or mapAsync';
    throw new InvalidArgumentError(`${name} of ${of}`, given, expected);
  }
}
