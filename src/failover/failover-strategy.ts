import { IllegalStateError } from '../errors/usage-errors.ts';
import type { FailurePlace } from '../failure-place.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { Topology } from '../graph/topology.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';

/** An attempt that failed. */
export interface FailedTask {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
}

/** A failure as rules, strategies and backoffs see it. */
export interface TaskFailure {
  /** The task that failed; undefined for a global failure, which concerns the job as a whole. */
  readonly vertex: ExecutionVertexId | undefined;
  readonly attempt: AttemptNumber | undefined;
  /**
   * With a lost executor, tasks of several regions fail as one: one task of each further region. Their regions restart
   * too, even if a strategy names only that of `vertex`.
   */
  readonly alsoFailed?: readonly FailedTask[];
  readonly cause: Error;
  /** Where in the task it failed, if known. */
  readonly place?: FailurePlace | undefined;
  /** When the failure was noticed, on the environment's clock. */
  readonly atMs: number;
  /** The lost results that the cause names; they must be produced again. */
  readonly lostPartitions: readonly PartitionId[];
}

/**
 * The regions whose tasks failed: none for a global failure, several if an executor was lost.
 * @throws IllegalStateError for an unknown task
 */
export function failedRegions(
  { vertex, alsoFailed = [] }: Pick<TaskFailure, 'vertex' | 'alsoFailed'>,
  regions: Pick<PipelinedRegions, 'regionOf'>,
): Set<RegionId> {
  if (vertex === undefined) return new Set();
  const failed = new Set<RegionId>();
  for (const task of [vertex, ...alsoFailed.map((other) => other.vertex)]) {
    const region = regions.regionOf(task) as RegionId | undefined;
    if (region === undefined) throw new IllegalStateError(`There is no task ${task} in this job`);
    failed.add(region);
  }
  return failed;
}

/** The decision about a failure. */
export type FailoverDecision =
  | { readonly kind: 'restart'; readonly regions: readonly RegionId[]; readonly why?: string }
  | { readonly kind: 'fail'; readonly cause: Error; readonly why?: string };

/** A failover strategy as a pure function: one failure, one decision. */
export type FailoverRule = (failure: TaskFailure, topology: Topology) => FailoverDecision;

/** Adds labels to a failure, for events, logs and the receipt; does not affect the recovery (FLIP-304). */
export type FailureEnricher = (failure: TaskFailure) => Readonly<Record<string, string>>;
