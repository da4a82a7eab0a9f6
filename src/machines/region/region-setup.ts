import { type ActorRef, assign, type Snapshot, sendTo, setup } from 'xstate';
import type { DelayElapsedEvent, DelayInput } from '../../actors/delay-actor.ts';
import type {
  ExecutionToRegionEvent,
  MasterToRegionEvent,
  RegionToExecutionEvent,
  RegionToMasterEvent,
} from '../../actors/chart-events.ts';
import type { RegionState } from '../../actors/protocol/states.ts';
import type { Clock } from '../../environment.ts';
import type { NoResourceAvailableError } from '../../errors/executor-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { FailureClass } from '../../failover/failure-classifier.ts';
import { modeByPlan, planAfter, type RestartPlan } from '../../failover/restart-plan.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, FailoverId, RegionId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-offers.ts';
import type { ExecutionActorRef, ExecutionParentRef } from '../execution/execution-machine.ts';
import { enqueueWith } from '../enqueue-with.ts';
import { placeholder, placeholderActor } from '../placeholder.ts';

/** The parent of regions: the job master. */
export type RegionParentRef = ActorRef<Snapshot<unknown>, RegionToMasterEvent>;

/** Settings shared by all regions of a job. */
export interface RegionSurroundings {
  readonly master: RegionParentRef;
  readonly clock: Clock;
  readonly slotRequestTimeoutMs: number;
  readonly cancellationTimeoutMs: number;
  /** The error of tasks that did not get their slots. */
  readonly lackOfSlots: (tasks: ArrayLike<number>, why: string) => NoResourceAvailableError;
  /** Creates and starts one execution per vertex, in order. */
  readonly spawnExecutions: (
    parent: ExecutionParentRef,
    vertices: ArrayLike<number>,
    attempt: AttemptNumber,
  ) => readonly ExecutionActorRef[];
  /** Creates and starts a second execution of a task beside the first. */
  readonly spawnRival: (
    parent: ExecutionParentRef,
    vertex: ExecutionVertexId,
    attempt: AttemptNumber,
    executor: ExecutorId,
  ) => ExecutionActorRef;
  /** The class of a failure of a task. */
  readonly classOf: (vertex: ExecutionVertexId, cause: Error) => FailureClass['kind'];
}

export interface RegionInput {
  readonly region: RegionId;
  /** In topological order. */
  readonly vertices: ArrayLike<number>;
  /** Whether other regions wait for single tasks of this one to finish. */
  readonly feedsRegions: boolean;
  /** One shared object, because each region retains it. */
  readonly job: RegionSurroundings;
}

export interface RegionContext extends RegionInput {
  /** The attempt of every task of the region. */
  attempt: AttemptNumber;
  /** The highest number of an attempt; another one than `attempt` if there was a second attempt. */
  lastAttempt: AttemptNumber;
  /** Whether that attempt writes new results or reproduces those of an earlier one. */
  plan: RestartPlan;
  /** Parallel to `vertices`. While the only task has a rival, that is the second one. */
  executions: readonly ExecutionActorRef[];
  /** The number of attempts that have reported running, that have finished, and that have ended in any way. */
  upCount: number;
  finishedCount: number;
  endedCount: number;
  /** The failover that restarts it, until it runs again. */
  failover: FailoverId | undefined;
  restartAtMs: number;
}

export type RegionEvent = MasterToRegionEvent | ExecutionToRegionEvent | DelayElapsedEvent;

type EventOf<Type extends RegionEvent['type']> = Extract<RegionEvent, { type: Type }>;

const toMaster = ({ context }: { context: RegionContext }): RegionParentRef => context.job.master;
const firstExecution = ({ context }: { context: RegionContext }) => context.executions[0] as ExecutionActorRef;

/** The tasks of a region that have not ended. */
function hanging({ executions, vertices }: RegionContext): ExecutionVertexId[] {
  const tasks = executions.flatMap((execution, index) =>
    execution.getSnapshot().hasTag('active') ? [vertices[index] ?? vertices[0]] : [],
  );
  return [...new Set(tasks as ExecutionVertexId[])];
}

const base = setup({
  types: {} as {
    context: RegionContext;
    events: RegionEvent;
    input: RegionInput;
    tags: 'active' | 'terminal' | 'restarting';
  },
  actors: { delay: placeholderActor<DelayInput>('region', 'delay') },
  guards: {
    hasSlots: (_, { slots }: { slots: readonly Slot[] | undefined }) => slots !== undefined,
    isCurrentRegistration: ({ context }, { token }: { token: number }) => token === context.attempt,
    isLastToRun: ({ context }) => context.upCount + 1 === context.vertices.length,
    isLastToFinish: ({ context }) => context.finishedCount + 1 === context.vertices.length,
    haveAllFinished: ({ context }) => context.finishedCount === context.executions.length,
    hasEnded: ({ context }) => context.endedCount === context.executions.length,
    mayRestart: ({ context }) =>
      context.endedCount === context.executions.length && context.restartAtMs <= context.job.clock.now(),
  },
  actions: {
    /** Tells observers that a state was entered. */
    recordState: (_, _params: { state: RegionState }) => placeholder('region', 'recordState'),
    /** Registers the partitions of this attempt; answers with `region.partitionsRegistered` or `…Failed`, token = attempt. */
    registerPartitions: (_, _params: { slots: readonly Slot[] }) => placeholder('region', 'registerPartitions'),
    /** Registers the results of an earlier run that it adopts; answers as above. */
    registerAdopted: (_, _params: Pick<EventOf<'region.restore'>, 'executor' | 'stored'>) =>
      placeholder('region', 'registerAdopted'),
    /**
     * Releases the results of finished tasks before their next attempt. If the region reproduces them, only results
     * that do not outlive their task are released.
     */
    releaseFinishedPartitions: () => placeholder('region', 'releaseFinishedPartitions'),
  },
});

const enqueueActions = enqueueWith(base.enqueueActions);

const tell = (commandOf: (context: RegionContext) => RegionToExecutionEvent) =>
  base.enqueueActions(({ context, enqueue }) => {
    const command = commandOf(context);
    for (const execution of context.executions) enqueue.sendTo(execution, command);
  });

/** The implementations that the region chart names: events to its executions and the master, and counters. */
export const regionSetup = base.extend({
  actions: {
    createExecutions: assign(({ context: { job, vertices, attempt }, self }) => ({
      executions: job.spawnExecutions(self, vertices, attempt),
    })),
    replaceExecutions: base.enqueueActions(({ context, enqueue }) => {
      for (const execution of context.executions) enqueue.stopChild(execution);
      enqueue.assign(({ context: { lastAttempt, job, vertices }, self }) => {
        const next = (lastAttempt + 1) as AttemptNumber;
        return {
          attempt: next,
          lastAttempt: next,
          executions: job.spawnExecutions(self, vertices, next),
          upCount: 0,
          finishedCount: 0,
          endedCount: 0,
        };
      });
    }),
    scheduleExecutions: enqueueActions(({ context, enqueue }, { slots }: { slots: readonly Slot[] | undefined }) => {
      for (const [index, execution] of context.executions.entries()) {
        enqueue.sendTo(execution, { type: 'execution.schedule', slot: slots?.[index] });
      }
    }),
    assignSlots: enqueueActions(({ context, enqueue }, { slots }: { slots: readonly Slot[] }) => {
      for (const [index, slot] of slots.entries()) {
        enqueue.sendTo(context.executions[index] as ExecutionActorRef, { type: 'execution.assignSlot', slot });
      }
    }),
    deployExecutions: tell(({ plan }) => ({ type: 'execution.deploy', mode: modeByPlan[plan] })),
    /** Lets the sinks of its only task commit. */
    letCommit: sendTo(firstExecution, { type: 'execution.commit' }),
    restoreExecutions: tell(() => ({ type: 'execution.restore' })),
    cancelExecutions: tell(() => ({ type: 'execution.cancel' })),
    suspendExecutions: tell(() => ({ type: 'execution.suspend' })),
    failForWantOfSlots: sendTo(firstExecution, ({ context: { vertices, job } }) => ({
      type: 'execution.fail',
      cause: job.lackOfSlots(vertices, `did not get them within ${job.slotRequestTimeoutMs} ms`),
    })),
    failUnregistered: enqueueActions(
      (
        { context, enqueue },
        { producer, cause }: Pick<EventOf<'region.partitionRegistrationFailed'>, 'producer' | 'cause'>,
      ) => {
        const index = Array.prototype.indexOf.call(context.vertices, producer);
        enqueue.sendTo(context.executions[index] as ExecutionActorRef, { type: 'execution.fail', cause });
      },
    ),

    countUp: assign({ upCount: ({ context }) => context.upCount + 1 }),
    countFinished: assign({
      finishedCount: ({ context }) => context.finishedCount + 1,
      endedCount: ({ context }) => context.endedCount + 1,
    }),
    countEnded: assign({ endedCount: ({ context }) => context.endedCount + 1 }),

    /**
     * Its attempt begins to write. Assigns only on change, because a job with ten thousand regions starts with this.
     */
    beginPlan: base.enqueueActions(({ context, enqueue }) => {
      const plan = planAfter[context.plan].begin;
      if (plan !== context.plan) enqueue.assign({ plan });
    }),
    followFailover: enqueueActions(
      (
        { context, enqueue },
        {
          failover,
          restartAtMs = 0,
          mode,
        }: Omit<EventOf<'region.quarantine'>, 'type'> & Partial<Pick<EventOf<'region.restart'>, 'restartAtMs'>>,
      ) => {
        const { region, plan, job } = context;
        if (context.failover !== undefined) {
          enqueue.sendTo(job.master, { type: 'region.overtaken', region, failover: context.failover });
        }
        enqueue.assign({ failover, restartAtMs, plan: planAfter[plan][mode] });
      },
    ),
    skipBackoff: assign({ restartAtMs: 0 }),
    reportRestarting: sendTo(toMaster, ({ context }) => ({
      type: 'region.restarting',
      region: context.region,
      failover: context.failover as FailoverId,
      wasFinished: context.finishedCount === context.executions.length,
    })),
    reportRestarted: sendTo(toMaster, ({ context }) => ({
      type: 'region.restarted',
      region: context.region,
      failover: context.failover as FailoverId,
    })),
    reportQuarantined: sendTo(toMaster, ({ context: { region } }) => ({ type: 'region.quarantined', region })),
    reportReleased: sendTo(toMaster, ({ context: { region } }) => ({ type: 'region.released', region })),
    reportRecovered: base.enqueueActions(({ context: { failover, job, region }, enqueue }) => {
      if (failover === undefined) return;
      enqueue.sendTo(job.master, { type: 'region.recovered', region, failover });
      enqueue.assign({ failover: undefined });
    }),
    reportTaskFailed: sendTo(
      toMaster,
      ({ context: { region } }, { vertex, attempt, cause, place }: Omit<EventOf<'execution.failed'>, 'type'>) => ({
        type: 'region.taskFailed',
        region,
        vertex,
        attempt,
        cause,
        place,
      }),
    ),
    /** The task was not told to end, so it has not done its work. R7 */
    reportTaskCanceled: sendTo(
      toMaster,
      ({ context: { region, attempt } }, { vertex }: { vertex: ExecutionVertexId }) => ({
        type: 'region.taskFailed',
        region,
        vertex,
        attempt,
        cause: new IllegalStateError('The task was canceled without a request'),
      }),
    ),
    reportTaskFinished: enqueueActions(
      ({ context: { feedsRegions, job, region }, enqueue }, { vertex }: { vertex: ExecutionVertexId }) => {
        if (feedsRegions) enqueue.sendTo(job.master, { type: 'region.taskFinished', region, vertex });
      },
    ),
    reportFinished: sendTo(toMaster, ({ context: { region } }) => ({ type: 'region.finished', region })),
    reportHalted: sendTo(toMaster, ({ context: { region } }) => ({ type: 'region.halted', region })),
    reportCancellationTimedOut: sendTo(toMaster, ({ context }) => ({
      type: 'region.cancellationTimedOut',
      region: context.region,
      vertices: hanging(context),
    })),
    reportInexplicable: sendTo(toMaster, ({ context: { region } }, { cause }: { cause: Error }) => ({
      type: 'region.inexplicable',
      region,
      cause,
    })),
  },
});

/** States that only group others, and the watch over ending attempts. Neither is reported to observers. */
export const regionGroups = ['live', 'halting', 'purpose', 'attempts', 'awaited', 'ended'] as const;
