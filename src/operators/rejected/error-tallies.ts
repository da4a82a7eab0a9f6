import { TooManyErrorsError } from '../../errors/user-code-errors.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { AttemptNumber } from '../../ids.ts';
import type { SideOutput } from './dead-letter-output.ts';
import type { ErrorLimit } from './on-error.ts';

/** An attempt of a subtask of an operator. */
export interface CountedAttempt {
  /** The uid of the operator. */
  readonly operator: string;
  readonly subtask: number;
  readonly attempt: AttemptNumber;
}

/** The errors of one attempt of one operator. */
export interface ErrorTally {
  /** Counts an error. @returns the error that fails the job, if there are too many now */
  add(error: Error, place: FailurePlace): TooManyErrorsError | undefined;
  /** Absent if `add` answers at once; else it takes no more while its errors may be too many, and fails when they are. */
  readonly output?: SideOutput;
}

/** Counts the errors of operators for `maxErrors`, over the subtasks of a run. */
export interface ErrorTallies {
  /**
   * Begins an attempt of a subtask: what its earlier attempts counted does not count any more.
   * @param records how many records the attempt was given so far
   */
  open(attempt: CountedAttempt, limit: ErrorLimit, records: () => number): ErrorTally;
}

/** The first error that an attempt counted. */
export interface FirstError {
  readonly error: Error;
  readonly place: FailurePlace;
}

interface Counted {
  readonly attempt: AttemptNumber;
  errors: number;
  readonly records: () => number;
}

interface Operator {
  readonly attempts: Map<number, Counted>;
  errors: number;
  first: FirstError | undefined;
}

/** What an attempt has counted in a tally of the run. */
export interface LocalErrorTally extends ErrorTally {
  /** Adds `errors`, of which `first` is known, without a verdict. Returns false if a later attempt counts instead. */
  count(errors: number, first: FirstError): boolean;
  /** The error that fails the job, if there are too many now. */
  verdict(): TooManyErrorsError | undefined;
  /** Its errors count no more. */
  discard(): void;
}

/** What a subtask of an operator counted in an earlier run. */
export interface EarlierErrors extends Omit<CountedAttempt, 'attempt'> {
  readonly errors: number;
  /** How many records it was given. */
  readonly records: number;
}

/** Before every attempt of a run. */
const beforeAll = -1 as AttemptNumber;

/** The tallies of a run. */
export class LocalErrorTallies implements ErrorTallies {
  readonly #operators = new Map<string, Operator>();

  /** Counts the errors of a subtask that had finished in an earlier run, until it is attempted again. */
  takeOver({ operator: uid, subtask, errors, records }: EarlierErrors): void {
    const operator = this.#operatorOf(uid);
    operator.attempts.set(subtask, { attempt: beforeAll, errors, records: () => records });
    operator.errors += errors;
  }

  open({ operator: uid, subtask, attempt }: CountedAttempt, limit: ErrorLimit, records: () => number): LocalErrorTally {
    const operator = this.#operatorOf(uid);
    const counted: Counted = { attempt, errors: 0, records };
    const before = operator.attempts.get(subtask);
    // The news of an earlier attempt may come late, from elsewhere.
    if (before === undefined || before.attempt <= attempt) {
      operator.errors -= before?.errors ?? 0;
      operator.attempts.set(subtask, counted);
    }
    const count = (errors: number, first: FirstError): boolean => {
      // An earlier attempt, which goes on where nobody can stop it.
      if (operator.attempts.get(subtask) !== counted) return false;
      operator.first ??= first;
      counted.errors += errors;
      operator.errors += errors;
      return true;
    };
    const verdict = (): TooManyErrorsError | undefined => tooMany(uid, operator, limit);
    return {
      count,
      verdict,
      add: (error, place) => (count(1, { error, place }) ? verdict() : undefined),
      discard: () => {
        if (operator.attempts.get(subtask) !== counted) return;
        operator.errors -= counted.errors;
        operator.attempts.delete(subtask);
      },
    };
  }

  #operatorOf(uid: string): Operator {
    let operator = this.#operators.get(uid);
    if (operator === undefined) {
      operator = { attempts: new Map(), errors: 0, first: undefined };
      this.#operators.set(uid, operator);
    }
    return operator;
  }
}

function tooMany(uid: string, operator: Operator, limit: ErrorLimit): TooManyErrorsError | undefined {
  if (operator.errors <= limit.errors || operator.first === undefined) return undefined;
  let records = 0;
  for (const attempt of operator.attempts.values()) records += attempt.records();
  if (operator.errors <= limit.share * records) return undefined;
  const { error, place } = operator.first;
  return new TooManyErrorsError(uid, { errors: operator.errors, records, limit }, place, error);
}
