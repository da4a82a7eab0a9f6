import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { propertiesOf } from '../foreign-value.ts';
import type { AttemptNumber, PartitionId, ResultPartitionId, RunId } from '../ids.ts';
import { callNow } from '../user-code.ts';
import { type Cause, causesIn } from './own-causes.ts';
import { ownUnrecoverableReason } from './unrecoverable-reason.ts';

/**
 * The class of a failure: recoverable by a restart, unrecoverable, caused by lost results, or caused by a task that was
 * declared deterministic but is not.
 */
export type FailureClass =
  | { readonly kind: 'recoverable' }
  | { readonly kind: 'unrecoverable'; readonly why: string }
  | { readonly kind: 'partition-lost'; readonly partitions: readonly PartitionId[] }
  | { readonly kind: 'determinism-broken' };

/** Classifies a cause; returns undefined if it does not know. */
export type FailureClassifier = (
  cause: Error,
  /** The task that failed (`map[2]`); undefined for the job as a whole. */
  failed: { readonly task: string | undefined },
) => FailureClass | undefined;

/**
 * Asks the user's classifiers in order, then the built-in one. A classifier that throws, returns a promise, or returns
 * something other than a {@link FailureClass} is skipped.
 *
 * @param onClassifierError called for each skipped classifier, named like `failureClassifiers[0]`
 * @param context `run`: the failed run, because only its own results can be lost. `partitionCount`: the number of
 *   partitions of the job; others are ignored. `isPresent`: whether a result belongs to a current attempt; a lost
 *   result of an earlier attempt is already being recomputed.
 */
export function classifyFailure(
  cause: Error,
  classifiers: readonly FailureClassifier[],
  onClassifierError: (classifier: string, error: Error) => void = () => {},
  context: {
    readonly task?: string | undefined;
    readonly run?: RunId | undefined;
    readonly partitionCount?: number;
    readonly isPresent?: (id: ResultPartitionId) => boolean;
  } = {},
): FailureClass {
  const { task, run, partitionCount = Number.POSITIVE_INFINITY, isPresent = () => true } = context;
  for (const [index, classify] of classifiers.entries()) {
    const name = `failureClassifiers[${index}]`;
    const answer = callNow(name, () => classify(cause, { task }));
    const verdict = answer.kind === 'error' ? answer : callNow(name, () => classOf(answer.value, partitionCount));
    if (verdict.kind === 'error') onClassifierError(name, verdict.error);
    else if (verdict.value !== undefined) return verdict.value;
  }
  return classifyByRecovery(cause, run, partitionCount, isPresent);
}

/**
 * Searches the cause chain by the `recovery` and data of each error, never by its class, and by
 * {@link ownUnrecoverableReason} for foreign errors. The outermost answer wins: a lost partition stays one even if the cause
 * of its loss is unrecoverable.
 *
 * A function of the job may itself run another job. The engine's errors about that run's results and limits do not
 * count here; errors from user code in that run do, above all an `UnrecoverableError`.
 */
function classifyByRecovery(
  cause: Error,
  run: RunId | undefined,
  partitionCount: number,
  isPresent: (id: ResultPartitionId) => boolean,
): FailureClass {
  const partitions = new Set<PartitionId>();
  for (const link of causesIn(cause, run)) {
    const { error, isForeign, isOwn, recovery, partition, attempt } = link;
    if (typeof error !== 'object' || error === null || (isForeign && isOfEngine(link))) continue;
    const why = partitions.size === 0 ? ownUnrecoverableReason(error) : undefined;
    if (why !== undefined) return { kind: 'unrecoverable', why };
    if (!isOwn) continue;
    if (recovery === 'restart-consumers' && partitions.size === 0) return { kind: 'determinism-broken' };
    if (recovery !== 'restart-producer' || !isPartition(partition, partitionCount)) continue;
    if (typeof attempt !== 'number' || isPresent({ partition, attempt: attempt as AttemptNumber })) {
      partitions.add(partition);
    }
  }
  return partitions.size > 0 ? { kind: 'partition-lost', partitions: [...partitions] } : { kind: 'recoverable' };
}

/** Whether the engine created the error, rather than user code. */
function isOfEngine({ code, recovery }: Cause): boolean {
  return typeof recovery === 'string' && typeof code === 'string' && code !== 'UNRECOVERABLE';
}

/**
 * Validates a classifier's answer, reading each property once. @throws InvalidArgumentError unless it is a
 * {@link FailureClass} or undefined
 */
function classOf(verdict: unknown, partitionCount: number): FailureClass | undefined {
  if (verdict === undefined) return undefined;
  const { kind, why, partitions } = propertiesOf(verdict, 'kind', 'why', 'partitions');
  if (kind === 'recoverable' || kind === 'determinism-broken') return { kind };
  if (kind === 'unrecoverable' && typeof why === 'string') return { kind, why };
  if (kind === 'partition-lost' && Array.isArray(partitions)) {
    const named: unknown[] = [...partitions];
    const areOfJob = (ids: unknown[]): ids is PartitionId[] => ids.every((id) => isPartition(id, partitionCount));
    if (areOfJob(named)) return { kind, partitions: named };
  }
  throw new InvalidArgumentError('failure class', verdict, 'a FailureClass or undefined');
}

function isPartition(value: unknown, partitionCount: number): value is PartitionId {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < partitionCount;
}
