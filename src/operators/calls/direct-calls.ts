import { toError } from '../../errors/thrown-value.ts';
import { isThenable } from '../../user-code.ts';
import type { CallOutcome } from '../answers/files/call-outcome.ts';
import { checkKey } from '../key-identity.ts';
import type { AsyncCallContext, OperatorDescription } from '../operator-description.ts';
import { AsyncCall } from './async-call.ts';
import type { CallEntry, CallListener, Calls, CallUnderWay } from './call-entry.ts';

/** The function of a call. */
export type CallFunction = (record: unknown, context: AsyncCallContext) => unknown;

/**
 * The function that an operator calls per record: that of the user. Where records may be rejected, the call for a record
 * whose key is invalid fails; otherwise sending it here has failed.
 */
export function callFunctionOf({ fn, keyOf, errors }: OperatorDescription & { kind: 'asyncMap' }): CallFunction {
  const call = fn as CallFunction;
  if (keyOf === undefined || errors === undefined) return call;
  const key = keyOf as (record: unknown) => unknown;
  return (record, context) => {
    checkKey(key(record), 'keyBy');
    return call(record, context);
  };
}

/** The calls of an operator that remembers nothing: one per record and try. */
export class DirectCalls implements Calls {
  readonly #fn: CallFunction;

  constructor(fn: CallFunction) {
    this.#fn = fn;
  }

  call(entry: CallEntry, listener: CallListener): CallUnderWay | CallOutcome {
    const call = new AsyncCall(entry.retry);
    let answer: unknown;
    try {
      answer = this.#fn(entry.record, call);
      if (!isThenable(answer)) return { kind: 'answered', answer };
    } catch (error) {
      return { kind: 'failed', error: toError(error) };
    }
    // `resolve` tames thenables, which may call back synchronously, twice, or throw.
    Promise.resolve(answer).then(
      (result) => listener.settled(entry, call, { kind: 'answered', answer: result }),
      (error: unknown) => listener.settled(entry, call, { kind: 'failed', error: toError(error) }),
    );
    return call;
  }
}
