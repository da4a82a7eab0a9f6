import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobEvent } from '../../src/index.ts';
import { causeWithCode } from '../../src/errors/cause-chain.ts';
import { ExecutorLostError } from '../../src/errors/executor-errors.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import type { Damage } from './plans/chaos-plan.ts';

/** What a process tells of its failures. */
export type Told =
  | { readonly type: 'lost'; readonly executor: string; readonly why: string }
  | {
      readonly type: 'failed';
      readonly failover: number;
      /** The lost executor, if that was the cause. */
      readonly executor: string | undefined;
      /** Of a task elsewhere that was reading a result there, and that the decision about the loss did not restart. */
      readonly isReader: boolean;
      /** A task that was to reproduce its result elsewhere than its remains are. */
      readonly isApart: boolean;
      /** What lies damaged on disk, if that was the cause. */
      readonly damaged: Damage['of'] | undefined;
      readonly message: string;
    }
  | { readonly type: 'decided'; readonly failover: number }
  | { readonly type: 'status'; readonly status: string }
  /** It runs after another one, with so many components that continue from a checkpoint. */
  | { readonly type: 'continued'; readonly components: number }
  | { readonly type: 'checkpointed' | 'restored' }
  | { readonly type: 'drained'; readonly executor: string }
  | { readonly type: 'speculated'; readonly task: string };

export function toldOf(event: JobEvent): Told | undefined {
  switch (event.type) {
    case 'executor.lost':
      return { type: 'lost', executor: event.executor, why: event.cause.message };
    case 'task.failed': {
      const { failover, cause, task } = event;
      return {
        ...{ type: 'failed', failover, message: `${task}: ${cause.message}` },
        executor: cause instanceof ExecutorLostError ? cause.executor : undefined,
        isReader: cause instanceof PartitionLostError && cause.cause instanceof ExecutorLostError,
        isApart: cause instanceof PartitionLostError && cause.message.endsWith('has no free slot'),
        damaged: damagedIn(cause),
      };
    }
    case 'failover.decided':
    case 'failover.refused':
      return { type: 'decided', failover: event.failover };
    case 'job.statusChanged':
      return { type: 'status', status: event.status };
    case 'job.resumed': {
      const components = event.checkpoints?.filter(({ checkpoint }) => checkpoint !== undefined).length ?? 0;
      return { type: 'continued', components };
    }
    case 'checkpoint.completed':
      return { type: 'checkpointed' };
    case 'checkpoint.restored':
      return { type: 'restored' };
    case 'executor.drained':
      return { type: 'drained', executor: event.executor };
    case 'task.speculated':
      return { type: 'speculated', task: event.task };
    default:
      return undefined;
  }
}

function damagedIn(cause: Error): Damage['of'] | undefined {
  if (cause instanceof PartitionLostError) return cause.location && 'results';
  const codes = ['CHECKPOINT_UNREADABLE', 'NO_CHECKPOINT_LEFT'];
  return codes.some((code) => causeWithCode(cause, code) !== undefined) ? 'checkpoints' : undefined;
}

/** What a process told, in order; without its last line, if it was killed while it wrote it. */
export function toldIn(marks: string): Told[] {
  const path = join(marks, 'told');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Told);
}

/** How a death shows in the loss of its worker. */
const marksOfDeaths: Readonly<Record<string, RegExp>> = {
  terminate: /it was killed on purpose$/,
  exit: /its thread ended by process\.exit\(3\)$/,
  throw: /an error was not caught in its thread: struck$/,
  rejection: /an error was not caught in its thread: struck$/,
  // Unless that takes too long.
  memory: /it ran out of memory|it was in one call for more than/,
  loop: /it was in one call for more than/,
};

/** Deaths of workers, and what became of them. */
export interface Losses {
  /** Deaths that were inflicted, */
  readonly inflicted: number;
  /** those that the run noticed before it ended, */
  readonly noticed: number;
  /** those that cost a running task, */
  readonly costly: number;
  /** and failures of tasks elsewhere that were decided apart. */
  readonly readers: number;
  readonly problems: readonly string[];
}

/**
 * Compares the losses of executors with the deaths that were inflicted: each loss has its death, each is at most one
 * failure, and each failure one decision.
 *
 * @param claimed `0 exit`: the deaths that were inflicted
 * @param state whether the process has ended by itself, and what had been damaged before
 */
export function lossesOf(
  told: readonly Told[],
  claimed: readonly string[],
  { hasEnded, damaged }: { readonly hasEnded: boolean; readonly damaged: ReadonlySet<Damage['of']> },
): Losses {
  const problems: string[] = [];
  const kinds = claimed.map((claim) => claim.split(' ')[1] as string);
  // A loop can end in one manner only.
  const open = [...kinds].sort((a, b) => (a === 'memory' ? 1 : 0) - (b === 'memory' ? 1 : 0));
  const lost = told.filter((one) => one.type === 'lost');
  const failed = told.filter((one) => one.type === 'failed');
  const decided = told.filter((one) => one.type === 'decided').map(({ failover }) => failover);
  let costly = 0;
  for (const { executor, why } of lost) {
    const index = open.findIndex((kind) => marksOfDeaths[kind]?.test(why));
    if (index === -1) problems.push(`lost although nothing was done to it: ${why}`);
    else open.splice(index, 1);
    const failures = failed.filter((failure) => failure.executor === executor);
    if (failures.length > 0) costly++;
    if (failures.length > 1) problems.push(`${failures.length} failures: ${why}`);
  }
  for (const { executor, message, failover, isReader, isApart, damaged: found } of failed) {
    const count = decided.filter((one) => one === failover).length;
    if (count > 1 || (count === 0 && hasEnded)) problems.push(`${count} decisions: ${message}`);
    if (executor === undefined && !isReader && !isApart && !(found !== undefined && damaged.has(found)))
      problems.push(`not because of a lost worker: ${message}`);
  }
  const readers = failed.filter(({ isReader }) => isReader).length;
  return { inflicted: kinds.length, noticed: lost.length, costly, readers, problems };
}
