import { type ErrorOptions, errorHandlingOf } from '../operators/rejected/on-error.ts';
import { skipped } from '../operators/rejected/rejections.ts';
import type { RuntimeContext } from '../operators/runtime-context.ts';
import type { Source } from '../operators/source.ts';

/** Rows that a reader leaves out, and what is decided about them. */
export class RejectedRows {
  readonly #context: RuntimeContext;
  /** Rows in whose place there is no record. */
  leftOut = 0;

  /** @param context of a task whose source has `errors` */
  constructor(context: RuntimeContext) {
    this.#context = context;
  }

  /** The records in place of a row: one or none. @throws the error, if it fails the task */
  reject<Out>(error: Error, raw: unknown, position: string): readonly Out[] {
    const { reject } = this.#context;
    if (reject === undefined) throw error;
    const answer = reject(error, raw, position);
    if (answer !== skipped) return [answer as Out];
    this.leftOut++;
    return [];
  }
}

/** What a source of rows says of the rows that it rejects. `of` is the call, for messages. @throws InvalidArgumentError */
export function rejectingSource<Out>(
  of: string,
  options: ErrorOptions<never, Out> & { readonly parse?: unknown },
): Pick<Source<Out>, 'errors' | 'deterministic'> {
  const errors = errorHandlingOf(of, options);
  if (errors === undefined) return { deterministic: true };
  // What the format alone decides about a row, it decides again; what is decided by a function may change.
  return { errors, deterministic: options.parse === undefined && errors.reaction.kind !== 'replace' };
}
