import { assign, setup } from 'xstate';
import type { KeptResult } from '../../actors/protocol/deployment.ts';
import type { JobStatus } from '../../actors/protocol/states.ts';
import type {
  CheckpointsToMasterEvent,
  ExecutorToMasterEvent,
  FailoverToMasterEvent,
  KeepingToMasterEvent,
  RegionToMasterEvent,
} from '../../actors/chart-events.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import type { ExecutionVertexId, FailoverId, PartitionId, RegionId } from '../../ids.ts';
import type { PipelinedRegionScheduling } from '../../scheduling/pipelined-region-scheduling.ts';
import { placeholder } from '../placeholder.ts';

/** Commands of the handle of the run. */
export type JobCommand =
  | { readonly type: 'job.start' }
  | { readonly type: 'job.cancel' }
  | { readonly type: 'job.suspend'; readonly cause: Error }
  /** The user restarts a task, with all that must restart with it: without a strategy, a backoff, or a delay. */
  | { readonly type: 'job.restartTask'; readonly vertex: ExecutionVertexId }
  /** The user restarts a quarantined region. */
  | { readonly type: 'job.releaseRegion'; readonly region: RegionId }
  /** The user ends the backoff of a region that is about to restart. */
  | { readonly type: 'job.skipBackoff'; readonly region: RegionId }
  /** Fault injection: the running attempt of a task fails, or waits before each batch; a result is lost. */
  | { readonly type: 'job.failTask'; readonly vertex: ExecutionVertexId; readonly cause: Error }
  | { readonly type: 'job.slowTask'; readonly vertex: ExecutionVertexId; readonly delayMs: number }
  | { readonly type: 'job.losePartition'; readonly partition: PartitionId; readonly cause: Error }
  /** A failure outside any task: every region restarts, if the backoff allows. */
  | { readonly type: 'job.globalFailure'; readonly cause: Error };

export type JobMasterEvent =
  | JobCommand
  /** Sent to itself on start, because XState computes the initial state before any listener is attached. */
  | { readonly type: 'job.initialize' }
  | RegionToMasterEvent
  | FailoverToMasterEvent
  | KeepingToMasterEvent
  | CheckpointsToMasterEvent
  /** It is time to look for slow tasks. */
  | { readonly type: 'speculation.due' }
  /** Slots were released while regions wait for slots. */
  | { readonly type: 'slots.returned' }
  | Exclude<ExecutorToMasterEvent, { type: `task.${string}` | `partitions.${string}` }>;

export interface JobMasterInput {
  readonly regionCount: number;
  /** Whether results are to be kept beyond the job. */
  readonly keepsResults: boolean;
  /** How many regions are quarantined, by decision. */
  readonly decisions: { readonly stoppedCount: number };
  /** The regions' turns. */
  readonly turns: Pick<PipelinedRegionScheduling, 'waitingCount' | 'absentCount'>;
}

export interface JobMasterContext extends JobMasterInput {
  finishedCount: number;
  restartingCount: number;
  /** Number of restarting regions that are quarantined and whose attempts have ended. */
  quarantinedCount: number;
  /** Number of regions that have ended on command. */
  haltedCount: number;
  /** The results that outlive the job. */
  kept: readonly KeptResult[];
  /** Why the job failed or was suspended. */
  failure:
    | ({ readonly cause: Error; readonly vertex: number | undefined; readonly why: string } & Pick<
        TaskFailure,
        'place'
      >)
    | undefined;
}

/** An event of the job master without its type, as the params of an action. */
export type Told<Type extends JobMasterEvent['type']> = Omit<Extract<JobMasterEvent, { type: Type }>, 'type'>;

/** The failed task; without a vertex, the job as a whole. */
export type Failed = Pick<TaskFailure, 'vertex' | 'attempt' | 'alsoFailed' | 'place' | 'cause'>;

/** The actions and guards that the job master chart names: its counters, and the provided implementations. */
export const masterSetup = setup({
  types: {} as {
    context: JobMasterContext;
    events: JobMasterEvent;
    input: JobMasterInput;
    tags: 'terminal' | 'restarting';
  },
  actions: {
    /** Tells observers that a status was entered. */
    recordState: (_, _params: { state: JobStatus }) => placeholder('job master', 'recordState'),
    createRegions: () => placeholder('job master', 'createRegions'),

    /**
     * Schedules every region whose inputs are ready; fails the job if a region needs more slots than there will ever
     * be.
     */
    startScheduling: () => placeholder('job master', 'startScheduling'),
    /** Records a finished task's results and schedules the regions that waited for them. */
    scheduleConsumers: (_, _params: { vertex: ExecutionVertexId }) => placeholder('job master', 'scheduleConsumers'),
    /** Schedules a restarted region as soon as its inputs are ready. */
    rescheduleRegion: (_, _params: { region: RegionId; failover: FailoverId }) =>
      placeholder('job master', 'rescheduleRegion'),
    /** Grants released slots to waiting regions. */
    grantSlots: () => placeholder('job master', 'grantSlots'),
    /** A failed region requests no slots: it would not use them, and no one would release them. */
    withdrawRequest: (_, _params: { region: RegionId }) => placeholder('job master', 'withdrawRequest'),
    addExecutor: (_, _params: Told<'executor.registered'>) => placeholder('job master', 'addExecutor'),
    removeExecutor: (_, _params: Told<'executor.lost'>) => placeholder('job master', 'removeExecutor'),
    /** A draining executor offers no slots any more. */
    retireExecutor: (_, _params: Told<'executor.draining'>) => placeholder('job master', 'retireExecutor'),
    /** Tells observers that it has stopped. */
    noteDrained: (_, _params: Told<'executor.drained'>) => placeholder('job master', 'noteDrained'),
    /** Fails the job if an unfinished region needs more slots than there will ever be. */
    failIfSomeNeverFit: () => placeholder('job master', 'failIfSomeNeverFit'),

    /** Opens a failover for a failure of a task or of the job. */
    openFailover: (_, _params: { failed: Failed }) => placeholder('job master', 'openFailover'),
    /** Opens a failover for all regions of a component whose checkpoints fail. */
    restartComponent: (_, _params: Told<'checkpoints.failed'>) => placeholder('job master', 'restartComponent'),
    /** Collects the failures caused by the loss of an executor, from now on. */
    beginLoss: (_, _params: Told<'executor.lost'>) => placeholder('job master', 'beginLoss'),
    /** Opens one failover for all of them. */
    openFailoverOfLoss: (_, _params: Told<'executor.tasksFailed'>) => placeholder('job master', 'openFailoverOfLoss'),
    /** Restarts the regions of a decided failover. */
    restartRegions: (_, _params: Told<'failover.decided'>) => placeholder('job master', 'restartRegions'),
    /** Tells a failover that one of its regions runs again or was taken over. */
    settleRegion: (_, _params: { failover: FailoverId; region: RegionId }) => placeholder('job master', 'settleRegion'),
    /** A failover is over: its regions run again, or nothing is restarted. */
    completeFailover: (_, _params: Told<'failover.completed'>) => placeholder('job master', 'completeFailover'),
    refuseFailover: (_, _params: Told<'failover.refused'>) => placeholder('job master', 'refuseFailover'),
    reportOverruled: (_, _params: Told<'failover.overruled'>) => placeholder('job master', 'reportOverruled'),
    /** Records a lost result before any consumer has failed on it. */
    losePartition: (_, _params: { partition: PartitionId; cause: Error }) => placeholder('job master', 'losePartition'),
    /** Opens a failover for a task that the user restarts. */
    restartOnRequest: (_, _params: Told<'job.restartTask'>) => placeholder('job master', 'restartOnRequest'),
    /** Opens a failover for a quarantined region that the user releases. */
    releaseRegion: (_, _params: Told<'job.releaseRegion'>) => placeholder('job master', 'releaseRegion'),
    skipBackoff: (_, _params: Told<'job.skipBackoff'>) => placeholder('job master', 'skipBackoff'),
    failTask: (_, _params: Told<'job.failTask'>) => placeholder('job master', 'failTask'),
    slowTask: (_, _params: Told<'job.slowTask'>) => placeholder('job master', 'slowTask'),
    /** Gives slow tasks a second attempt on another executor, as far as one has a slot that no region waits for. */
    speculate: () => placeholder('job master', 'speculate'),
    /** Disarms the timer of that. */
    stopSpeculating: () => placeholder('job master', 'stopSpeculating'),
    /** Ends the failover strategy and the backoffs. */
    stopAdvisors: () => placeholder('job master', 'stopAdvisors'),

    /** Releases results that a finished region was the last to read, at the time set by `keepResults` of their exchange. */
    releaseConsumed: (_, _params: { region: RegionId }) => placeholder('job master', 'releaseConsumed'),
    /** Releases results that were reproduced although every consumer had read them. */
    releaseReproduced: (_, _params: { vertex: ExecutionVertexId }) => placeholder('job master', 'releaseReproduced'),
    /** Disarms the timers that release results. */
    stopReleasing: () => placeholder('job master', 'stopReleasing'),
    /** Keeps results beyond the job; answered by `results.kept` or `results.keepFailed`. */
    keepResults: () => placeholder('job master', 'keepResults'),
    /** Tells observers why results could not be kept. */
    reportUnkept: (_, _params: Told<'results.keepFailed'>) => placeholder('job master', 'reportUnkept'),

    cancelRegions: () => placeholder('job master', 'cancelRegions'),
    suspendRegions: () => placeholder('job master', 'suspendRegions'),
    /** Quarantines the executors of hanging tasks. */
    abandonHangingTasks: (_, _params: { vertices: readonly ExecutionVertexId[] }) =>
      placeholder('job master', 'abandonHangingTasks'),

    countFinished: assign({ finishedCount: ({ context }) => context.finishedCount + 1 }),
    countHalted: assign({ haltedCount: ({ context }) => context.haltedCount + 1 }),
    countRestarting: assign(({ context }, { wasFinished }: { wasFinished: boolean }) => ({
      restartingCount: context.restartingCount + 1,
      finishedCount: context.finishedCount - (wasFinished ? 1 : 0),
    })),
    countRestarted: assign({ restartingCount: ({ context }) => context.restartingCount - 1 }),
    countQuarantined: assign({ quarantinedCount: ({ context }) => context.quarantinedCount + 1 }),
    countReleased: assign({ quarantinedCount: ({ context }) => context.quarantinedCount - 1 }),
    takeKept: assign((_, { kept }: Told<'results.kept'>) => ({ kept })),
    recordFailure: assign((_, failure: NonNullable<JobMasterContext['failure']>) => ({ failure })),
    forgetFailure: assign({ failure: undefined }),
  },
  guards: {
    hasFinished: ({ context }) => context.finishedCount === context.regionCount && context.restartingCount === 0,
    hasResultsToKeep: ({ context }) =>
      context.keepsResults && context.finishedCount === context.regionCount && context.restartingCount === 0,
    hasHalted: ({ context }) => context.finishedCount + context.haltedCount === context.regionCount,
    isRestarting: ({ context }) => context.restartingCount > context.quarantinedCount,
    hasRestarted: ({ context }) => context.restartingCount === context.quarantinedCount,
    isIncomplete: ({ context: { regionCount, finishedCount, restartingCount, quarantinedCount, decisions, turns } }) =>
      quarantinedCount > 0 &&
      [decisions.stoppedCount, turns.absentCount, restartingCount].every((count) => count === quarantinedCount) &&
      finishedCount + quarantinedCount + turns.waitingCount === regionCount,
  },
});
