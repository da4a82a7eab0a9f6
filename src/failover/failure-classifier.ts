import { causeChain } from '../errors.ts';
import type { PartitionId } from '../ids.ts';

/** What kind of failure a cause is: worth a restart, beyond help, or somebody else's fault. */
export type FailureClass =
  | { readonly kind: 'recoverable' }
  | { readonly kind: 'unrecoverable'; readonly why: string }
  | { readonly kind: 'partition-lost'; readonly partitions: readonly PartitionId[] };

/** Says what kind of failure a cause is, or undefined if it does not know. */
export type FailureClassifier = (cause: Error) => FailureClass | undefined;

/**
 * Asks the user's classifiers in order, then the built-in one. A classifier that throws is passed over.
 * @param onClassifierError hears of each that threw
 */
export function classifyFailure(
  cause: Error,
  classifiers: readonly FailureClassifier[],
  onClassifierError: (error: unknown) => void = () => {},
): FailureClass {
  for (const classify of classifiers) {
    try {
      const verdict = classify(cause);
      if (verdict !== undefined) return verdict;
    } catch (error) {
      onClassifierError(error);
    }
  }
  return classifyByRecovery(cause);
}

/** Searches the cause chain by what errors say of themselves: `recovery` and data, never their class. */
function classifyByRecovery(cause: Error): FailureClass {
  const lost: PartitionId[] = [];
  for (const link of causeChain(cause)) {
    if (typeof link !== 'object' || link === null) continue;
    const { recovery, partition, message } = link as { recovery?: unknown; partition?: unknown; message?: unknown };
    if (recovery === 'never') return { kind: 'unrecoverable', why: String(message) };
    if (recovery === 'restart-producer' && typeof partition === 'number') lost.push(partition as PartitionId);
  }
  return lost.length > 0 ? { kind: 'partition-lost', partitions: lost } : { kind: 'recoverable' };
}
