import type { AsyncCall } from './async-call.ts';

/** A record on its way through the function of `mapAsync`. */
export interface CallEntry {
  readonly record: unknown;
  /** Its number in the input of the stage, from 0; undefined if the stage was restored with it. */
  readonly number: number | undefined;
  retry: number;
  /** Whether a call for it was made in vain. */
  isRepeated: boolean;
  isAnswered: boolean;
  result: unknown;
  /** What a call for it costs; undefined until one is to be made. */
  costs: readonly number[] | undefined;
  call: AsyncCall | undefined;
  /** Ends what it waits for: its turn to call, or the time of its retry. */
  stopWaiting: (() => void) | undefined;
  /** Gives back the place of its key, or withdraws the request for one. */
  leavePlace: (() => void) | undefined;
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
