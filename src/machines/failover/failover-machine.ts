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

/** Whoever opens failovers: the job master. */
export type FailoverParentRef = ActorRef<Snapshot<unknown>, FailoverToMasterEvent>;

/**
 * The failover chart: one failure, from its classification until the last of the regions that restart runs again. What it
 * decides about is a value, the proposal in its context: worked out once for the failure, once for the strategy's answer,
 * and once more for each look that finds results missing. Its guards look at fields.
 *
 * F0 The results that the restart will read are looked at, until none more is found missing: a chain of lost results costs
 *    one restart. Those of the smallest sound restart before the strategy is asked, those of what the strategy wants beyond
 *    it when it has answered.
 * F1 The restart set is computed before the backoff is asked, even if the job will fail (Flink's order).
 * F2 An unrecoverable failure is refused without asking the backoff.
 * F3 A strategy that throws, answers nonsense or misses its deadline is overruled by restart-all; a backoff that does is
 *    answered for by the default one, which ends. Both are said in a warning. Extension never costs correctness.
 * F4 What is restarted is closed under the rules of recovery, whatever the strategy named.
 * F5 It is completed when each of its regions runs again or was taken over by a newer failover.
 * F6 A failure is classified and recorded before anything is decided about it.
 */
export interface FailoverInput {
  readonly failover: FailoverId;
  /** What failed; which results it blames is found out. */
  readonly failed: Omit<TaskFailure, 'lostPartitions'>;
  readonly classify: (failed: FailoverInput['failed']) => FailureClass;
  /** What is to be done, as things are now: without an answer the smallest sound restart. See `propose`. */
  readonly propose: (failure: TaskFailure, answer: StrategyAnswer | undefined) => RestartProposal;
  readonly proposeEverything: () => Restart;
  readonly master: FailoverParentRef;
  readonly clock: Clock;
  /** How long a strategy or a backoff may take to answer. */
  readonly deadlineMs: number;
}

export interface FailoverContext extends FailoverInput {
  failure: TaskFailure;
  /** Why no restart can help; undefined if one may. */
  unrecoverable: string | undefined;
  /** Results that were looked at, */
  verified: ReadonlySet<PartitionId>;
  /** and how much there is of those that were found. */
  sizes: ReadonlyMap<PartitionId, FoundResult>;
  /** What the strategy answered. */
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
    /** Enters what the failure says about results and claims into the books, and tells observers of it. */
    recordFailure: (_, _params: { failure: TaskFailure; verdict: FailureClass }) =>
      placeholder('failover', 'recordFailure'),
    /** Looks at results; the answer comes back as `failover.resultsVerified`. */
    verifyResults: (_, _params: { results: readonly PartitionId[] }) => placeholder('failover', 'verifyResults'),
    /** Puts the question to the failover strategy; the answer comes back as `failover.strategyDecided` or `…Failed`. */
    askStrategy: () => placeholder('failover', 'askStrategy'),
    /** Puts the question to the restart backoff of the failed region. */
    askBackoff: () => placeholder('failover', 'askBackoff'),
    /** Puts it to the engine's own instead; the answer comes back as `failover.defaultBackoffDecided`. */
    askDefaultBackoff: () => placeholder('failover', 'askDefaultBackoff'),
  },
  guards: {
    isRefusal: ({ context }) => context.proposal.kind === 'fail',
    isNonsense: ({ context }) => context.proposal.kind === 'nonsense',
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

/** The longest delay that a timer of Node keeps: 24.8 days. */
const longestDelayMs = 2 ** 31 - 1;

type BackoffAnswer = Extract<FailoverEvent, { readonly canRestart: boolean }>;

function isBackoffAnswer(event: FailoverEvent): event is BackoffAnswer {
  return event.type === 'failover.backoffDecided' || event.type === 'failover.defaultBackoffDecided';
}

/** Whether a backoff, which may be the user's, answered what it was asked for. */
function isSane({ canRestart, delayMs, newAttempt }: BackoffAnswer): boolean {
  const isDelay = typeof delayMs === 'number' && delayMs >= 0 && delayMs <= longestDelayMs;
  return typeof canRestart === 'boolean' && typeof newAttempt === 'boolean' && (isDelay || !canRestart);
}

/** What the restart will read, and nobody has looked at. */
function unverified({ proposal, verified }: FailoverContext): readonly PartitionId[] {
  return proposal.kind === 'restart' ? proposal.reads.filter((partition) => !verified.has(partition)) : [];
}

function restarting({ proposal }: FailoverContext): readonly RegionId[] {
  return proposal.kind === 'restart' ? proposal.regions : [];
}

function problemOf({ proposal, deadlineMs }: FailoverContext, event: FailoverEvent): string {
  if (proposal.kind === 'nonsense') return proposal.problem;
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
    proposal: { kind: 'nonsense', problem: 'nothing is proposed yet' },
    refusal: undefined,
    restartAtMs: 0,
    newAttempt: true,
    pendingCount: 0,
  }),
  initial: 'classifying',
  states: {
    classifying: { entry: 'classify', always: 'proposing' },
    /** The smallest sound restart, or what comes of the strategy's answer. */
    proposing: {
      entry: 'propose',
      always: [
        { guard: 'isRefusal', target: 'refused', actions: 'refuseByStrategy' },
        { guard: 'isNonsense', ...overruleStrategy },
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
          // A lost result brings in its producer, and what that one reads.
          { guard: 'someAreLost', target: 'proposing' },
          { guard: 'needsNoAnswer', target: 'checking' },
          { target: 'askingStrategy' },
        ],
        // What was not found out in time shows when it is read.
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
    /** What the overruled one answers from now on comes too late. */
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
