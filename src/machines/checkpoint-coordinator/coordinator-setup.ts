import { assign, raise, setup } from 'xstate';
import type { DelayElapsedEvent, DelayInput } from '../../actors/delay-actor.ts';
import { subsumedBy } from '../../checkpoints/completed-checkpoint.ts';
import { countFailure, countSuccess, type FailureCount } from '../../checkpoints/failure-count.ts';
import type { CheckpointFailureReason } from '../../checkpoints/failure-reason.ts';
import {
  type CheckpointRequest,
  nextRequest,
  type RequestDecision,
  type RequestSituation,
  submitRequest,
} from '../../checkpoints/request-decider.ts';
import type { Clock } from '../../environment.ts';
import type { CheckpointId } from '../../ids.ts';
import { enqueueWith } from '../enqueue-with.ts';
import { placeholder, placeholderActor } from '../placeholder.ts';
import type { CheckpointedComponent, PendingActorRef } from './checkpointed-component.ts';
import type { PendingToCoordinatorEvent } from './pending-events.ts';

/** How a component is checkpointed. */
export interface CoordinatorSettings {
  /** Time between two periodic triggers, in ms. */
  readonly intervalMs: number;
  /** Time from the trigger of a checkpoint to its last acknowledgement, in ms; afterwards it is given up. */
  readonly timeoutMs: number;
  /** Time from the end of a completed checkpoint to the next periodic one, in ms. */
  readonly minPauseMs: number;
  /** How many may be pending at once. */
  readonly maxConcurrent: number;
  /** How many may fail in a row before the component fails; Infinity for any number. */
  readonly tolerableFailures: number;
  /** How many requests may wait. */
  readonly maxQueued: number;
}

export interface CoordinatorInput {
  readonly settings: CoordinatorSettings;
  readonly clock: Clock;
  readonly component: CheckpointedComponent;
}

/** A triggered checkpoint that has not ended. */
export interface PendingEntry {
  readonly request: CheckpointRequest;
  readonly id: CheckpointId;
  readonly kind: CheckpointRequest['kind'];
  readonly actor: PendingActorRef;
}

export interface CoordinatorContext extends CoordinatorInput {
  /** Number of requests so far. */
  requestCount: number;
  /** Those that wait, the most urgent first. */
  queue: readonly CheckpointRequest[];
  /** The one that is triggered next, or is being triggered, */
  next: CheckpointRequest | undefined;
  /** and its chart. */
  triggering: PendingActorRef | undefined;
  pending: readonly PendingEntry[];
  lastCompletedMs: number | undefined;
  failures: FailureCount;
  /** When the timer triggers the next one. */
  tickMs: number;
}

/** A report of a checkpoint without its type, as the params of an action. */
export type Of<Type extends PendingToCoordinatorEvent['type']> = Omit<
  Extract<PendingToCoordinatorEvent, { type: Type }>,
  'type'
>;

/** A request that has no number yet. */
export type Wish = Omit<CheckpointRequest, 'number'>;

export type CoordinatorEvent =
  /** All tasks of the component run, or have finished. */
  | { readonly type: 'component.running' }
  /** A task of it does not run any more. */
  | { readonly type: 'component.disturbed' }
  /** All tasks of it have finished. */
  | { readonly type: 'component.finished' }
  | { readonly type: 'coordinator.stop' }
  /** A user wants a checkpoint. */
  | ({ readonly type: 'checkpoint.requested' } & Wish)
  /** It is time for the next periodic one. */
  | { readonly type: 'checkpoint.due' }
  /** The periodic trigger waits for another time. */
  | { readonly type: 'checkpoint.postponed' }
  /** The states of an ended one are discarded. */
  | { readonly type: 'checkpoint.cleaned' }
  | PendingToCoordinatorEvent
  | DelayElapsedEvent;

/** A request that is not triggered. */
export interface Refused {
  readonly request: CheckpointRequest;
  readonly reason: CheckpointFailureReason;
}

const base = setup({
  types: {} as { context: CoordinatorContext; events: CoordinatorEvent; input: CoordinatorInput },
  actors: { delay: placeholderActor<DelayInput>('checkpoint coordinator', 'delay') },
  actions: {
    /** Retains it, drops the oldest, and tells the tasks and observers. */
    announceCompleted: (_, _params: Of<'checkpoint.completed'>) =>
      placeholder('checkpoint coordinator', 'announceCompleted'),
    announceTriggered: (_, _params: Of<'checkpoint.triggered'>) =>
      placeholder('checkpoint coordinator', 'announceTriggered'),
    announceFailed: (_, _params: Of<'checkpoint.failed'>) => placeholder('checkpoint coordinator', 'announceFailed'),
    /** Tells whoever asked for it. */
    announceRefused: (_, _params: Refused) => placeholder('checkpoint coordinator', 'announceRefused'),
    /** Too many failed in a row: the component restarts, if its failover allows. */
    failComponent: (_, _params: Of<'checkpoint.failed'>) => placeholder('checkpoint coordinator', 'failComponent'),
  },
});

/** What a decision depends on. A request is being triggered unless that has just ended. */
const situationOf = (
  { clock, pending, component, lastCompletedMs }: CoordinatorContext,
  isTriggering: boolean,
): RequestSituation => ({
  nowMs: clock.now(),
  isTriggering,
  pendingCount: pending.length,
  cleaningCount: component.cleaningCount,
  lastCompletedMs,
});

const withoutPending = ({ pending }: CoordinatorContext, request: CheckpointRequest): readonly PendingEntry[] =>
  pending.filter((entry) => entry.request.number !== request.number);

/** The part of an enqueuer that a decision needs. */
interface DecisionEnqueuer {
  (action: { readonly type: 'announceRefused'; readonly params: Refused }): void;
  assign(values: Partial<CoordinatorContext>): void;
  raise(event: { readonly type: 'checkpoint.postponed' }): void;
}

function obey({ queue, next, refused, earliestMs }: RequestDecision, enqueue: DecisionEnqueuer): void {
  enqueue.assign({ queue, ...(next && { next }), ...(earliestMs !== undefined && { tickMs: earliestMs }) });
  for (const params of refused) enqueue({ type: 'announceRefused', params });
  if (earliestMs !== undefined) enqueue.raise({ type: 'checkpoint.postponed' });
}

const enqueueActions = enqueueWith(base.enqueueActions);

/** The actions and guards that the coordinator chart names. */
export const coordinatorSetup = base.extend({
  actions: {
    submit: enqueueActions(({ context, enqueue }, { wish, isTriggering }: { wish: Wish; isTriggering: boolean }) => {
      const request = { ...wish, number: context.requestCount };
      enqueue.assign({ requestCount: context.requestCount + 1 });
      obey(submitRequest(context.queue, request, context.settings, situationOf(context, isTriggering)), enqueue);
    }),
    chooseNext: base.enqueueActions(({ context, enqueue }) =>
      obey(nextRequest(context.queue, context.settings, situationOf(context, false)), enqueue),
    ),
    refuse: enqueueActions(
      ({ context, enqueue }, { wish, reason }: { wish: Wish; reason: CheckpointFailureReason }) => {
        const request = { ...wish, number: context.requestCount };
        enqueue.assign({ requestCount: context.requestCount + 1 });
        enqueue({ type: 'announceRefused', params: { request, reason } });
      },
    ),
    refuseQueue: enqueueActions(({ context, enqueue }, { reason }: { reason: CheckpointFailureReason }) => {
      for (const request of context.queue) enqueue({ type: 'announceRefused', params: { request, reason } });
      enqueue.assign({ queue: [] });
    }),
    dueNow: raise({ type: 'checkpoint.due' }),
    requestPeriodic: raise({ type: 'checkpoint.requested', kind: 'checkpoint', isForced: false, isPeriodic: true }),

    setTick: assign(({ context: { clock, settings } }) => ({ tickMs: clock.now() + settings.intervalMs })),

    spawnNext: assign(({ context: { next, settings, component }, self }) => ({
      triggering: component.spawnPending(next as CheckpointRequest, settings.timeoutMs, self),
    })),
    addPending: enqueueActions(({ context, enqueue }, { request, checkpoint }: Of<'checkpoint.triggered'>) => {
      const actor = context.triggering as PendingActorRef;
      const entry: PendingEntry = { request, id: checkpoint, kind: request.kind, actor };
      enqueue.assign({ pending: [...context.pending, entry], next: undefined, triggering: undefined });
      enqueue({ type: 'announceTriggered', params: { request, checkpoint } });
    }),
    dropTriggering: assign({ next: undefined, triggering: undefined }),
    complete: enqueueActions(({ context, enqueue }, { request, checkpoint }: Of<'checkpoint.completed'>) => {
      const pending = withoutPending(context, request);
      enqueue.assign({
        pending,
        lastCompletedMs: context.clock.now(),
        failures: countSuccess(context.failures, checkpoint),
      });
      enqueue({ type: 'announceCompleted', params: { request, checkpoint } });
      for (const { actor } of subsumedBy({ id: checkpoint, kind: request.kind }, pending)) {
        enqueue.sendTo(actor, { type: 'checkpoint.abort', reason: 'subsumed' });
      }
    }),
    fail: enqueueActions(({ context, enqueue }, failed: Of<'checkpoint.failed'>) => {
      const { request, checkpoint, reason } = failed;
      const { settings } = context;
      const failure = { reason, checkpoint, kind: request.kind };
      const { failures, areTooMany } = countFailure(context.failures, failure, settings.tolerableFailures);
      enqueue.assign({ pending: withoutPending(context, request), failures });
      enqueue({ type: 'announceFailed', params: failed });
      if (areTooMany) enqueue({ type: 'failComponent', params: failed });
    }),
    abortAll: enqueueActions(({ context, enqueue }, { reason }: { reason: CheckpointFailureReason }) => {
      const { pending, triggering } = context;
      for (const { actor } of pending) enqueue.sendTo(actor, { type: 'checkpoint.abort', reason });
      if (triggering !== undefined) enqueue.sendTo(triggering, { type: 'checkpoint.abort', reason });
    }),
  },
  guards: {
    hasNext: ({ context }) => context.next !== undefined,
    isOfNext: ({ context }, { request }: { request: CheckpointRequest }) => request.number === context.next?.number,
    isPeriodicQueued: ({ context }) => context.queue.some(({ isPeriodic }) => isPeriodic),
  },
});
