import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import { packData } from '../../partitions/records/packed-data.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import { notPlainReason } from './tables/not-plain-reason.ts';

/**
 * The state of a part of a task as plain data, which `structuredClone` can copy and later work does not change; or
 * the reason why there is none, so that a partial state is never mistaken for a complete one.
 */
export type StateSnapshot<State = unknown> = { readonly kind: 'taken'; readonly state: State } | Absence;

/** The state could not be captured. */
export interface Absence {
  readonly kind: 'absent';
  /** The part and its problem: `"sums" keeps an instance of Foo at $.foo`. */
  readonly reason: string;
}

export function absent(reason: string): Absence {
  return { kind: 'absent', reason };
}

/**
 * Makes a snapshot, in which `pack` packs the values of operator `uid`. Absent if they are not plain data; afterwards,
 * `pack` throws an IllegalStateError for such.
 */
export function takeSnapshot<State>(
  make: (pack: (uid: string, values: Batch) => Uint8Array) => State,
): StateSnapshot<State> {
  let isTaken = false;
  const pack = (uid: string, values: Batch): Uint8Array => {
    try {
      return packData(values);
    } catch (error) {
      if (!(error instanceof RecordNotSerializableError)) throw error;
      const reason = notPlainReason(uid, error);
      // What was set aside is packed later.
      throw isTaken ? new IllegalStateError(reason) : new NotPlainData(reason);
    }
  };
  try {
    const state = make(pack);
    isTaken = true;
    return { kind: 'taken', state };
  } catch (error) {
    if (error instanceof NotPlainData) return absent(error.message);
    throw error;
  }
}

class NotPlainData extends Error {}

/** @throws IllegalStateError for the state of a task with other operators */
export function refuseState(expected: string, found: string): never {
  throw new IllegalStateError(
    `A checkpoint has the state of ${found}, where the job has ${expected}. Undo the change of its operators, or begin anew with \`rerun: true\``,
  );
}
