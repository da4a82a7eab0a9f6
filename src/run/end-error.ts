import type { JobStatus } from '../actors/protocol/states.ts';
import { JobCanceledError, JobFailedError, JobIncompleteError } from '../errors/job-errors.ts';
import type { RegionId, RunId } from '../ids.ts';
import type { JobMasterContext } from '../machines/job-master/job-master-setup.ts';
import type { JobShape } from './folds/job-shape.ts';
import type { RunFolds } from './folds/run-folds.ts';
import type { StoppedOutput } from './savepoints/stopped-output.ts';

/** Why a job was stopped. */
export interface StopReason {
  readonly reason: unknown;
  /** The savepoint with which it was stopped; undefined without one. */
  readonly savepoint?: string | undefined;
}

/** How a job ended that did not finish. */
export interface JobEnd {
  readonly run: RunId;
  readonly shape: JobShape;
  readonly folds: Pick<RunFolds, 'receipt' | 'snapshot'>;
  readonly status: JobStatus;
  readonly savepoints: { readonly stopped: Pick<StoppedOutput, 'failure'> };
  /** undefined if it was not stopped. */
  readonly stopped: StopReason | undefined;
  readonly failure: JobMasterContext['failure'] | undefined;
}

/** Why a job did not finish. */
export function endError(end: JobEnd): JobCanceledError | JobFailedError | JobIncompleteError {
  const { run, shape, status, stopped, savepoints, failure } = end;
  if (status === 'canceled') {
    const { reason = savepoints.stopped.failure, savepoint } = stopped ?? {};
    return new JobCanceledError(shape.job, { run, savepoint, ...(reason !== undefined && { cause: reason }) });
  }
  if (status === 'incomplete') return incompleteError(end);
  const { vertex, cause = new Error('unknown'), why = status, place } = failure ?? {};
  const task = vertex === undefined ? undefined : shape.graph.nameOf(vertex as never);
  return new JobFailedError(shape.job, task, why, { cause, place, run });
}

function incompleteError({ run, folds, shape }: JobEnd): JobIncompleteError {
  const { quarantined } = folds.receipt;
  const isQuarantined = new Set(quarantined.map(({ region }) => region));
  const heldUp: string[] = [];
  for (let region = 0 as RegionId; region < shape.regions.count; region++) {
    if (isQuarantined.has(region) || folds.snapshot.hasFinished(region)) continue;
    for (const vertex of shape.regions.verticesOf(region)) heldUp.push(shape.graph.nameOf(vertex as never));
  }
  return new JobIncompleteError(shape.job, { quarantined, heldUp }, { run });
}
