import { type ActorRefFrom, assign, setup } from 'xstate';
import type { DelayElapsedEvent, DelayInput } from '../../actors/delay-actor.ts';
import type { HeartbeatSettings } from '../../actors/protocol/heartbeat.ts';
import type { Clock } from '../../environment.ts';
import { placeholder, placeholderActor } from '../placeholder.ts';

/**
 * The heartbeat chart: what one end of a connection knows of the other, the peer. The master has one per executor, and
 * each executor one for the master; in this process they are off by default. Both ends beat: the master asks at each
 * interval, and the executor answers.
 *
 * - HB1 A peer that was not heard for the timeout is silent. That is told once, and never taken back: a peer that comes
 *   back is another one.
 * - HB2 Silence is no proof for an end that was itself stalled (a blocked event loop, a stopped process, a sleeping
 *   machine): it wakes at each interval, and if it wakes much later than due it asks the peer once more, and gives it the
 *   whole timeout again.
 * - HB3 A peer is unreachable after exactly `failedSends` heartbeats in a row that could not be sent.
 * - HB4 A request is answered, a plain heartbeat is not. The payload of either is taken.
 */
export interface HeartbeatInput extends HeartbeatSettings {
  readonly clock: Clock;
  readonly peer: HeartbeatPeer;
}

/** The peer, for the chart. */
export interface HeartbeatPeer {
  /** Sends what is due at each interval. */
  beat(): void;
  /** Asks for a sign of life, after a stall of our own. */
  ask(): void;
  /** Answers a request of the peer. */
  answer(): void;
  /** Takes what the peer says. */
  take(payload: unknown): void;
  /** It is silent or unreachable. Called once. */
  lost(why: string): void;
}

export interface HeartbeatContext extends HeartbeatInput {
  /** When the peer was heard last; undefined if never. */
  heardMs: number | undefined;
  /** When it is silent unless it is heard. */
  deadlineMs: number;
  /** When the next heartbeat is due. */
  beatMs: number;
  /** When the timer is due: at the earlier of the two. */
  alarmMs: number;
  /** Heartbeats in a row that could not be sent. */
  failedCount: number;
}

export type HeartbeatEvent =
  | { readonly type: 'heartbeat.heard'; readonly payload?: unknown }
  | { readonly type: 'heartbeat.requested'; readonly payload?: unknown }
  /** The carrier knows that a heartbeat arrived, or could not be sent. */
  | { readonly type: 'heartbeat.sent' }
  | { readonly type: 'heartbeat.sendFailed' }
  | DelayElapsedEvent;

const base = setup({
  types: {} as { context: HeartbeatContext; events: HeartbeatEvent; input: HeartbeatInput },
  actors: { delay: placeholderActor<DelayInput>('heartbeat', 'delay') },
  actions: {
    beat: () => placeholder('heartbeat', 'beat'),
    ask: () => placeholder('heartbeat', 'ask'),
    answer: () => placeholder('heartbeat', 'answer'),
    take: (_, _params: { payload: unknown }) => placeholder('heartbeat', 'take'),
    announceLoss: (_, _params: { why: string }) => placeholder('heartbeat', 'announceLoss'),
    noteHeard: assign(({ context: { clock, timeoutMs } }) => ({
      heardMs: clock.now(),
      deadlineMs: clock.now() + timeoutMs,
      failedCount: 0,
    })),
    beginAnew: assign(({ context: { clock, timeoutMs } }) => ({ deadlineMs: clock.now() + timeoutMs })),
    noteBeat: assign(({ context: { clock, intervalMs } }) => ({ beatMs: clock.now() + intervalMs })),
    setAlarm: assign(({ context: { beatMs, deadlineMs } }) => ({ alarmMs: Math.min(beatMs, deadlineMs) })),
    countFailedSend: assign({ failedCount: ({ context }) => context.failedCount + 1 }),
    forgetFailedSends: assign({ failedCount: 0 }),
  },
  guards: {
    // Less is the noise of a busy machine; a stall that hides a whole timeout makes some alarm at least that late.
    wasStalled: ({ context: { clock, alarmMs, intervalMs } }) => clock.now() - alarmMs > intervalMs / 2,
    isOverdue: ({ context: { clock, deadlineMs } }) => clock.now() >= deadlineMs,
    isBeatDue: ({ context: { clock, beatMs } }) => clock.now() >= beatMs,
    isLastTolerated: ({ context: { failedCount, failedSends } }) => failedCount + 1 >= failedSends,
  },
});

type Payload = Extract<HeartbeatEvent, { type: 'heartbeat.heard' | 'heartbeat.requested' }>;

const heard = [
  'noteHeard',
  { type: 'take', params: ({ event: { payload } }: { readonly event: Payload }) => ({ payload }) },
] as const;

const onAlarm = [
  { guard: 'wasStalled', target: 'suspected', reenter: true },
  { guard: 'isOverdue', target: '#heartbeat.silent' },
  { guard: 'isBeatDue', actions: ['noteBeat', 'beat'] },
] as const;

export const heartbeatMachine = base.createMachine({
  id: 'heartbeat',
  context: ({ input }) => {
    const nowMs = input.clock.now();
    const [beatMs, deadlineMs] = [nowMs + input.intervalMs, nowMs + input.timeoutMs];
    return { ...input, heardMs: undefined, deadlineMs, beatMs, alarmMs: Math.min(beatMs, deadlineMs), failedCount: 0 };
  },
  initial: 'watching',
  states: {
    watching: {
      type: 'parallel',
      on: {
        'heartbeat.sent': { actions: 'forgetFailedSends' },
        'heartbeat.sendFailed': [{ guard: 'isLastTolerated', target: 'unreachable' }, { actions: 'countFailedSend' }],
      },
      states: {
        peer: {
          initial: 'healthy',
          states: {
            healthy: {
              on: {
                'heartbeat.heard': { actions: heard },
                'heartbeat.requested': { actions: [...heard, 'answer'] },
                'delay.elapsed': onAlarm,
              },
            },
            /** We were stalled, and asked once more. */
            suspected: {
              entry: ['beginAnew', 'noteBeat', 'ask'],
              on: {
                'heartbeat.heard': { target: 'healthy', actions: heard },
                'heartbeat.requested': { target: 'healthy', actions: [...heard, 'answer'] },
                'delay.elapsed': onAlarm,
              },
            },
          },
        },
        // Set after the peer has been judged, so that it is due when the next judgement is.
        alarm: {
          initial: 'set',
          states: {
            set: {
              entry: 'setAlarm',
              invoke: {
                src: 'delay',
                input: ({ context: { clock, alarmMs } }) => ({ clock, untilMs: alarmMs }),
              },
              on: { 'delay.elapsed': { target: 'set', reenter: true } },
            },
          },
        },
      },
    },
    /** Nothing leads out of these two. */
    silent: {
      entry: {
        type: 'announceLoss',
        params: ({ context: { timeoutMs } }) => ({ why: `it was not heard for ${timeoutMs} ms` }),
      },
    },
    unreachable: {
      entry: {
        type: 'announceLoss',
        params: ({ context: { failedSends } }) => ({
          why: `${failedSends === 1 ? 'a heartbeat' : `${failedSends} heartbeats in a row`} could not be sent to it`,
        }),
      },
    },
  },
});

export type HeartbeatActorRef = ActorRefFrom<typeof heartbeatMachine>;

/** The implementations that the heartbeat chart names. */
export type HeartbeatActions = NonNullable<Parameters<typeof heartbeatMachine.provide>[0]['actions']>;
