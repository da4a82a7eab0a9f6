import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { isWorkerThreads, type WorkerThreads } from '../../executors/workers/worker-threads.ts';
import { checkInteger } from '../../options.ts';

/** Where the tasks of a run are: a number of executors in this process, or what `workers()` returns. */
export type ExecutorsOption = number | WorkerThreads;

/** @throws InvalidArgumentError */
export function resolveExecutors(given: ExecutorsOption | undefined): ExecutorsOption {
  if (given === undefined) return 1;
  if (isWorkerThreads(given)) return given;
  if (typeof given !== 'number') {
    throw new InvalidArgumentError('executors', given, 'a number of executors in this process, or workers({ count })');
  }
  checkInteger('executors', given, 1, 1_000);
  return given;
}
