/** A wish for a checkpoint, until it is triggered or refused. */
export interface CheckpointRequest {
  /** Its place in the order of arrival. */
  readonly number: number;
  readonly kind: 'checkpoint' | 'savepoint';
  /** Whether it waits for neither the other checkpoints nor the pause. */
  readonly isForced: boolean;
  /** Whether the timer made it, not a user. */
  readonly isPeriodic: boolean;
  /** Names the savepoint that a user wants. */
  readonly savepoint?: number | undefined;
}

/** How many checkpoints may be under way, and how soon one may follow another. */
export interface RequestLimits {
  readonly maxConcurrent: number;
  /** Time from the end of a completed checkpoint to the next periodic one, in ms. */
  readonly minPauseMs: number;
  readonly maxQueued: number;
}

/** What a decision about requests depends on. */
export interface RequestSituation {
  readonly nowMs: number;
  /** Whether a checkpoint is about to be triggered: one at a time is. */
  readonly isTriggering: boolean;
  /** Number of triggered checkpoints that have not ended. */
  readonly pendingCount: number;
  /** Number of ended checkpoints whose state is still being discarded. */
  readonly cleaningCount: number;
  /** When the last checkpoint completed; undefined if none has. */
  readonly lastCompletedMs: number | undefined;
}

/** What becomes of the requests that wait. */
export interface RequestDecision<Request extends CheckpointRequest = CheckpointRequest> {
  /** Those that go on waiting, the most urgent first. */
  readonly queue: readonly Request[];
  /** The one that is triggered now, if any. */
  readonly next: Request | undefined;
  readonly refused: readonly { readonly request: Request; readonly reason: 'tooManyRequests' | 'tooSoon' }[];
  /** The end of the pause, for which the timer waits; undefined: it goes on as it does. */
  readonly earliestMs: number | undefined;
}

/**
 * A request arrives, and perhaps one can be triggered.
 *
 * - RQ1 Savepoints come before checkpoints, forced requests before others, those of users before periodic ones, older
 *   ones before newer ones.
 * - RQ2 One request at a time is being triggered; the others wait.
 * - RQ3 They wait while as many checkpoints are pending as may be, or cleaning lags behind by more than that. A forced
 *   request does not wait for pending ones.
 * - RQ4 A periodic request within the pause is refused, and the timer waits for the end of the pause. Others do not
 *   wait for it.
 * - RQ5 If too many wait, the least urgent is refused; if they are all of users, the new one.
 *
 * (Flink: `CheckpointRequestDecider`.)
 */
export function submitRequest<Request extends CheckpointRequest>(
  queue: readonly Request[],
  request: Request,
  limits: RequestLimits,
  situation: RequestSituation,
): RequestDecision<Request> {
  const isFull = queue.length >= limits.maxQueued;
  if (isFull && queue.at(-1)?.isPeriodic !== true) {
    return { queue, next: undefined, refused: [{ request, reason: 'tooManyRequests' }], earliestMs: undefined };
  }
  const waiting = [...queue, request].sort(byUrgency);
  const evicted = isFull ? waiting.splice(-1) : [];
  const decision = nextRequest(waiting, limits, situation);
  const refused = evicted.map((one) => ({ request: one, reason: 'tooManyRequests' }) as const);
  return { ...decision, refused: [...refused, ...decision.refused] };
}

/** Something has changed: perhaps one of the waiting requests can be triggered. */
export function nextRequest<Request extends CheckpointRequest>(
  queue: readonly Request[],
  { maxConcurrent, minPauseMs }: RequestLimits,
  { nowMs, isTriggering, pendingCount, cleaningCount, lastCompletedMs }: RequestSituation,
): RequestDecision<Request> {
  const waits = { queue, next: undefined, refused: [], earliestMs: undefined };
  const [first, ...others] = queue;
  if (first === undefined || isTriggering || cleaningCount > maxConcurrent) return waits;
  if (pendingCount >= maxConcurrent && !first.isForced) return waits;
  const earliestMs = (lastCompletedMs ?? -Infinity) + minPauseMs;
  if (!first.isPeriodic || first.isForced || earliestMs <= nowMs) {
    return { queue: others, next: first, refused: [], earliestMs: undefined };
  }
  // The most urgent is periodic, so all are.
  const refused = queue.map((request) => ({ request, reason: 'tooSoon' }) as const);
  return { queue: [], next: undefined, refused, earliestMs };
}

/** RQ1. */
function byUrgency(a: CheckpointRequest, b: CheckpointRequest): number {
  if (a.kind !== b.kind) return a.kind === 'savepoint' ? -1 : 1;
  if (a.isForced !== b.isForced) return a.isForced ? -1 : 1;
  if (a.isPeriodic !== b.isPeriodic) return a.isPeriodic ? 1 : -1;
  return a.number - b.number;
}
