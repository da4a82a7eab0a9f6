import { workers } from '../api/workers.ts';
import type { JobRunOptions } from '../run/run-options.ts';
import { CommandLineError, type Given } from './command.ts';

/** The options that say where the tasks of a job run. */
export const executorOptions = {
  workers: {
    type: 'string',
    value: 'N',
    about: 'run the tasks in N worker threads, which load the module too; default: in this thread',
  },
  executors: { type: 'string', value: 'N', about: 'run the tasks on N executors in this thread; default: 1' },
  slots: { type: 'string', value: 'N', about: 'tasks that an executor or a worker runs at once; default: no limit' },
  heartbeat: {
    type: 'string',
    value: 'MS[/MS]',
    about: 'time between heartbeats, and silence after which an executor is lost (2000/10000)',
  },
} as const;

type ExecutorValues = Given<typeof executorOptions>['values'];

/**
 * The run options that were given.
 * @throws CommandLineError
 */
export function executorsGiven(
  { workers: workerCount, executors, slots, heartbeat }: ExecutorValues,
  command: string,
): Pick<JobRunOptions, 'executors' | 'slots' | 'heartbeat'> {
  if (workerCount !== undefined && executors !== undefined) {
    throw new CommandLineError('--workers and --executors exclude each other: tasks run in one place', command);
  }
  const count = (option: string, given: string | undefined, what: string): number | undefined => {
    if (given === undefined) return undefined;
    if (/^[1-9]\d{0,2}$/.test(given)) return Number(given);
    throw new CommandLineError(`--${option} ${given}: expected the number of ${what}, for example 2`, command);
  };
  const threads = count('workers', workerCount, 'worker threads');
  return {
    executors: threads === undefined ? count('executors', executors, 'executors') : workers({ count: threads }),
    slots: count('slots', slots, 'slots'),
    heartbeat: heartbeatGiven(heartbeat, command),
  };
}

/** `2000/10000`, or `2000` alone. */
function heartbeatGiven(given: string | undefined, command: string): JobRunOptions['heartbeat'] {
  if (given === undefined) return undefined;
  const [, intervalMs, timeoutMs] = /^(\d+)(?:\/(\d+))?$/.exec(given) ?? [];
  if (Number(intervalMs) > 0) {
    return { intervalMs: Number(intervalMs), ...(timeoutMs !== undefined && { timeoutMs: Number(timeoutMs) }) };
  }
  throw new CommandLineError(`--heartbeat ${given}: expected MS or MS/MS, for example 2000/10000`, command);
}
