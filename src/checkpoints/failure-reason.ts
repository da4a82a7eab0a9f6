/**
 * Why a checkpoint failed, or was not even begun.
 *
 * Counted, as they say that checkpoints do not work: `io`, `declined` (a task cannot capture its state), `expired`,
 * `async` (a task failed to write its state).
 *
 * The others are a matter of circumstances: `notAllRunning` (a task of the component does not run), `notReady` (a task
 * declined because it does not run yet or any more, or because the barrier of a newer one came first), `tooSoon`
 * (within the minimum pause), `tooManyRequests`, `failover`
 * (a region of the component restarts), `subsumed` (a later one completed first), `triggering` and `storing` (the
 * master could not begin or record it), `periodicStopped` (a periodic request while there is no periodic trigger),
 * `stopped` (the run is over).
 */
export type CheckpointFailureReason = CountedReason | UncountedReason;

type CountedReason = 'io' | 'declined' | 'expired' | 'async';

type UncountedReason =
  | 'notAllRunning'
  | 'notReady'
  | 'tooSoon'
  | 'tooManyRequests'
  | 'failover'
  | 'subsumed'
  | 'triggering'
  | 'storing'
  | 'periodicStopped'
  | 'stopped';

const isCountedByReason: Readonly<Record<CheckpointFailureReason, boolean>> = {
  io: true,
  declined: true,
  expired: true,
  async: true,
  notAllRunning: false,
  notReady: false,
  tooSoon: false,
  tooManyRequests: false,
  failover: false,
  subsumed: false,
  triggering: false,
  storing: false,
  periodicStopped: false,
  stopped: false,
};

/** Whether a failure for this reason says that checkpoints do not work. */
export function isCounted(reason: CheckpointFailureReason): boolean {
  return isCountedByReason[reason];
}

/** Why a task declines a checkpoint. */
export type DeclineReason = 'notRunning' | 'noState' | 'io' | 'async';

const reasonByDecline: Readonly<Record<DeclineReason, CheckpointFailureReason>> = {
  notRunning: 'notReady',
  noState: 'declined',
  io: 'io',
  async: 'async',
};

/** What a task's decline means for its checkpoint. */
export function reasonOfDecline(reason: DeclineReason): CheckpointFailureReason {
  return reasonByDecline[reason];
}
