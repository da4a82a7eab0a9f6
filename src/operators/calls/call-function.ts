import { checkKey } from '../key-identity.ts';
import type { AsyncCallContext, OperatorDescription } from '../operator-description.ts';

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
