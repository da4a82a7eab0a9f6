import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { propertyOf } from '../foreign-value.ts';
import type { AttemptNumber, PartitionId, ResultPartitionId, RunId } from '../ids.ts';
import { callNow } from '../user-code.ts';
import { causesIn, isOf } from './own-causes.ts';
import { ownHopelessReason } from './hopeless.ts';

/**
 * What kind of failure a cause is: worth a restart, beyond help, the fault of a lost result, or a task that was declared
 * deterministic and is not.
 */
export type FailureClass =
  | { readonly kind: 'recoverable' }
  | { readonly kind: 'unrecoverable'; readonly why: string }
  | { readonly kind: 'partition-lost'; readonly partitions: readonly PartitionId[] }
  | { readonly kind: 'claim-broken' };

/** Says what kind of failure a cause is, or undefined if it does not know. */
export type FailureClassifier = (
  cause: Error,
  /** The task that failed (`map[2]`); undefined for the job as a whole. */
  failed: { readonly task: string | undefined },
) => FailureClass | undefined;

/**
 * Asks the user's classifiers in order, then the built-in one. A classifier that throws, answers later, or answers what is
 * no {@link FailureClass}, is passed over.
 *
 * @param onClassifierError hears of each that was passed over, as `failureClassifiers[0]`
 * @param context `run`: the run that failed, as only its own results can be lost. `partitionCount`: how many the job has;
 * others cannot be blamed. `isPresent`: whether a result is that of a present attempt; a lost result of an earlier attempt
 * is being recomputed already.
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
 * Searches the cause chain by what errors say of themselves: `recovery` and data, never their class, and what
 * {@link ownHopelessReason} knows of others. The outermost opinion wins: a lost partition stays one although its bytes were
 * lost by something that no restart cures.
 *
 * A function of the job may have run a job of its own. What the engine says of that run's results and limits is no opinion
 * about this one's; what user code says there of a call or a record counts here too, an `UnrecoverableError` before all.
 */
function classifyByRecovery(
  cause: Error,
  run: RunId | undefined,
  partitionCount: number,
  isPresent: (id: ResultPartitionId) => boolean,
): FailureClass {
  const partitions = new Set<PartitionId>();
  for (const { error: link, isForeign } of causesIn(cause, run)) {
    if (typeof link !== 'object' || link === null || (isForeign && isOfEngine(link))) continue;
    const [recovery, partition, attempt] = ['recovery', 'partition', 'attempt'].map((key) => propertyOf(link, key));
    const why = partitions.size === 0 ? ownHopelessReason(link) : undefined;
    if (why !== undefined) return { kind: 'unrecoverable', why };
    if (isForeign || !isOf(run, link)) continue;
    if (recovery === 'restart-consumers' && partitions.size === 0) return { kind: 'claim-broken' };
    if (recovery !== 'restart-producer' || !isPartition(partition, partitionCount)) continue;
    if (typeof attempt !== 'number' || isPresent({ partition, attempt: attempt as AttemptNumber })) {
      partitions.add(partition);
    }
  }
  return partitions.size > 0 ? { kind: 'partition-lost', partitions: [...partitions] } : { kind: 'recoverable' };
}

/** Whether it is an error of the engine's making, and not one that user code has thrown on purpose. */
function isOfEngine(error: object): boolean {
  const code = propertyOf(error, 'code');
  return typeof propertyOf(error, 'recovery') === 'string' && typeof code === 'string' && code !== 'UNRECOVERABLE';
}

/** What a classifier answered, looked at once. @throws InvalidArgumentError unless it is a {@link FailureClass} or undefined */
function classOf(verdict: unknown, partitionCount: number): FailureClass | undefined {
  if (verdict === undefined) return undefined;
  const [kind, why, partitions] = ['kind', 'why', 'partitions'].map((key) => propertyOf(verdict, key));
  if (kind === 'recoverable' || kind === 'claim-broken') return { kind };
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
