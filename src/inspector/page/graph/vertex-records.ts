import type { ExecutionVertexId } from '../../../ids.ts';
import type { StorageUse } from '../../../run/storage-use.ts';
import type { RunPicture } from '../../recording/run-picture.ts';

/** What the tasks of a job vertex read and wrote, and how often they wait for room. */
export interface VertexRecords {
  recordsIn: number;
  recordsOut: number;
  /** 0–1 */
  backPressure: number;
}

/**
 * Records by job vertex, over all attempts: by the latest sample, or by the attempts that have ended if these moved
 * more. O(attempts)
 */
export function recordsByVertex({ attempts, samples, shape }: RunPicture): VertexRecords[] {
  const { graph } = shape;
  const moved = graph.jobGraph.vertices.map(() => ({ recordsIn: 0, recordsOut: 0, backPressure: 0 }));
  for (let row = 0; row < attempts.size; row++) {
    const vertex = moved[graph.jobVertexIndexOf(attempts.task.at(row) as ExecutionVertexId)] as VertexRecords;
    vertex.recordsIn += attempts.recordsIn.at(row);
    vertex.recordsOut += attempts.recordsOut.at(row);
  }
  for (const [index, sample] of samples.latest?.vertices.entries() ?? []) {
    const vertex = moved[index];
    if (vertex === undefined) continue;
    vertex.recordsIn = Math.max(vertex.recordsIn, sample.recordsIn);
    vertex.recordsOut = Math.max(vertex.recordsOut, sample.recordsOut);
    if (attempts.countOf(index, 'running') > 0) vertex.backPressure = sample.backPressure;
  }
  return moved;
}

/** The results that an edge holds now; undefined if it holds none. */
export function storageOfEdge({ samples, shape }: RunPicture, edge: number): StorageUse | undefined {
  const { source, target, exchange } = shape.graph.jobGraph.edges[edge] ?? {};
  return samples.latest?.storage.find(
    (use) => use.source === source && use.target === target && use.exchange === exchange?.name,
  );
}

/** What the memory of an exchange says whose records pass from task to task as they are: there are no bytes to count. */
export const byReference = 'by reference';

export function isByReference({ run }: RunPicture, edge: number): boolean {
  return run.edges[edge]?.exchange === 'pipelined';
}
