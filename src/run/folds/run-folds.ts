import type { JobEvent } from '../../actors/job-event.ts';
import { CheckpointHistory } from '../checkpoints/checkpoint-history.ts';
import { FailureHistory } from './failure-history.ts';
import type { JobShape } from './job-shape.ts';
import { SnapshotFold } from './job-snapshot.ts';
import { LatestEvents } from './latest-events.ts';
import { ReceiptBook } from './receipt-book.ts';

/** The folds behind the handle of a run. */
export interface RunFolds {
  readonly snapshot: SnapshotFold;
  readonly receipt: ReceiptBook;
  readonly failures: FailureHistory;
  readonly latest: LatestEvents;
  /** Undefined if the job is not checkpointed. */
  readonly checkpoints: CheckpointHistory | undefined;
}

/** The folds of a new run. */
export function runFolds(
  shape: JobShape,
  { exceptionHistorySize, checkpoints }: { readonly exceptionHistorySize: number; readonly checkpoints?: unknown },
): RunFolds {
  return {
    snapshot: new SnapshotFold(shape),
    receipt: new ReceiptBook(shape),
    failures: new FailureHistory(exceptionHistorySize),
    latest: new LatestEvents(),
    checkpoints: checkpoints === undefined ? undefined : new CheckpointHistory(),
  };
}

/** Hands an event to each of the folds. */
export function foldEvent({ snapshot, receipt, failures, latest, checkpoints }: RunFolds, event: JobEvent): void {
  snapshot.next(event);
  receipt.next(event);
  failures.next(event);
  latest.next(event);
  checkpoints?.next(event);
}
