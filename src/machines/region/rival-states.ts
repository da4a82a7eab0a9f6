import type { RegionEvent } from './region-setup.ts';
import { rivalSetup } from './rival-setup.ts';

type EventOf<Type extends RegionEvent['type']> = Extract<RegionEvent, { type: Type }>;

const attemptOf = ({
  event,
}: {
  event: EventOf<'execution.running' | 'execution.finished' | 'execution.canceled'>;
}) => ({
  attempt: event.attempt,
});

const failed = ({ event }: { event: EventOf<'execution.failed'> }) => event;

const whyFailed = ({ event }: { event: EventOf<'execution.failed'> }) =>
  ({ why: 'the other failed', cause: event.cause }) as const;

const isOfRival = { type: 'isOfRival', params: attemptOf } as const;

const isRivalsFailure = { type: 'isOfRival', params: failed } as const;

const forgetRival = ['dropRival', 'forgetRival'] as const;

/** The task is decided once it has finished. */
const finish = [
  'countFinished',
  { type: 'reportTaskFinished', params: ({ event }: { event: EventOf<'execution.finished'> }) => event },
] as const;

/** The task was slow, and a second attempt of it has begun on another executor. */
export const contested = rivalSetup.createStateConfig({
  initial: 'preparing',
  on: {
    'execution.finished': [
      {
        guard: isOfRival,
        target: '#settling',
        actions: [{ type: 'preferRival', params: { why: 'finished first' } }, 'swapRival', ...finish],
      },
      { target: '#settling', actions: [{ type: 'reportPreferred', params: { why: 'finished first' } }, ...finish] },
    ],
    'execution.failed': [
      {
        guard: { type: 'concernsBoth', params: failed },
        target: '#failed',
        actions: ['countEnded', { type: 'reportTaskFailed', params: failed }],
      },
      {
        guard: isRivalsFailure,
        target: '#alone',
        actions: [{ type: 'reportPreferred', params: whyFailed }, ...forgetRival],
      },
    ],
    'execution.canceled': {
      guard: isOfRival,
      target: '#alone',
      actions: forgetRival,
    },
    'region.partitionRegistrationFailed': {
      guard: { type: 'isRivalsRegistration', params: ({ event }) => ({ token: event.token }) },
      actions: { type: 'failRival', params: ({ event }) => ({ cause: event.cause }) },
    },
  },
  states: {
    /** The second attempt has done nothing yet: if the first fails, both end. */
    preparing: {
      on: {
        'region.partitionsRegistered': {
          guard: { type: 'isRivalsRegistration', params: ({ event }) => ({ token: event.token }) },
          actions: 'deployRival',
        },
        'execution.running': { guard: isOfRival, target: 'racing' },
      },
    },
    racing: {
      on: {
        'execution.failed': {
          guard: { type: 'isForgivenOfFirst', params: failed },
          target: '#alone',
          actions: [{ type: 'preferRival', params: whyFailed }, 'swapRival', ...forgetRival],
        },
      },
    },
  },
});

/** The task has finished; the attempt that came second is being canceled. */
export const settling = rivalSetup.createStateConfig({
  id: 'settling',
  entry: 'cancelRival',
  invoke: {
    src: 'delay',
    input: ({ context: { job } }) => ({ clock: job.clock, withinMs: job.cancellationTimeoutMs }),
  },
  on: {
    'delay.elapsed': { actions: 'reportCancellationTimedOut' },
    'execution.canceled': { target: '#finished', actions: forgetRival },
    'execution.failed': { target: '#finished', actions: forgetRival },
    'execution.finished': { target: '#finished', actions: forgetRival },
  },
});
