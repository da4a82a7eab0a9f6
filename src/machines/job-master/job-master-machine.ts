import { type ActorRefFrom, sendTo } from 'xstate';
import { tapped } from '../state-tap.ts';
import { told } from '../told.ts';
import { type JobMasterEvent, masterSetup } from './job-master-setup.ts';

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
 * J7 The tasks of a lost executor fail as one: one failover, with one question to the strategy and one to the backoff.
 *   Tasks elsewhere that fail because they were reading its results are part of it, if it restarts them.
 * J8 While regions are quarantined, the job ends as `incomplete` once every other region has finished or waits for them,
 *   and no attempt is left. It is never `finished` then, and nothing is kept beyond it.
 */

type EventOf<Type extends JobMasterEvent['type']> = { readonly event: Extract<JobMasterEvent, { type: Type }> };

/** Records why the job ends. */
const recordFailure = (why: string) =>
  ({
    type: 'recordFailure',
    params: ({ event: { cause } }: { readonly event: { readonly cause: Error } }) => ({
      cause,
      vertex: undefined,
      why,
    }),
  }) as const;

const recordRefusal = {
  type: 'recordFailure',
  params: ({ event: { cause, failure, why } }: EventOf<'failover.refused'>) => ({
    cause,
    vertex: failure.vertex,
    place: failure.place,
    why,
  }),
} as const;

const refuseFailover = { type: 'refuseFailover', params: told<EventOf<'failover.refused'>['event']> } as const;

const recordGlobalFailure = recordFailure('the job failed as a whole');

/** A failure outside any task. */
const openGlobalFailover = {
  actions: {
    type: 'openFailover',
    params: ({ event: { cause } }: EventOf<'job.globalFailure' | 'region.inexplicable'>) => ({
      failed: { vertex: undefined, attempt: undefined, cause },
    }),
  },
} as const;

const countRestarting = {
  type: 'countRestarting',
  params: ({ event: { wasFinished } }: EventOf<'region.restarting'>) => ({ wasFinished }),
} as const;

const settleRegion = {
  actions: {
    type: 'settleRegion',
    params: ({ event: { failover, region } }: EventOf<'region.recovered' | 'region.overtaken'>) => ({
      failover,
      region,
    }),
  },
} as const;

const removeExecutor = { type: 'removeExecutor', params: told<EventOf<'executor.lost'>['event']> } as const;

/** A command to end the job while results are being kept; it waits for the outcome. */
const keeping = {
  'results.kept': 'halting',
  'results.keepFailed': 'halting',
} as const;

const suspend = { 'job.suspend': { target: 'suspended', actions: recordFailure('the job was suspended') } } as const;
const cancel = { 'job.cancel': { target: 'canceling', actions: 'forgetFailure' } } as const;
const failGlobally = { 'job.globalFailure': { target: 'failing', actions: recordGlobalFailure } } as const;

const failWhileKeeping = { target: '#jobMaster.failing.keeping', actions: recordGlobalFailure } as const;
const cancelWhileKeeping = { target: '#jobMaster.canceling.keeping', actions: 'forgetFailure' } as const;

/** Regions report their end; open failovers are abandoned. */
const ending = {
  'region.finished': { actions: 'countFinished' },
  'region.halted': { actions: 'countHalted' },
  'region.restarting': { actions: countRestarting },
} as const;

export const jobMasterMachine = tapped(masterSetup).createMachine({
  id: 'jobMaster',
  context: ({ input: { regionCount, keepsResults, decisions, turns } }) => ({
    regionCount,
    keepsResults,
    decisions,
    turns,
    finishedCount: 0,
    restartingCount: 0,
    quarantinedCount: 0,
    haltedCount: 0,
    kept: [],
    failure: undefined,
  }),
  on: {
    'executor.registered': { actions: { type: 'addExecutor', params: told } },
    'executor.lost': { actions: removeExecutor },
    'executor.draining': { actions: { type: 'retireExecutor', params: told } },
    'executor.drained': { actions: { type: 'noteDrained', params: told } },
    'region.cancellationTimedOut': { actions: { type: 'abandonHangingTasks', params: told } },
  },
  initial: 'initializing',
  states: {
    initializing: {
      entry: sendTo(({ self }) => self, { type: 'job.initialize' }),
      on: {
        'job.initialize': { target: 'created', actions: 'createRegions' },
        // Ended before it began: there is nothing to wait for.
        'job.cancel': 'canceled',
        ...suspend,
        'job.globalFailure': { target: 'failed', actions: recordGlobalFailure },
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
        'job.globalFailure': openGlobalFailover,
        'region.inexplicable': openGlobalFailover,
        'region.taskFailed': {
          actions: [
            { type: 'openFailover', params: ({ event }) => ({ failed: event }) },
            { type: 'withdrawRequest', params: told },
          ],
        },
        'region.taskFinished': {
          actions: [
            { type: 'scheduleConsumers', params: told },
            { type: 'releaseReproduced', params: told },
          ],
        },
        'region.finished': { actions: ['countFinished', { type: 'releaseConsumed', params: told }] },
        'region.restarting': { actions: countRestarting },
        'region.restarted': { actions: ['countRestarted', { type: 'rescheduleRegion', params: told }] },
        'region.quarantined': { actions: 'countQuarantined' },
        'region.released': { actions: 'countReleased' },
        'region.recovered': settleRegion,
        'region.overtaken': settleRegion,
        'failover.decided': { actions: { type: 'restartRegions', params: told } },
        'failover.refused': { target: 'failing', actions: [recordRefusal, refuseFailover] },
        'failover.overruled': { actions: { type: 'reportOverruled', params: told } },
        'failover.completed': { actions: { type: 'completeFailover', params: told } },
        'slots.returned': { actions: 'grantSlots' },
        'speculation.due': { actions: 'speculate' },
        'checkpoints.failed': { actions: { type: 'restartComponent', params: told } },
        'partition.lost': {
          actions: {
            type: 'losePartition',
            params: ({ event: { id, cause } }) => ({ partition: id.partition, cause }),
          },
        },
        'job.restartTask': { actions: { type: 'restartOnRequest', params: told } },
        'job.releaseRegion': { actions: { type: 'releaseRegion', params: told } },
        'job.skipBackoff': { actions: { type: 'skipBackoff', params: told } },
        'job.failTask': { actions: { type: 'failTask', params: told } },
        'job.slowTask': { actions: { type: 'slowTask', params: told } },
        'job.losePartition': { actions: { type: 'losePartition', params: told } },
        'executor.lost': {
          actions: [removeExecutor, { type: 'beginLoss', params: told }, 'failIfSomeNeverFit'],
        },
        'executor.tasksFailed': { actions: { type: 'openFailoverOfLoss', params: told } },
      },
      initial: 'undisturbed',
      states: {
        undisturbed: {
          always: [
            { guard: 'hasResultsToKeep', target: 'keeping' },
            { guard: 'hasFinished', target: '#jobMaster.finished' },
            { guard: 'isIncomplete', target: '#jobMaster.incomplete' },
            { guard: 'isRestarting', target: 'restarting' },
          ],
        },
        restarting: {
          tags: 'restarting',
          always: { guard: 'hasRestarted', target: 'undisturbed' },
        },
        keeping: {
          entry: 'keepResults',
          on: {
            // The results that a restart would re-read are being promoted, so a restart is impossible.
            'job.restartTask': {},
            'job.releaseRegion': {},
            'job.losePartition': {},
            'checkpoints.failed': {},
            'job.cancel': cancelWhileKeeping,
            'failover.refused': { ...failWhileKeeping, actions: [recordRefusal, refuseFailover] },
            'job.globalFailure': failWhileKeeping,
            'region.inexplicable': failWhileKeeping,
            'results.kept': { target: '#jobMaster.finished', actions: { type: 'takeKept', params: told } },
            'results.keepFailed': {
              target: '#jobMaster.failing',
              actions: [recordFailure('its results could not be kept'), { type: 'reportUnkept', params: told }],
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
    failed: { tags: 'terminal', entry: ['stopAdvisors', 'stopReleasing', 'stopSpeculating'] },
    canceled: { tags: 'terminal', entry: ['stopAdvisors', 'stopReleasing', 'stopSpeculating'] },
    finished: { tags: 'terminal', entry: ['stopAdvisors', 'stopReleasing', 'stopSpeculating'] },
    incomplete: { tags: 'terminal', entry: ['stopAdvisors', 'stopReleasing', 'stopSpeculating'] },
    suspended: {
      tags: 'terminal',
      entry: ['stopAdvisors', 'stopReleasing', 'stopSpeculating', 'suspendRegions'],
    },
  },
});

/** The implementations that the job master chart names. */
export type MasterActions = NonNullable<Parameters<typeof jobMasterMachine.provide>[0]['actions']>;

export type JobMasterActorRef = ActorRefFrom<typeof jobMasterMachine>;
