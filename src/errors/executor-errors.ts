import type { ExecutorId } from '../ids.ts';
import { KintsugiError, type Recovery } from './kintsugi-error.ts';

/** The slots that a region asked for, all at once. */
export interface AskedSlots {
  readonly slots: number;
  /** The names of its tasks: `map[2]`. */
  readonly tasks: readonly string[];
  /** How many of the slots are for each slot sharing group; those of tasks in no group have no name. */
  readonly groups: readonly { readonly name: string | undefined; readonly slots: number }[];
}

/** The slots that there are. */
export interface OfferedSlots {
  /** Of all executors; of those to come too, if they will never be enough. */
  readonly slots: number;
  readonly free: number;
  readonly executors: readonly { readonly executor: ExecutorId; readonly slots: number; readonly free: number }[];
}

/** The executors do not offer the slots that a region needs, in time or ever. Lists what it asked for, and what is there. */
export class NoResourceAvailableError extends KintsugiError {
  readonly code = 'NO_RESOURCE_AVAILABLE';
  /** `never` if waiting longer cannot help. */
  override readonly recovery: Recovery;
  readonly asked: AskedSlots;
  readonly offered: OfferedSlots;

  /** @param why what became of its tasks: `run at the same time, and …` */
  constructor(asked: AskedSlots, offered: OfferedSlots, why: string, recovery: Recovery = 'restart') {
    const offers = offered.slots === 1 ? '1 is' : `${offered.slots} are`;
    super(
      `A region needs ${counted(asked.slots, 'slot')}, ${offers} offered: ${listed(asked.tasks)} ${why}${sharingInWords(asked)}. There ${offeredInWords(offered)}. Raise \`slots\`, lower the parallelism, let operators share slots (\`slotSharingGroup\`), or split the region with an exchange other than pipelined`,
    );
    this.recovery = recovery;
    this.asked = asked;
    this.offered = offered;
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** The first of a list; how many more there are. */
function listed(names: readonly string[]): string {
  const named = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${named} and ${names.length - 4} more` : named;
}

function sharingInWords({ groups }: AskedSlots): string {
  if (groups.every(({ name }) => name === undefined)) return '';
  const parts = groups.map(
    ({ name, slots }) => `${slots} for ${name === undefined ? 'tasks in no group' : `"${name}"`}`,
  );
  return ` (by slot sharing group: ${listed(parts)})`;
}

function offeredInWords({ executors, free }: OfferedSlots): string {
  if (executors.length === 0) return 'is no executor';
  const each = executors.map(({ executor, slots, free: ofIt }) => `${executor}: ${ofIt} of ${slots} free`);
  const verb = executors.length === 1 ? 'is' : 'are';
  return `${verb} ${counted(executors.length, 'executor')} with ${counted(free, 'free slot')} (${listed(each)})`;
}

/** An executor speaks another version of the protocol than its master, so it gets no tasks. Names both. */
export class ProtocolVersionError extends KintsugiError {
  readonly code = 'PROTOCOL_VERSION';
  override readonly recovery = 'never';
  readonly executor: ExecutorId;
  /** The version of the executor, */
  readonly spoken: number;
  /** and that of the master. */
  readonly understood: number;

  constructor(executor: ExecutorId, spoken: number, understood: number) {
    super(
      `Executor ${executor} speaks version ${spoken} of the protocol, and its master version ${understood}: install the same version of kintsugi for both`,
    );
    this.executor = executor;
    this.spoken = spoken;
    this.understood = understood;
  }
}

/** An executor no longer runs an attempt that it was given, and never reported its end. */
export class AttemptVanishedError extends KintsugiError {
  readonly code = 'ATTEMPT_VANISHED';
  readonly executor: ExecutorId;
  readonly task: string;
  readonly attempt: number;

  constructor(executor: ExecutorId, task: string, attempt: number) {
    super(`Executor ${executor} does not run attempt ${attempt} of ${task} that it was given`);
    this.executor = executor;
    this.task = task;
    this.attempt = attempt;
  }
}

/** The executor of a task is lost, with all results it held in memory. */
export class ExecutorLostError extends KintsugiError {
  readonly code = 'EXECUTOR_LOST';
  readonly executor: ExecutorId;

  constructor(executor: ExecutorId, why: string) {
    super(`Task executor ${executor} is lost: ${why}`);
    this.executor = executor;
  }
}

/** A worker thread cannot start, and no other would. */
export class WorkerStartError extends KintsugiError {
  readonly code = 'WORKER_START';
  override readonly recovery = 'never';
  readonly executor: ExecutorId;

  constructor(executor: ExecutorId, why: string) {
    super(
      `${executor} cannot start: ${why}. A worker thread loads the module of the job: let it end there without running anything`,
    );
    this.executor = executor;
  }
}

/** A worker thread has made another job than the one that runs. Names the first difference. */
export class JobMismatchError extends KintsugiError {
  readonly code = 'JOB_MISMATCH';
  override readonly recovery = 'never';
  readonly job: string;
  readonly executor: ExecutorId;
  readonly difference: string;

  constructor(job: string, executor: ExecutorId, difference: string) {
    super(
      `The job "${job}" that ${executor} has loaded is not the one that runs: ${difference}. Name the module that makes it, and its parameters (\`workers({ module, params })\`), and let nothing else decide about its steps`,
    );
    this.job = job;
    this.executor = executor;
    this.difference = difference;
  }
}

/** A job is to run in worker threads, which load its module, and no module is known. The message shows how to write it. */
export class JobOriginError extends KintsugiError {
  readonly code = 'JOB_ORIGIN';
  override readonly recovery = 'never';
  readonly job: string;

  constructor(job: string) {
    super(
      `Worker threads load the job "${job}" from its module, which is not known. Write the job in a module of its own, here job.js:
  export default defineJob((params) => {
    const job = Job.create('${job}');
    …
    return job;
  });
and name it where it runs:
  import defined from './job.js';
  defined(params).run({ executors: workers({ module: new URL('./job.js', import.meta.url) }) });`,
    );
    this.job = job;
  }
}

/** A module runs its job while a worker thread loads it, which would run it again in each worker. */
export class RunInWorkerError extends KintsugiError {
  readonly code = 'RUN_IN_WORKER';
  override readonly recovery = 'never';
  readonly job: string;
  /** The path of the module. */
  readonly module: string;

  constructor(job: string, module: string) {
    super(
      `${module} runs the job "${job}" while a worker thread loads it. Run it in the main thread only (\`if (isMainThread) job.run()\`, with isMainThread of node:worker_threads), or in another module`,
    );
    this.job = job;
    this.module = module;
  }
}
