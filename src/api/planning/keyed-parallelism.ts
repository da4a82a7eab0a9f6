import { JobValidationError } from '../../errors/usage-errors.ts';
import type { Partitioning } from '../../operators/operator-description.ts';
import { keyGroupCount } from '../../partitions/records/key-hash.ts';

/** @throws JobValidationError if records are divided by key among more tasks than there are key groups */
export function checkKeyedParallelism(
  edges: readonly { readonly target: string; readonly partitioning: Partitioning }[],
  parallelismOf: (vertex: string) => number,
): void {
  for (const { target, partitioning } of edges) {
    if (partitioning.kind !== 'hash' || parallelismOf(target) <= keyGroupCount) continue;
    throw new JobValidationError(
      [target],
      `"${target}" reads by key and should run at parallelism ${parallelismOf(target)}, but keys are divided among at most ${keyGroupCount} tasks`,
      `Lower its parallelism to ${keyGroupCount}`,
    );
  }
}
