import type { TaskFailure } from '../../failover/failover-strategy.ts';
import { type ActorRefFrom, setup } from 'xstate';
import type { KeptResult } from '../../actors/protocol/deployment.ts';
import type { JobStatus } from '../../actors/protocol/states.ts';
import type {
  ExecutorToMasterEvent,
  FailoverToMasterEvent,
  KeepingToMasterEvent,
  RegionToMasterEvent,
} from '../../actors/chart-events.ts';
import { placeholder } from '../placeholder.ts';
import { tapped } from '../state-tap.ts';

/**
 * The job master chart: the life of one job. It owns the job's status and decides when regions run, restart and end; it
 * talks to regions, failovers, task executors and the handle of the run. Details of single tasks stay in their regions:
 * it holds counts, and forwards each event to the actor concerned.
 *
 * J1 The job stays `running` while regions restart; the tag `restarting` says that some do.
 * J2 It is finished when every region is finished and none restarts.
 * J3 The last explicit decision wins: a cancel while failing cancels, a global failure while canceling fails.
 * J4 A terminal status is never left, and is entered only after the last attempt has ended; only `suspended` does not
 *   wait.
 * J5 A failure counts when it happens: it is recorded before any decision about it.
 * J6 If results outlive the job, it is `running` until all of them are kept, and then finished. A command to end it
 *   during that waits for the outcome. After any other end nothing is kept: stopping executors release the kept
 *   results.
 */

/** Commands of the handle of the run. */
export type JobCommand =
  | { readonly type: 'job.start' }
  | { readonly type: 'job.cancel' }
  | { readonly type: 'job.suspend'; readonly cause: Error }
  /** A failure outside any task: every region restarts, if the backoff allows. */
  | { readonly type: 'job.globalFailure'; readonly cause: Error };

export type JobMasterEvent =
  | JobCommand
  /** Sent to itself on start, because XState computes the initial state before any listener is attached. */
  | { readonly type: 'job.initialize' }
  | RegionToMasterEvent
  | FailoverToMasterEvent
  | KeepingToMasterEvent
  /** Slots were released while regions wait for slots. */
  | { readonly type: 'slots.returned' }
  | Exclude<ExecutorToMasterEvent, { type: `task.${string}` | `partitions.${string}` }>;

export interface JobMasterInput {
  readonly regionCount: number;
  /** Whether results are to be kept beyond the job. */
  readonly keepsResults: boolean;
}

export interface JobMasterContext extends JobMasterInput {
  finishedCount: number;
  restartingCount: number;
  /** Number of regions that have ended as told. */
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

const base = setup({
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
    scheduleConsumers: () => placeholder('job master', 'scheduleConsumers'),
    /** Schedules a restarted region as soon as its inputs are ready. */
    rescheduleRegion: () => placeholder('job master', 'rescheduleRegion'),
    /** Releases consumed results, at the time set by `keepResults` of their exchange. */
    releaseConsumedPartitions: () => placeholder('job master', 'releaseConsumedPartitions'),
    /** Opens a failover for a failure of a task or of the job. */
    openFailover: () => placeholder('job master', 'openFailover'),
    /** Restarts the regions of a decided failover. */
    restartRegions: () => placeholder('job master', 'restartRegions'),
    /** Tells a failover that one of its regions runs again or was taken over. */
    settleRegion: () => placeholder('job master', 'settleRegion'),
    /** Closes a failover and reports its cost. */
    closeFailover: () => placeholder('job master', 'closeFailover'),
    reportOverruled: () => placeholder('job master', 'reportOverruled'),
    /** Grants released slots to waiting regions. */
    grantSlots: () => placeholder('job master', 'grantSlots'),
    addExecutor: () => placeholder('job master', 'addExecutor'),
    removeExecutor: () => placeholder('job master', 'removeExecutor'),
    /** Fails the job if an unfinished region needs more slots than there will ever be. */
    failIfSomeNeverFit: () => placeholder('job master', 'failIfSomeNeverFit'),
    /** Opens a failover for each region that can no longer reproduce its results without the lost executor. */
    openFailoversOfUnable: () => placeholder('job master', 'openFailoversOfUnable'),
    /** Quarantines the executors of hanging tasks. */
    abandonHangingTasks: () => placeholder('job master', 'abandonHangingTasks'),
    /** Records a lost result before any consumer has failed on it. */
    losePartition: () => placeholder('job master', 'losePartition'),
    /** Keeps results beyond the job; answered by `results.kept` or `results.keepFailed`. */
    keepResults: () => placeholder('job master', 'keepResults'),
    /** Tells observers why results could not be kept. */
    reportUnkept: () => placeholder('job master', 'reportUnkept'),
    cancelRegions: () => placeholder('job master', 'cancelRegions'),
    /** Ends the failover strategy and the backoffs. */
    stopAdvisors: () => placeholder('job master', 'stopAdvisors'),
    suspendRegions: () => placeholder('job master', 'suspendRegions'),
  },
  guards: {
    hasFinished: ({ context }) => context.finishedCount === context.regionCount && context.restartingCount === 0,
    hasResultsToKeep: ({ context }) =>
      context.keepsResults && context.finishedCount === context.regionCount && context.restartingCount === 0,
    hasHalted: ({ context }) => context.finishedCount + context.haltedCount === context.regionCount,
    isRestarting: ({ context }) => context.restartingCount > 0,
  },
});

const { assign, sendTo } = base;

const masterSetup = base.extend({
  actions: {
    countFinished: assign({ finishedCount: ({ context }) => context.finishedCount + 1 }),
    countHalted: assign({ haltedCount: ({ context }) => context.haltedCount + 1 }),
    countRestarting: assign(({ context, event }) => ({
      restartingCount: context.restartingCount + 1,
      finishedCount: context.finishedCount - (event.type === 'region.restarting' && event.wasFinished ? 1 : 0),
    })),
    countRestarted: assign({ restartingCount: ({ context }) => context.restartingCount - 1 }),
    takeKept: assign(({ event }) => (event.type === 'results.kept' ? { kept: event.kept } : {})),
    recordFailure: assign(({ event }) => {
      switch (event.type) {
        case 'results.keepFailed':
          return { failure: { cause: event.cause, vertex: undefined, why: 'its results could not be kept' } };
        case 'failover.refused':
          return {
            failure: { cause: event.cause, vertex: event.failure.vertex, place: event.failure.place, why: event.why },
          };
        case 'job.suspend':
          return { failure: { cause: event.cause, vertex: undefined, why: 'the job was suspended' } };
        case 'job.globalFailure':
        case 'region.inexplicable':
          return { failure: { cause: event.cause, vertex: undefined, why: 'the job failed as a whole' } };
        default:
          return {};
      }
    }),
    forgetFailure: assign({ failure: undefined }),
  },
});

/** A command to end the job while results are being kept; it waits for the outcome. */
const keeping = {
  'results.kept': 'halting',
  'results.keepFailed': 'halting',
} as const;

const suspend = { 'job.suspend': { target: 'suspended', actions: 'recordFailure' } } as const;
const cancel = { 'job.cancel': { target: 'canceling', actions: 'forgetFailure' } } as const;
const failGlobally = { 'job.globalFailure': { target: 'failing', actions: 'recordFailure' } } as const;

const failWhileKeeping = { target: '#jobMaster.failing.keeping', actions: 'recordFailure' } as const;
const cancelWhileKeeping = { target: '#jobMaster.canceling.keeping', actions: 'forgetFailure' } as const;

/** Regions report their end; open failovers are abandoned. */
const ending = {
  'region.finished': { actions: 'countFinished' },
  'region.halted': { actions: 'countHalted' },
  'region.restarting': { actions: 'countRestarting' },
} as const;

const chart = masterSetup.createMachine({
  id: 'jobMaster',
  context: ({ input }) => ({
    ...input,
    finishedCount: 0,
    restartingCount: 0,
    haltedCount: 0,
    kept: [],
    failure: undefined,
  }),
  on: {
    'executor.registered': { actions: 'addExecutor' },
    'executor.lost': { actions: 'removeExecutor' },
    'region.cancellationTimedOut': { actions: 'abandonHangingTasks' },
  },
  initial: 'initializing',
  states: {
    initializing: {
      entry: sendTo(({ self }) => self, { type: 'job.initialize' }),
      on: {
        'job.initialize': { target: 'created', actions: 'createRegions' },
        // Ended before it began: there is nothing to wait for.
        'job.cancel': 'canceled',
        'job.suspend': { target: 'suspended', actions: 'recordFailure' },
        'job.globalFailure': { target: 'failed', actions: 'recordFailure' },
      },
    },
    created: {
      on: { ...cancel, ...suspend, ...failGlobally, 'job.start': 'running' },
    },
    running: {
      entry: 'startScheduling',
      on: {
        ...cancel,
        ...suspend,
        'job.globalFailure': { actions: 'openFailover' },
        'region.inexplicable': { actions: 'openFailover' },
        'region.taskFailed': { actions: 'openFailover' },
        'region.taskFinished': { actions: 'scheduleConsumers' },
        'region.finished': { actions: ['countFinished', 'releaseConsumedPartitions'] },
        'region.restarting': { actions: 'countRestarting' },
        'region.restarted': { actions: ['countRestarted', 'rescheduleRegion'] },
        'region.recovered': { actions: 'settleRegion' },
        'region.overtaken': { actions: 'settleRegion' },
        'failover.decided': { actions: 'restartRegions' },
        'failover.refused': { target: 'failing', actions: ['recordFailure', 'closeFailover'] },
        'failover.overruled': { actions: 'reportOverruled' },
        'failover.completed': { actions: 'closeFailover' },
        'slots.returned': { actions: 'grantSlots' },
        'partition.lost': { actions: 'losePartition' },
        'executor.lost': { actions: ['removeExecutor', 'openFailoversOfUnable', 'failIfSomeNeverFit'] },
      },
      initial: 'undisturbed',
      states: {
        undisturbed: {
          always: [
            { guard: 'hasResultsToKeep', target: 'keeping' },
            { guard: 'hasFinished', target: '#jobMaster.finished' },
            { guard: 'isRestarting', target: 'restarting' },
          ],
        },
        restarting: {
          tags: 'restarting',
          always: { guard: ({ context }) => context.restartingCount === 0, target: 'undisturbed' },
        },
        keeping: {
          entry: 'keepResults',
          on: {
            // The results that a restart would re-read are being promoted, so a restart is impossible.
            'job.cancel': cancelWhileKeeping,
            'failover.refused': { ...failWhileKeeping, actions: ['recordFailure', 'closeFailover'] },
            'job.globalFailure': failWhileKeeping,
            'region.inexplicable': failWhileKeeping,
            'results.kept': { target: '#jobMaster.finished', actions: 'takeKept' },
            'results.keepFailed': {
              target: '#jobMaster.failing',
              actions: ['recordFailure', 'reportUnkept'],
            },
          },
        },
      },
    },
    failing: {
      entry: 'cancelRegions',
      on: { ...ending, ...cancel, ...suspend },
      initial: 'halting',
      states: {
        halting: { always: { guard: 'hasHalted', target: '#jobMaster.failed' } },
        keeping: { on: { ...keeping, 'job.cancel': cancelWhileKeeping } },
      },
    },
    canceling: {
      entry: 'cancelRegions',
      on: { ...ending, ...suspend, ...failGlobally },
      initial: 'halting',
      states: {
        halting: { always: { guard: 'hasHalted', target: '#jobMaster.canceled' } },
        keeping: { on: { ...keeping, 'job.globalFailure': failWhileKeeping } },
      },
    },
    failed: { tags: 'terminal', entry: 'stopAdvisors' },
    canceled: { tags: 'terminal', entry: 'stopAdvisors' },
    finished: { tags: 'terminal', entry: 'stopAdvisors' },
    suspended: {
      tags: 'terminal',
      entry: ['stopAdvisors', 'suspendRegions'],
    },
  },
});

export const jobMasterMachine = tapped(chart);

export type JobMasterActorRef = ActorRefFrom<typeof jobMasterMachine>;
