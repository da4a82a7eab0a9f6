import type { AsyncCall } from './async-call.ts';

/** A record in `mapAsync`. */
export interface CallEntry {
  readonly record: unknown;
  /** Its number in the input of the stage, from 0; undefined if the stage was restored with it. */
  readonly number: number | undefined;
  retry: number;
  /** Whether an earlier call for it failed. */
  isRepeated: boolean;
  isAnswered: boolean;
  result: unknown;
  /** The cost of a call for it; undefined until a call is requested. */
  costs: readonly number[] | undefined;
  call: AsyncCall | undefined;
  /** Stops waiting for a grant or for the retry delay. */
  stopWaiting: (() => void) | undefined;
  /** Releases the place of its key, or withdraws the request for one. */
  leavePlace: (() => void) | undefined;
}

/** Withdraws what an entry waits for, and releases its place. */
export function withdraw(entry: CallEntry): void {
  entry.stopWaiting?.();
  entry.stopWaiting = undefined;
  entry.leavePlace?.();
  entry.leavePlace = undefined;
}

/** A record for which no call was made. */
export function newEntry(record: unknown, number: number | undefined): CallEntry {
  return {
    record,
    number,
    retry: 0,
    isRepeated: false,
    isAnswered: false,
    result: undefined,
    costs: undefined,
    call: undefined,
    stopWaiting: undefined,
    leavePlace: undefined,
  };
}
