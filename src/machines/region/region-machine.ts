import type { ActorRefFrom } from 'xstate';
import type { AttemptNumber } from '../../ids.ts';
import { tapped } from '../state-tap.ts';
import { type RegionEvent, regionGroups } from './region-setup.ts';
import { rivalSetup } from './rival-setup.ts';
import { awarded, contested, settling } from './rival-states.ts';

/**
 * The region chart: the tasks of one pipelined region, which run, fail and restart together. It owns its executions,
 * the number of their attempt and the plan of it; the job master tells it when its inputs are ready, and the decisions
 * of failovers.
 *
 * R1 It deploys nothing before it has a slot for every task and every partition it will write is registered.
 * R2 It restarts only after the last of its attempts has ended *and* the backoff is over.
 * R3 Only the first failure of a run counts; failures during the cancellation of the other tasks complete the
 *   cancellation.
 * R4 The newest failover that names it decides; the one it took over from is told.
 * R5 A hanging cancellation is reported once, with the hanging tasks; the region continues to wait.
 * R6 A restart makes a new attempt of every task, never of some.
 * R7 An attempt that ends as canceled while its region runs is a failure, so that no region waits forever for its work.
 * R8 Its plan changes when a failover tells it to restart and when its attempt begins to write, by the table of
 *   `planAfter`.
 * R9 A region that finished in an earlier run adopts its results and is finished, without a slot or a deployment. While
 *   there is no executor that could hold them it waits for one, as long as others wait for slots.
 * R10 A quarantined region ends its attempts and begins none before a restart releases it. Until then failovers that
 *   name it change its plan alone.
 * R11 While its only task has two attempts, the first of them to finish is the task's, and the other one is canceled; it
 *   is finished once that has ended. What finishes later, or fails, changes nothing.
 * R12 If one of them fails, the other one goes on, and nothing restarts; but not for a lost result, which is lost for
 *   both, and not if the first fails while the second is not running yet.
 * R13 Its only task may commit its sinks once it has asked; of two attempts, only the first to ask may, ever, and that one
 *   is the task's as in R11.
 */
type EventOf<Type extends RegionEvent['type']> = Extract<RegionEvent, { type: Type }>;

const slotsIn = (event: RegionEvent) => ('slots' in event ? event.slots : undefined);

const restart = {
  target: '#restarting',
  actions: [
    { type: 'followFailover', params: ({ event }: { event: EventOf<'region.restart'> }) => event },
    'reportRestarting',
  ],
} as const;

const quarantine = {
  target: '#quarantined',
  actions: [
    { type: 'followFailover', params: ({ event }: { event: EventOf<'region.quarantine'> }) => event },
    'reportRestarting',
  ],
} as const;

const adopt = {
  target: '#adopting',
  actions: { type: 'registerAdopted', params: ({ event }: { event: EventOf<'region.restore'> }) => event },
} as const;

const vertexOf = ({ event }: { event: EventOf<'execution.finished' | 'execution.canceled'> }) => ({
  vertex: event.vertex,
});

const noteFinished = { actions: ['countFinished', { type: 'reportTaskFinished', params: vertexOf }] } as const;

export const regionMachine = tapped(rivalSetup, regionGroups).createMachine({
  id: 'region',
  // Property by property: V8 makes a slow object of a spread with more properties behind it, and there are many regions.
  context: ({ input: { region, vertices, feedsRegions, job } }) => ({
    region,
    vertices,
    feedsRegions,
    job,
    attempt: 0 as AttemptNumber,
    lastAttempt: 0 as AttemptNumber,
    plan: 'new',
    executions: [],
    upCount: 0,
    finishedCount: 0,
    endedCount: 0,
    failover: undefined,
    restartAtMs: 0,
  }),
  entry: 'createExecutions',
  on: {
    'execution.inexplicable': {
      actions: { type: 'reportInexplicable', params: ({ event }) => ({ cause: event.cause }) },
    },
    'region.speculate': { actions: { type: 'declineSlot', params: ({ event }) => ({ slot: event.slot }) } },
  },
  initial: 'live',
  states: {
    /** It runs, or is about to. */
    live: {
      on: {
        'execution.failed': {
          target: '#failed',
          actions: ['countEnded', { type: 'reportTaskFailed', params: ({ event }) => event }],
        },
        'execution.canceled': {
          target: '#failed',
          actions: ['countEnded', { type: 'reportTaskCanceled', params: vertexOf }],
        },
        'region.restart': restart,
        'region.quarantine': quarantine,
        'region.cancel': '#canceling',
        'region.suspend': 'canceled',
      },
      initial: 'created',
      states: {
        created: {
          on: {
            'region.schedule': [
              {
                guard: { type: 'hasSlots', params: ({ event }) => ({ slots: event.slots }) },
                target: 'scheduled.registering',
                actions: { type: 'scheduleExecutions', params: ({ event }) => ({ slots: event.slots }) },
              },
              {
                target: 'scheduled.allocating',
                actions: { type: 'scheduleExecutions', params: { slots: undefined } },
              },
            ],
            'region.restore': adopt,
          },
        },
        /** It finished in an earlier run, and takes over its results. */
        adopting: {
          id: 'adopting',
          tags: 'active',
          on: {
            'region.partitionsRegistered': {
              guard: { type: 'isCurrentRegistration', params: ({ event }) => ({ token: event.token }) },
              actions: 'restoreExecutions',
            },
            'region.partitionRegistrationFailed': {
              guard: { type: 'isCurrentRegistration', params: ({ event }) => ({ token: event.token }) },
              actions: { type: 'failUnregistered', params: ({ event }) => event },
            },
            'execution.finished': [{ guard: 'isLastToFinish', target: '#finished', ...noteFinished }, noteFinished],
          },
        },
        scheduled: {
          tags: 'active',
          initial: 'allocating',
          states: {
            allocating: {
              invoke: {
                src: 'delay',
                input: ({ context: { job } }) => ({ clock: job.clock, withinMs: job.slotRequestTimeoutMs }),
              },
              on: {
                'region.slotsGranted': {
                  target: 'registering',
                  actions: { type: 'assignSlots', params: ({ event }) => ({ slots: event.slots }) },
                },
                'region.restore': adopt,
                'delay.elapsed': { actions: 'failForWantOfSlots' },
              },
            },
            registering: {
              entry: [
                'beginPlan',
                { type: 'registerPartitions', params: ({ event }) => ({ slots: slotsIn(event) ?? [] }) },
              ],
              on: {
                'region.partitionsRegistered': {
                  guard: { type: 'isCurrentRegistration', params: ({ event }) => ({ token: event.token }) },
                  target: '#deploying',
                },
                'region.partitionRegistrationFailed': {
                  guard: { type: 'isCurrentRegistration', params: ({ event }) => ({ token: event.token }) },
                  actions: { type: 'failUnregistered', params: ({ event }) => event },
                },
              },
            },
          },
        },
        deploying: {
          id: 'deploying',
          tags: 'active',
          entry: 'deployExecutions',
          on: {
            'execution.running': [
              { guard: 'isLastToRun', target: 'running', actions: 'countUp' },
              { actions: 'countUp' },
            ],
            'execution.finished': noteFinished,
          },
        },
        running: {
          tags: 'active',
          entry: 'reportRecovered',
          always: { guard: 'haveAllFinished', target: '#finished' },
          initial: 'alone',
          states: {
            alone: {
              on: {
                'execution.finished': [{ guard: 'isLastToFinish', target: '#finished', ...noteFinished }, noteFinished],
              },
              initial: 'working',
              states: {
                working: {
                  id: 'working',
                  on: {
                    'region.speculate': {
                      guard: 'isRegionOfOne',
                      target: '#contested',
                      actions: [
                        { type: 'addRival', params: ({ event }) => event },
                        { type: 'scheduleRival', params: ({ event }) => event },
                        { type: 'registerRival', params: ({ event }) => event },
                      ],
                    },
                    'execution.prepared': { guard: 'isRegionOfOne', target: 'committing', actions: 'letCommit' },
                  },
                },
                /** The sinks of its only task commit: it gets no rival any more. */
                committing: { id: 'committing' },
              },
            },
            contested,
            awarded,
            settling,
          },
        },
      },
    },
    finished: {
      id: 'finished',
      tags: 'terminal',
      entry: 'reportFinished',
      on: {
        'region.restart': restart,
        'region.quarantine': quarantine,
        'region.cancel': { actions: 'cancelExecutions' },
        'region.suspend': { actions: 'suspendExecutions' },
      },
    },
    /** Running attempts are being canceled. The reason and the end of every attempt are tracked separately. */
    halting: {
      type: 'parallel',
      tags: 'active',
      entry: 'cancelExecutions',
      on: {
        'execution.canceled': { actions: 'countEnded' },
        'execution.failed': { actions: 'countEnded' },
        'execution.finished': { actions: 'countFinished' },
        'region.suspend': 'canceled',
      },
      states: {
        purpose: {
          initial: 'failed',
          states: {
            failed: {
              id: 'failed',
              on: { 'region.restart': restart, 'region.quarantine': quarantine, 'region.cancel': 'canceling' },
            },
            restarting: {
              id: 'restarting',
              tags: 'restarting',
              on: {
                'region.restart': {
                  target: '.waiting',
                  actions: { type: 'followFailover', params: ({ event }) => event },
                },
                'region.quarantine': {
                  target: 'quarantined',
                  actions: { type: 'followFailover', params: ({ event }) => event },
                },
                'region.skipBackoff': { target: '.waiting', actions: 'skipBackoff' },
                'region.cancel': 'canceling',
              },
              initial: 'waiting',
              states: {
                waiting: {
                  always: [
                    { guard: 'mayRestart', target: 'ready' },
                    { guard: 'hasEnded', target: 'backingOff' },
                  ],
                },
                backingOff: {
                  invoke: {
                    src: 'delay',
                    input: ({ context: { job, restartAtMs } }) => ({ clock: job.clock, untilMs: restartAtMs }),
                  },
                  on: { 'delay.elapsed': 'ready' },
                },
                ready: {
                  entry: ['releaseFinishedPartitions', 'replaceExecutions'],
                  always: { target: '#region.live', actions: 'reportRestarted' },
                },
              },
            },
            /** It fails too often, and waits to be released. */
            quarantined: {
              id: 'quarantined',
              on: {
                'region.restart': {
                  target: 'restarting',
                  actions: { type: 'followFailover', params: ({ event }) => event },
                },
                'region.quarantine': { actions: { type: 'followFailover', params: ({ event }) => event } },
                'region.cancel': 'canceling',
              },
              initial: 'emptying',
              states: {
                emptying: { always: { guard: 'hasEnded', target: 'empty' } },
                empty: { entry: 'reportQuarantined', exit: 'reportReleased' },
              },
            },
            canceling: { id: 'canceling', always: { guard: 'hasEnded', target: '#region.canceled' } },
          },
        },
        attempts: {
          initial: 'awaited',
          states: {
            awaited: {
              always: { guard: 'hasEnded', target: 'ended' },
              invoke: {
                src: 'delay',
                input: ({ context: { job } }) => ({ clock: job.clock, withinMs: job.cancellationTimeoutMs }),
              },
              on: { 'delay.elapsed': { actions: 'reportCancellationTimedOut' } },
            },
            ended: {},
          },
        },
      },
    },
    canceled: { tags: 'terminal', entry: ['suspendExecutions', 'reportHalted'] },
  },
});

export type RegionActorRef = ActorRefFrom<typeof regionMachine>;

/** The implementations that the region chart names. */
export type RegionActions = NonNullable<Parameters<typeof regionMachine.provide>[0]['actions']>;
