import { freezeRecords } from '../../partitions/records/freeze-records.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import type { CallsState, StageState } from '../state/stage-state.ts';
import { refuseState, type StateSnapshot, takeSnapshot } from '../state/state-snapshot.ts';
import { type CallEntry, newEntry } from './call-entry.ts';

/** The state of `mapAsync` called `uid`: `held` are the begun records whose results were not polled, in order. */
export function snapshotOfCalls(
  uid: string,
  held: readonly CallEntry[],
  waiting: Batch,
  isOver: boolean,
): StateSnapshot<CallsState> {
  return takeSnapshot((pack) => ({
    kind: 'calls',
    answered: held.map(({ isAnswered }) => isAnswered),
    results: pack(
      uid,
      held.filter(({ isAnswered }) => isAnswered).map(({ result }) => result),
    ),
    calls: pack(
      uid,
      held.filter(({ isAnswered }) => !isAnswered).map(({ record }) => record),
    ),
    waiting: pack(uid, waiting),
    isOver,
  }));
}

/** Converts back what {@link snapshotOfCalls} got. Calls in flight must be made again. */
export function callsOf(
  state: StageState,
  freezesRecords: boolean,
): { readonly held: CallEntry[]; readonly waiting: Batch } {
  if (state.kind !== 'calls') refuseState('mapAsync', state.kind);
  const [results, calls, waiting] = [state.results, state.calls, state.waiting].map(unpackData) as [
    unknown[],
    unknown[],
    unknown[],
  ];
  if (freezesRecords) for (const records of [calls, waiting]) freezeRecords(records);
  const held = state.answered.map((isAnswered) => {
    if (!isAnswered) return newEntry(calls.shift(), undefined);
    return { ...newEntry(undefined, undefined), isAnswered, result: results.shift() };
  });
  return { held, waiting };
}
