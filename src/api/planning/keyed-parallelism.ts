import { JobValidationError } from '../../errors/usage-errors.ts';
import { keyGroupCount } from '../../partitions/records/key-hash.ts';

/** @throws JobValidationError for a vertex that reads by key and has more tasks than there are key groups */
export function checkKeyedParallelism({
  id,
  parallelism,
}: {
  readonly id: string;
  readonly parallelism: number;
}): void {
  if (parallelism <= keyGroupCount) return;
  throw new JobValidationError(
    [id],
    `"${id}" reads by key and should run at parallelism ${parallelism}, but keys are divided among at most ${keyGroupCount} tasks`,
    `Lower its parallelism to ${keyGroupCount}`,
  );
}
