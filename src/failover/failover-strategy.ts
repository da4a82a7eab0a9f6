import type { FailurePlace } from '../failure-place.ts';
import type { Topology } from '../graph/topology.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';

/** A failure as rules, strategies and backoffs see it. */
export interface TaskFailure {
  /** The task that failed; undefined for a global failure, which concerns the job as a whole. */
  readonly vertex: ExecutionVertexId | undefined;
  readonly attempt: AttemptNumber | undefined;
  readonly cause: Error;
  /** Where in the task it failed, if known. */
  readonly place?: FailurePlace | undefined;
  /** When the failure was noticed, on the environment's clock. */
  readonly atMs: number;
  /** The lost results that the cause names; they must be produced again. */
  readonly lostPartitions: readonly PartitionId[];
}

/** The decision about a failure. */
export type FailoverDecision =
  | { readonly kind: 'restart'; readonly regions: readonly RegionId[]; readonly why?: string }
  | { readonly kind: 'fail'; readonly cause: Error; readonly why?: string };

/** A failover strategy as a pure function: one failure, one decision. */
export type FailoverRule = (failure: TaskFailure, topology: Topology) => FailoverDecision;

/** Adds labels to a failure, for events, logs and the receipt; does not affect the recovery (FLIP-304). */
export type FailureEnricher = (failure: TaskFailure) => Readonly<Record<string, string>>;
