import { type ActorRef, assign, type Snapshot, sendTo, setup } from 'xstate';
import type { DelayElapsedEvent, DelayInput } from '../../actors/delay-actor.ts';
import type { FoundResult } from '../../actors/protocol/deployment.ts';
import type { FailoverToMasterEvent, MasterToFailoverEvent } from '../../actors/chart-events.ts';
import type { Clock } from '../../environment.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import type { QuarantineVerdict } from '../../failover/quarantine.ts';
import type { FailureClass } from '../../failover/failure-classifier.ts';
import type { Restart, RestartProposal, StrategyAnswer } from '../../failover/restart-proposal.ts';
import type { FailoverId, PartitionId, RegionId } from '../../ids.ts';
import { longestTimerMs } from '../../options.ts';
import { placeholder, placeholderActor } from '../placeholder.ts';
import type { BackoffAnswer } from '../strategies/regional-backoffs.ts';

/** The parent of failovers: the job master. */
export type FailoverParentRef = ActorRef<Snapshot<unknown>, FailoverToMasterEvent>;

export interface FailoverInput {
  readonly failover: FailoverId;
  /** The failure; the blamed results are determined by classification. */
  readonly failed: Omit<TaskFailure, 'lostPartitions'>;
  readonly classify: (failed: FailoverInput['failed']) => FailureClass;
  /** The proposal in the current state; without a strategy's answer, the smallest sound restart. See `propose`. */
  readonly propose: (failure: TaskFailure, answer: StrategyAnswer | undefined) => RestartProposal;
  readonly proposeEverything: () => Restart;
  /**
   * Counts the failure against its region, and judges whether that flaps; see `FlappingRegions`. If the user restarts the
   * task, it says so: the user has decided, so there is no strategy, no backoff and no delay.
   */
  readonly judge: (failure: TaskFailure, verdict: FailureClass) => QuarantineVerdict;
  /** Whether a region need not run again for the failover to be complete: it had not begun, and waits as before. */
  readonly mayWait: (region: RegionId) => boolean;
  readonly master: FailoverParentRef;
  readonly clock: Clock;
  /** How long a strategy or a backoff may take to answer. */
  readonly deadlineMs: number;
}

export interface FailoverContext extends FailoverInput {
  failure: TaskFailure;
  /** Why a restart cannot help; undefined if it may. */
  unrecoverable: string | undefined;
  /** What the failure means for the quarantine of its region. */
  quarantine: QuarantineVerdict;
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
  /** How many more failures the backoff allows; undefined if unknown. */
  restartsLeft: number | undefined;
  /** Restarting regions that had not begun, */
  waiting: ReadonlySet<RegionId>;
  /** and the number of the others that neither run again nor were taken over. */
  pendingCount: number;
  /** Regions for which it does not wait, although they had begun. */
  excused: ReadonlySet<RegionId>;
}

export type FailoverEvent = MasterToFailoverEvent | DelayElapsedEvent;

/** Whether the answer of a backoff, which may be user code, is valid. */
function isValid({ canRestart, delayMs, newAttempt }: BackoffAnswer): boolean {
  const isDelay = typeof delayMs === 'number' && delayMs >= 0 && delayMs <= longestTimerMs;
  return typeof canRestart === 'boolean' && typeof newAttempt === 'boolean' && (isDelay || !canRestart);
}

/** The results that the restart will read and that are not verified yet. */
export function unverified({ proposal, verified }: FailoverContext): readonly PartitionId[] {
  return proposal.kind === 'restart' ? proposal.reads.filter((partition) => !verified.has(partition)) : [];
}

function restarting({ proposal }: FailoverContext): readonly RegionId[] {
  return proposal.kind === 'restart' ? proposal.regions : [];
}

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
    needsNoAnswer: ({ context }) =>
      context.quarantine.kind !== 'none' || context.failure.vertex === undefined || context.answer !== undefined,
    needsNoBackoff: ({ context }) => context.quarantine.kind !== 'none',
    someAreLost: (_, { lostCount }: { lostCount: number }) => lostCount > 0,
    isUnrecoverable: ({ context }) => context.unrecoverable !== undefined,
    isBadBackoff: (_, answer: BackoffAnswer) => !isValid(answer),
    mayRestart: (_, { canRestart }: { canRestart: boolean }) => canRestart,
    isAwaited: ({ context }, { region }: { region: RegionId }) => !context.waiting.has(region),
    isComplete: ({ context }) => context.pendingCount === 0,
  },
});

const toMaster = ({ context }: { context: FailoverContext }): FailoverInput['master'] => context.master;

/** The implementations that the failover chart names: its decision as a value, and events to the master. */
export const failoverSetup = base.extend({
  actions: {
    classify: base.enqueueActions(({ context: { classify, judge, failed }, enqueue }) => {
      const verdict = classify(failed);
      const lostPartitions = Object.freeze(verdict.kind === 'partition-lost' ? [...verdict.partitions] : []);
      const failure: TaskFailure = Object.freeze({ ...failed, lostPartitions });
      enqueue.assign({
        failure,
        unrecoverable: verdict.kind === 'unrecoverable' ? verdict.why : undefined,
        quarantine: judge(failure, verdict),
      });
      enqueue({ type: 'recordFailure', params: { failure, verdict } });
    }),
    propose: assign(({ context: { propose, failure, answer } }) => ({ proposal: propose(failure, answer) })),
    proposeEverything: assign(({ context }) => ({ proposal: context.proposeEverything() })),
    takeAnswer: assign((_, { decision }: StrategyAnswer) => ({ answer: { decision } })),
    noteVerified: assign({ verified: ({ context }) => new Set([...context.verified, ...unverified(context)]) }),
    noteSizes: assign(({ context }, { found }: { found: readonly FoundResult[] }) => ({
      sizes: new Map([...context.sizes, ...found.map((result) => [result.id.partition, result] as const)]),
    })),
    warnOfStrategy: sendTo(toMaster, ({ context: { failover } }, { problem }: { problem: string }) => ({
      type: 'failover.overruled',
      failover,
      part: 'failoverStrategy' as const,
      problem,
      instead: 'restart all',
    })),
    warnOfBackoff: sendTo(toMaster, ({ context: { failover } }, { problem }: { problem: string }) => ({
      type: 'failover.overruled',
      failover,
      part: 'restartBackoff' as const,
      problem,
      instead: 'the default backoff',
    })),
    takeBackoff: assign(({ context }, { delayMs, newAttempt, restartsLeft }: BackoffAnswer) => ({
      restartsLeft,
      restartAtMs: context.clock.now() + delayMs,
      newAttempt,
    })),
    refuseByStrategy: assign(({ context: { proposal } }) => {
      if (proposal.kind !== 'fail') return {};
      const { cause, why = 'the failover strategy decided to fail the job' } = proposal;
      return { refusal: { cause, why } };
    }),
    refuseAsUnrecoverable: assign(({ context }) => ({
      refusal: { cause: context.failure.cause, why: context.unrecoverable ?? '' },
    })),
    refuseByBackoff: assign(({ context }, { backoff, newAttempt }: { backoff: string; newAttempt: boolean }) => ({
      newAttempt,
      refusal: { cause: context.failure.cause, why: `the ${backoff} allows no more restarts` },
    })),
    announceDecision: sendTo(toMaster, ({ context }) => ({
      type: 'failover.decided',
      failover: context.failover,
      failure: context.failure,
      restart: context.proposal as Restart,
      quarantine: context.quarantine,
      sizes: context.sizes,
      restartAtMs: context.restartAtMs,
      newAttempt: context.newAttempt,
      restartsLeft: context.restartsLeft,
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
      regions: restarting(context).filter((region) => !context.excused.has(region)),
      failedAtMs: context.failure.atMs,
    })),
    awaitRegions: assign(({ context }) => {
      const regions = restarting(context);
      const waiting = new Set(regions.filter(context.mayWait));
      return { waiting, pendingCount: regions.length - waiting.size };
    }),
    /** They are told before any region can have settled. */
    excuseRegions: assign(({ context }, { regions }: { regions: readonly RegionId[] }) => {
      const waiting = new Set([...context.waiting, ...regions]);
      const pendingCount = restarting(context).filter((region) => !waiting.has(region)).length;
      return { waiting, pendingCount, excused: new Set(regions) };
    }),
    countRegion: assign(({ context }) => ({ pendingCount: context.pendingCount - 1 })),
  },
});
