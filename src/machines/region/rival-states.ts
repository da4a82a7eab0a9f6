import type { RegionContext, RegionEvent } from './region-setup.ts';
import { rivalSetup } from './rival-setup.ts';

type EventOf<Type extends RegionEvent['type']> = Extract<RegionEvent, { type: Type }>;

const attemptOf = ({
  event,
}: {
  event: EventOf<'execution.running' | 'execution.prepared' | 'execution.finished' | 'execution.canceled'>;
}) => ({
  attempt: event.attempt,
});

const failed = ({ event }: { event: EventOf<'execution.failed'> }) => event;

const whyFailed = ({ event }: { event: EventOf<'execution.failed'> }) =>
  ({ why: 'the other failed', cause: event.cause }) as const;

const isOfRival = { type: 'isOfRival', params: attemptOf } as const;

const isRivalsFailure = { type: 'isOfRival', params: failed } as const;

const forgetRival = ['dropRival', 'forgetRival'] as const;

/** It is told if the other attempt does not end. */
const watchOverEnd = {
  src: 'delay',
  input: ({ context: { job } }: { context: RegionContext }) => ({
    clock: job.clock,
    withinMs: job.cancellationTimeoutMs,
  }),
} as const;

/** The task is decided once it has finished. */
const finish = [
  'countFinished',
  { type: 'reportTaskFinished', params: ({ event }: { event: EventOf<'execution.finished'> }) => event },
] as const;

/** The task was slow, and a second attempt of it has begun on another executor. */
export const contested = rivalSetup.createStateConfig({
  id: 'contested',
  initial: 'preparing',
  on: {
    'execution.prepared': [
      {
        guard: isOfRival,
        target: '#awarded',
        actions: [{ type: 'preferRival', params: { why: 'finished first' } }, 'swapRival', 'letCommit'],
      },
      { target: '#awarded', actions: [{ type: 'reportPreferred', params: { why: 'finished first' } }, 'letCommit'] },
    ],
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
        target: '#working',
        actions: [{ type: 'reportPreferred', params: whyFailed }, ...forgetRival],
      },
    ],
    'execution.canceled': {
      guard: isOfRival,
      target: '#working',
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
          target: '#working',
          actions: [{ type: 'preferRival', params: whyFailed }, 'swapRival', ...forgetRival],
        },
      },
    },
  },
});

/** The first attempt to ask commits its sinks; the other one, which never may, is being canceled. */
export const awarded = rivalSetup.createStateConfig({
  id: 'awarded',
  entry: 'cancelRival',
  invoke: watchOverEnd,
  on: {
    'delay.elapsed': { actions: 'reportCancellationTimedOut' },
    'execution.finished': [
      { guard: isOfRival, target: '#committing', actions: forgetRival },
      { target: '#settling', actions: finish },
    ],
    'execution.failed': { guard: isRivalsFailure, target: '#committing', actions: forgetRival },
    'execution.canceled': { guard: isOfRival, target: '#committing', actions: forgetRival },
  },
});

/** The task has finished; the attempt that came second is being canceled. */
export const settling = rivalSetup.createStateConfig({
  id: 'settling',
  entry: 'cancelRival',
  invoke: watchOverEnd,
  on: {
    'delay.elapsed': { actions: 'reportCancellationTimedOut' },
    'execution.canceled': { target: '#finished', actions: forgetRival },
    'execution.failed': { target: '#finished', actions: forgetRival },
    'execution.finished': { target: '#finished', actions: forgetRival },
  },
});
