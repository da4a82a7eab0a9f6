import { type ActorRef, type ActorRefFrom, type Snapshot, setup } from 'xstate';
import type { DelayElapsedEvent, DelayInput } from '../actors/delay-actor.ts';
import type { FailoverToMasterEvent, MasterToFailoverEvent } from '../actors/chart-events.ts';
import type { Clock } from '../environment.ts';
import { OperationTimeoutError, toError } from '../errors.ts';
import type { TaskFailure } from '../failover/failover-strategy.ts';
import type { SoundDecision } from '../failover/sound-decision.ts';
import { show } from '../foreign-value.ts';
import type { FailoverId, RegionId } from '../ids.ts';
import { placeholder, placeholderActor } from './placeholder.ts';

/** Whoever opens failovers: the job master. */
export type FailoverParentRef = ActorRef<Snapshot<unknown>, FailoverToMasterEvent>;

/**
 * The failover chart: one failure, from the question which regions restart until the last of them runs again.
 *
 * F0 The results that the restart will read are looked at, until none more is found missing: a chain of lost results costs
 *    one restart. Those of the smallest sound restart before anybody is asked, those of what the strategy wants beyond it
 *    when it has answered.
 * F1 The restart set is computed before the backoff is asked, even if the job will fail (Flink's order).
 * F2 An unrecoverable failure is refused without asking the backoff.
 * F3 A strategy that throws, answers nonsense or misses its deadline is overruled by restart-all; a backoff that does, by
 *    the engine's default, whose attempts end. Both are said in a warning. Extension never costs correctness.
 * F4 What is restarted is closed under the rules of recovery, whatever the strategy named.
 * F5 It is completed when each of its regions runs again or was taken over by a newer failover.
 */
export interface FailoverInput {
  readonly failover: FailoverId;
  readonly failure: TaskFailure;
  /** Whether a restart of these regions (undefined: the smallest sound one) will read results that nobody has looked at. */
  readonly readsUnverified: (regions: readonly RegionId[] | undefined) => boolean;
  /** Why no restart can help; undefined if one may. */
  readonly unrecoverable: string | undefined;
  readonly master: FailoverParentRef;
  readonly clock: Clock;
  /** How long a strategy or a backoff may take to answer. */
  readonly deadlineMs: number;
  /** Checks an answer: the sound set of regions and why it is larger than asked for, or what is wrong with the answer. */
  readonly completeDecision: (decision: unknown) => CompleteDecision;
  readonly allRegions: () => readonly RegionId[];
}

/** A sound decision with all whom it concerns. */
export type CompleteDecision =
  | (Extract<SoundDecision, { kind: 'restart' }> & {
      /** Regions, among those that restart, that have not begun and wait once more for what is produced again. */
      readonly waiting: readonly RegionId[];
    })
  | Exclude<SoundDecision, { kind: 'restart' }>;

export interface FailoverContext extends FailoverInput {
  regions: readonly RegionId[];
  /** Those that produce again what they have produced. */
  again: readonly RegionId[];
  /** Those that have not begun, and wait once more for what is produced again. */
  waiting: readonly RegionId[];
  /** What the strategy answered, */
  decision: unknown;
  /** and what comes of it, as things are known to be. */
  complete: CompleteDecision | undefined;
  why: string | undefined;
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
    /**
     * Looks at the results that a restart of `regions` (undefined: the smallest sound one) will read; the answer comes
     * back as `failover.resultsVerified`.
     */
    verifyResults: (_, _params: { regions: readonly RegionId[] | undefined }) =>
      placeholder('failover', 'verifyResults'),
    /** Puts the question to the failover strategy; the answer comes back as `failover.strategyDecided` or `…Failed`. */
    askStrategy: () => placeholder('failover', 'askStrategy'),
    /** Puts the question to the restart backoff of the failed region. */
    askBackoff: () => placeholder('failover', 'askBackoff'),
    /** Puts it to the engine's own instead; the answer comes back as `failover.defaultBackoffDecided`. */
    askDefaultBackoff: () => placeholder('failover', 'askDefaultBackoff'),
  },
  guards: {
    isGlobal: ({ context }) => context.failure.vertex === undefined,
    readsUnverified: ({ context }) => context.readsUnverified(undefined),
    decisionReadsUnverified: ({ context }) => context.readsUnverified(context.regions),
    someAreLost: ({ event }) => event.type === 'failover.resultsVerified' && event.lostCount > 0,
    isUnrecoverable: ({ context }) => context.unrecoverable !== undefined,
    isSoundRestart: ({ context }) => context.complete?.kind === 'restart',
    isSoundRefusal: ({ context }) => context.complete?.kind === 'fail',
    isInsaneBackoff: ({ event }) => event.type === 'failover.backoffDecided' && !isSane(event),
    mayRestart: ({ event }) => isBackoffAnswer(event) && event.canRestart,
    isLastRegion: ({ context }) => context.pendingCount <= 1,
  },
});

const { assign, sendTo } = base;

const toMaster = ({ context }: { context: FailoverContext }): FailoverInput['master'] => context.master;

const failoverSetup = base.extend({
  actions: {
    /** Also when more was found to be lost: then the same answer restarts more. */
    judgeDecision: assign(({ context, event }) => {
      const decision = event.type === 'failover.strategyDecided' ? event.decision : context.decision;
      return { decision, complete: context.completeDecision(decision) };
    }),
    takeDecision: assign(({ context: { complete } }) => {
      if (complete?.kind !== 'restart') return {};
      const { regions, again, waiting, why } = complete;
      return { regions, again, waiting, why };
    }),
    refuseByStrategy: assign(({ context: { complete } }) => {
      if (complete?.kind !== 'fail') return {};
      const { cause, why = 'the failover strategy decided to fail the job' } = complete;
      return { refusal: { cause, why } };
    }),
    takeAllRegions: assign(({ context }) => ({
      regions: context.allRegions(),
      again: [],
      waiting: [],
      why: undefined,
    })),
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
      failure: context.failure,
      regions: context.regions,
      again: context.again,
      waiting: context.waiting,
      restartAtMs: context.restartAtMs,
      newAttempt: context.newAttempt,
      why: context.why,
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
      regions: context.regions,
      failedAtMs: context.failure.atMs,
    })),
    awaitRegions: assign(({ context }) => ({ pendingCount: context.regions.length })),
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

function problemOf(context: FailoverContext, event: FailoverEvent): string {
  switch (event.type) {
    case 'failover.strategyDecided':
      return context.complete?.kind === 'nonsense' ? context.complete.problem : 'no problem';
    case 'failover.strategyFailed':
    case 'failover.backoffFailed':
      return `it threw: ${toError(event.cause).message}`;
    case 'failover.backoffDecided':
      return `it answered canRestart ${show(event.canRestart)}, delayMs ${show(event.delayMs)}, newAttempt ${show(event.newAttempt)}`;
    default:
      return new OperationTimeoutError('the decision', context.deadlineMs).message;
  }
}

const deadline = {
  src: 'delay',
  input: ({ context }: { context: FailoverContext }): DelayInput => ({
    clock: context.clock,
    withinMs: context.deadlineMs,
  }),
} as const;

const overruleStrategy = { target: 'checking', actions: ['takeAllRegions', 'warnOfStrategy'] } as const;
const overruleBackoff = { target: 'askingDefaultBackoff', actions: 'warnOfBackoff' } as const;
const restartIfAllowed = { guard: 'mayRestart', target: 'restarting', actions: 'takeBackoff' } as const;

export const failoverMachine = failoverSetup.createMachine({
  id: 'failover',
  context: ({ input }) => ({
    ...input,
    regions: [],
    again: [],
    waiting: [],
    decision: undefined,
    complete: undefined,
    why: undefined,
    refusal: undefined,
    restartAtMs: 0,
    newAttempt: true,
    pendingCount: 0,
  }),
  initial: 'opened',
  states: {
    /** A global failure takes every region and bypasses the strategy. */
    opened: {
      always: [
        { guard: 'isGlobal', target: 'checking', actions: 'takeAllRegions' },
        { guard: 'readsUnverified', target: 'verifying' },
        { target: 'askingStrategy' },
      ],
    },
    verifying: {
      entry: { type: 'verifyResults', params: { regions: undefined } },
      invoke: deadline,
      on: {
        // A lost result brings in its producer, and what that one reads.
        'failover.resultsVerified': [
          { guard: 'someAreLost', target: 'verifying', reenter: true },
          { target: 'askingStrategy' },
        ],
        // What was not found out in time shows when it is read.
        'delay.elapsed': 'askingStrategy',
      },
    },
    askingStrategy: {
      entry: 'askStrategy',
      invoke: deadline,
      on: {
        'failover.strategyDecided': { target: 'judging', actions: 'judgeDecision' },
        'failover.strategyFailed': overruleStrategy,
        'delay.elapsed': overruleStrategy,
      },
    },
    judging: {
      always: [
        { guard: 'isSoundRestart', target: 'verifyingDecision', actions: 'takeDecision' },
        { guard: 'isSoundRefusal', target: 'refused', actions: 'refuseByStrategy' },
        overruleStrategy,
      ],
    },
    verifyingDecision: {
      initial: 'deciding',
      states: {
        deciding: {
          always: [{ guard: 'decisionReadsUnverified', target: 'looking' }, { target: '#failover.checking' }],
        },
        looking: {
          entry: { type: 'verifyResults', params: ({ context }) => ({ regions: context.regions }) },
          invoke: deadline,
          on: {
            'failover.resultsVerified': { target: '#failover.judging', actions: 'judgeDecision' },
            'delay.elapsed': '#failover.checking',
          },
        },
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
