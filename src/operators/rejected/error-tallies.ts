import { TooManyErrorsError } from '../../errors/user-code-errors.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { ErrorLimit } from './on-error.ts';

/** The errors of one attempt of one operator. */
export interface ErrorTally {
  /** Counts an error. @returns the error that fails the job, if there are too many now */
  add(error: Error, place: FailurePlace): TooManyErrorsError | undefined;
}

/** Counts the errors of operators for `maxErrors`, over the subtasks of a run. */
export interface ErrorTallies {
  /**
   * Begins an attempt of a subtask: what its earlier attempt counted does not count any more.
   * @param records how many records the attempt was given so far
   */
  open(operator: string, subtask: number, limit: ErrorLimit, records: () => number): ErrorTally;
}

interface Counted {
  errors: number;
  readonly records: () => number;
}

interface Operator {
  readonly attempts: Map<number, Counted>;
  errors: number;
  first: { readonly error: Error; readonly place: FailurePlace } | undefined;
}

/** The tallies of the subtasks that run on this thread. */
export class LocalErrorTallies implements ErrorTallies {
  readonly #operators = new Map<string, Operator>();

  open(uid: string, subtask: number, limit: ErrorLimit, records: () => number): ErrorTally {
    const operator = this.#operatorOf(uid);
    const counted: Counted = { errors: 0, records };
    operator.errors -= operator.attempts.get(subtask)?.errors ?? 0;
    operator.attempts.set(subtask, counted);
    return {
      add: (error, place) => {
        // An earlier attempt, which goes on where nobody can stop it.
        if (operator.attempts.get(subtask) !== counted) return undefined;
        operator.first ??= { error, place };
        counted.errors++;
        operator.errors++;
        return tooMany(uid, operator, limit);
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
