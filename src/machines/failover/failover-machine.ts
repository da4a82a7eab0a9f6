import { type ActorRef, type ActorRefFrom, type Snapshot, setup } from 'xstate';
import type { DelayElapsedEvent, DelayInput } from '../../actors/delay-actor.ts';
import type { FoundResult } from '../../actors/protocol/deployment.ts';
import type { FailoverToMasterEvent, MasterToFailoverEvent } from '../../actors/chart-events.ts';
import type { Clock } from '../../environment.ts';
import { OperationTimeoutError } from '../../errors/user-code-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import type { FailureClass } from '../../failover/failure-classifier.ts';
import type { Restart, RestartProposal, StrategyAnswer } from '../../failover/restart-proposal.ts';
import { show } from '../../foreign-value.ts';
import type { FailoverId, PartitionId, RegionId } from '../../ids.ts';
import { placeholder, placeholderActor } from '../placeholder.ts';

/** The parent of failovers: the job master. */
export type FailoverParentRef = ActorRef<Snapshot<unknown>, FailoverToMasterEvent>;

/**
 * The failover chart: one failure, from its classification until the last restarted region runs again. Its decision is
 * a value, the proposal in its context: computed once for the failure, once for the strategy's answer, and once for
 * each verification that finds results missing. Its guards only read fields.
 *
 * F0 The results that the restart will read are verified until no more are missing, so a chain of lost results costs
 *   one restart: those of the smallest sound restart before the strategy is asked, further ones after its answer.
 * F1 The restart set is computed before the backoff is asked, even if the job will fail (Flink's order).
 * F2 An unrecoverable failure is refused without asking the backoff.
 * F3 A strategy that throws, gives an invalid answer or misses its deadline is overruled by restart-all; such a backoff
 *   is overruled by the default one, whose attempts are limited. Both cause a warning. Extensions never cost
 *   correctness.
 * F4 The restarted set is closed under the recovery rules, even if the strategy named less.
 * F5 It is complete when each of its regions runs again or was taken over by a newer failover.
 * F6 A failure is classified and recorded before any decision about it.
 */
export interface FailoverInput {
  readonly failover: FailoverId;
  /** The failure; the blamed results are determined by classification. */
  readonly failed: Omit<TaskFailure, 'lostPartitions'>;
  readonly classify: (failed: FailoverInput['failed']) => FailureClass;
  /** The proposal in the current state; without a strategy's answer, the smallest sound restart. See `propose`. */
  readonly propose: (failure: TaskFailure, answer: StrategyAnswer | undefined) => RestartProposal;
  readonly proposeEverything: () => Restart;
  readonly master: FailoverParentRef;
  readonly clock: Clock;
  /** How long a strategy or a backoff may take to answer. */
  readonly deadlineMs: number;
}

export interface FailoverContext extends FailoverInput {
  failure: TaskFailure;
  /** Why a restart cannot help; undefined if it may. */
  unrecoverable: string | undefined;
  /** Verified results, */
  verified: ReadonlySet<PartitionId>;
  /** and the sizes of the readable ones. */
  sizes: ReadonlyMap<PartitionId, FoundResult>;
  /** The strategy's answer. */
  answer: StrategyAnswer | undefined;
  proposal: RestartProposal;
  /** Set when the strategy or the backoff refused. */
  refusal: { readonly cause: Error; readonly why: string } | undefined;
  restartAtMs: number;
  newAttempt: boolean;
  /** Regions that neither run again nor were taken over. */
  pendingCount: number;
}

export type FailoverEvent = MasterToFailoverEvent | DelayElapsedEvent;

const base = setup({
  types: {} as { context: FailoverContext; events: FailoverEvent; input: FailoverInput },
  actors: { delay: placeholderActor<DelayInput>('failover', 'delay') },
  actions: {
    /** Records the lost results and broken declarations that the failure reveals, and notifies observers. */
    recordFailure: (_, _params: { failure: TaskFailure; verdict: FailureClass }) =>
      placeholder('failover', 'recordFailure'),
    /** Verifies results; answered by `failover.resultsVerified`. */
    verifyResults: (_, _params: { results: readonly PartitionId[] }) => placeholder('failover', 'verifyResults'),
    /** Asks the failover strategy; answered by `failover.strategyDecided` or `…Failed`. */
    askStrategy: () => placeholder('failover', 'askStrategy'),
    /** Asks the restart backoff of the failed region. */
    askBackoff: () => placeholder('failover', 'askBackoff'),
    /** Asks the engine's default backoff instead; answered by `failover.defaultBackoffDecided`. */
    askDefaultBackoff: () => placeholder('failover', 'askDefaultBackoff'),
  },
  guards: {
    isRefusal: ({ context }) => context.proposal.kind === 'fail',
    isInvalid: ({ context }) => context.proposal.kind === 'invalid',
    readsUnverified: ({ context }) => unverified(context).length > 0,
    needsNoAnswer: ({ context }) => context.failure.vertex === undefined || context.answer !== undefined,
    someAreLost: ({ event }) => event.type === 'failover.resultsVerified' && event.lostCount > 0,
    isUnrecoverable: ({ context }) => context.unrecoverable !== undefined,
    isInsaneBackoff: ({ event }) => event.type === 'failover.backoffDecided' && !isSane(event),
    mayRestart: ({ event }) => isBackoffAnswer(event) && event.canRestart,
    isLastRegion: ({ context }) => context.pendingCount <= 1,
  },
});

const { assign, enqueueActions, sendTo } = base;

const toMaster = ({ context }: { context: FailoverContext }): FailoverInput['master'] => context.master;

const failoverSetup = base.extend({
  actions: {
    classify: enqueueActions(({ context: { classify, failed }, enqueue }) => {
      const verdict = classify(failed);
      const lostPartitions = Object.freeze(verdict.kind === 'partition-lost' ? [...verdict.partitions] : []);
      const failure: TaskFailure = Object.freeze({ ...failed, lostPartitions });
      enqueue.assign({ failure, unrecoverable: verdict.kind === 'unrecoverable' ? verdict.why : undefined });
      enqueue({ type: 'recordFailure', params: { failure, verdict } });
    }),
    propose: assign(({ context: { propose, failure, answer } }) => ({ proposal: propose(failure, answer) })),
    proposeEverything: assign(({ context }) => ({ proposal: context.proposeEverything() })),
    takeAnswer: assign(({ event }) =>
      event.type === 'failover.strategyDecided' ? { answer: { decision: event.decision } } : {},
    ),
    noteVerified: assign(({ context, event }) => {
      const found = event.type === 'failover.resultsVerified' ? event.found : [];
      return {
        verified: new Set([...context.verified, ...unverified(context)]),
        sizes: new Map([...context.sizes, ...found.map((result) => [result.id.partition, result] as const)]),
      };
    }),
    refuseByStrategy: assign(({ context: { proposal } }) => {
      if (proposal.kind !== 'fail') return {};
      const { cause, why = 'the failover strategy decided to fail the job' } = proposal;
      return { refusal: { cause, why } };
    }),
    warnOfStrategy: sendTo(toMaster, ({ context, event }) => ({
      type: 'failover.overruled',
      failover: context.failover,
      part: 'failoverStrategy' as const,
      problem: problemOf(context, event),
      instead: 'restart all',
    })),
    warnOfBackoff: sendTo(toMaster, ({ context, event }) => ({
      type: 'failover.overruled',
      failover: context.failover,
      part: 'restartBackoff' as const,
      problem: problemOf(context, event),
      instead: 'the default backoff',
    })),
    takeBackoff: assign(({ context, event }) =>
      isBackoffAnswer(event) ? { restartAtMs: context.clock.now() + event.delayMs, newAttempt: event.newAttempt } : {},
    ),
    refuseAsUnrecoverable: assign(({ context }) => ({
      refusal: { cause: context.failure.cause, why: context.unrecoverable ?? '' },
    })),
    refuseByBackoff: assign(({ context, event }) => {
      const isDefault = event.type === 'failover.defaultBackoffDecided';
      const backoff = isDefault ? 'default backoff, asked instead of the one that was overruled,' : 'restart backoff';
      return {
        newAttempt: !isBackoffAnswer(event) || event.newAttempt,
        refusal: { cause: context.failure.cause, why: `the ${backoff} allows no more restarts` },
      };
    }),
    announceDecision: sendTo(toMaster, ({ context }) => ({
      type: 'failover.decided',
      failover: context.failover,
      restart: context.proposal as Restart,
      sizes: context.sizes,
      restartAtMs: context.restartAtMs,
      newAttempt: context.newAttempt,
    })),
    announceRefusal: sendTo(toMaster, ({ context }) => ({
      type: 'failover.refused',
      failover: context.failover,
      failure: context.failure,
      unrecoverable: context.unrecoverable !== undefined,
      newAttempt: context.newAttempt,
      ...(context.refusal as NonNullable<FailoverContext['refusal']>),
    })),
    announceCompletion: sendTo(toMaster, ({ context }) => ({
      type: 'failover.completed',
      failover: context.failover,
      regions: restarting(context),
      failedAtMs: context.failure.atMs,
    })),
    awaitRegions: assign(({ context }) => ({ pendingCount: restarting(context).length })),
    countRegion: assign(({ context }) => ({ pendingCount: context.pendingCount - 1 })),
  },
});

/** The longest delay of a Node timer: 24.8 days. */
const longestDelayMs = 2 ** 31 - 1;

type BackoffAnswer = Extract<FailoverEvent, { readonly canRestart: boolean }>;

function isBackoffAnswer(event: FailoverEvent): event is BackoffAnswer {
  return event.type === 'failover.backoffDecided' || event.type === 'failover.defaultBackoffDecided';
}

/** Whether the answer of a backoff, which may be user code, is valid. */
function isSane({ canRestart, delayMs, newAttempt }: BackoffAnswer): boolean {
  const isDelay = typeof delayMs === 'number' && delayMs >= 0 && delayMs <= longestDelayMs;
  return typeof canRestart === 'boolean' && typeof newAttempt === 'boolean' && (isDelay || !canRestart);
}

/** The results that the restart will read and that are not verified yet. */
function unverified({ proposal, verified }: FailoverContext): readonly PartitionId[] {
  return proposal.kind === 'restart' ? proposal.reads.filter((partition) => !verified.has(partition)) : [];
}

function restarting({ proposal }: FailoverContext): readonly RegionId[] {
  return proposal.kind === 'restart' ? proposal.regions : [];
}

function problemOf({ proposal, deadlineMs }: FailoverContext, event: FailoverEvent): string {
  if (proposal.kind === 'invalid') return proposal.problem;
  switch (event.type) {
    case 'failover.strategyFailed':
    case 'failover.backoffFailed':
      return `it threw: ${toError(event.cause).message}`;
    case 'failover.backoffDecided':
      return `it answered canRestart ${show(event.canRestart)}, delayMs ${show(event.delayMs)}, newAttempt ${show(event.newAttempt)}`;
    default:
      return new OperationTimeoutError('the decision', deadlineMs).message;
  }
}

const deadline = {
  src: 'delay',
  input: ({ context }: { context: FailoverContext }): DelayInput => ({
    clock: context.clock,
    withinMs: context.deadlineMs,
  }),
} as const;

const overruleStrategy = { target: 'checking', actions: ['warnOfStrategy', 'proposeEverything'] } as const;
const overruleBackoff = { target: 'askingDefaultBackoff', actions: 'warnOfBackoff' } as const;
const restartIfAllowed = { guard: 'mayRestart', target: 'restarting', actions: 'takeBackoff' } as const;

export const failoverMachine = failoverSetup.createMachine({
  id: 'failover',
  context: ({ input }) => ({
    ...input,
    failure: { ...input.failed, lostPartitions: [] },
    unrecoverable: undefined,
    verified: new Set(),
    sizes: new Map(),
    answer: undefined,
    proposal: { kind: 'invalid', problem: 'nothing is proposed yet' },
    refusal: undefined,
    restartAtMs: 0,
    newAttempt: true,
    pendingCount: 0,
  }),
  initial: 'classifying',
  states: {
    classifying: { entry: 'classify', always: 'proposing' },
    /** The smallest sound restart, or the proposal from the strategy's answer. */
    proposing: {
      entry: 'propose',
      always: [
        { guard: 'isRefusal', target: 'refused', actions: 'refuseByStrategy' },
        { guard: 'isInvalid', ...overruleStrategy },
        { guard: 'readsUnverified', target: 'verifying' },
        { guard: 'needsNoAnswer', target: 'checking' },
        { target: 'askingStrategy' },
      ],
    },
    verifying: {
      entry: { type: 'verifyResults', params: ({ context }) => ({ results: unverified(context) }) },
      exit: 'noteVerified',
      invoke: deadline,
      on: {
        'failover.resultsVerified': [
          // A lost result involves its producer, and the producer's inputs.
          { guard: 'someAreLost', target: 'proposing' },
          { guard: 'needsNoAnswer', target: 'checking' },
          { target: 'askingStrategy' },
        ],
        // A loss not found in time shows when the result is read.
        'delay.elapsed': [{ guard: 'needsNoAnswer', target: 'checking' }, { target: 'askingStrategy' }],
      },
    },
    askingStrategy: {
      entry: 'askStrategy',
      invoke: deadline,
      on: {
        'failover.strategyDecided': { target: 'proposing', actions: 'takeAnswer' },
        'failover.strategyFailed': overruleStrategy,
        'delay.elapsed': overruleStrategy,
      },
    },
    checking: {
      always: [
        { guard: 'isUnrecoverable', target: 'refused', actions: 'refuseAsUnrecoverable' },
        { target: 'askingBackoff' },
      ],
    },
    askingBackoff: {
      entry: 'askBackoff',
      invoke: deadline,
      on: {
        'failover.backoffDecided': [
          { guard: 'isInsaneBackoff', ...overruleBackoff },
          restartIfAllowed,
          { target: 'refused', actions: 'refuseByBackoff' },
        ],
        'failover.backoffFailed': overruleBackoff,
        'delay.elapsed': overruleBackoff,
      },
    },
    /** A later answer of the overruled backoff is ignored. */
    askingDefaultBackoff: {
      entry: 'askDefaultBackoff',
      on: {
        'failover.defaultBackoffDecided': [restartIfAllowed, { target: 'refused', actions: 'refuseByBackoff' }],
      },
    },
    restarting: {
      entry: ['awaitRegions', 'announceDecision'],
      on: {
        'failover.regionSettled': [
          { guard: 'isLastRegion', target: 'completed', actions: 'countRegion' },
          { actions: 'countRegion' },
        ],
      },
    },
    completed: { type: 'final', entry: 'announceCompletion' },
    refused: { type: 'final', entry: 'announceRefusal' },
  },
});

export type FailoverActorRef = ActorRefFrom<typeof failoverMachine>;
