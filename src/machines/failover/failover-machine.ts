import type { ActorRefFrom } from 'xstate';
import type { DelayInput } from '../../actors/delay-actor.ts';
import { toError } from '../../errors/thrown-value.ts';
import { OperationTimeoutError } from '../../errors/user-code-errors.ts';
import { show } from '../../foreign-value.ts';
import { told } from '../told.ts';
import type { BackoffAnswer } from '../strategies/regional-backoffs.ts';
import { type FailoverContext, type FailoverEvent, failoverSetup, unverified } from './failover-setup.ts';

/**
 * The failover chart: one failure, from its classification until the last restarted region that had begun runs again. Its decision is
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
 * F5 It is complete when each of its regions that had begun runs again or was taken over by a newer failover. The others
 *   wait for their inputs as before.
 * F6 A failure is classified and recorded before any decision about it.
 * F7 A restart that the user asked for is the smallest sound one, at once: neither the strategy nor the
 *   backoff is asked. It releases its region, if that is quarantined.
 * F8 A region that flaps is quarantined with the smallest sound restart, at once: neither the strategy nor the backoff
 *   is asked, so it uses up no restarts. Nor are they asked about a region that is quarantined already, which stays so
 *   with its new plan. An unrecoverable failure still fails the job.
 * F9 Regions of its restart that are quarantined or held up are not awaited.
 */

type EventOf<Type extends FailoverEvent['type']> = Extract<FailoverEvent, { type: Type }>;

const deadline = {
  src: 'delay',
  input: ({ context }: { context: FailoverContext }): DelayInput => ({
    clock: context.clock,
    withinMs: context.deadlineMs,
  }),
} as const;

// A problem of a strategy or a backoff.

const invalidProposal = ({ context: { proposal } }: { context: FailoverContext }) => ({
  problem: proposal.kind === 'invalid' ? proposal.problem : '',
});

const lateAnswer = ({ context: { deadlineMs } }: { context: FailoverContext }) => ({
  problem: new OperationTimeoutError('the decision', deadlineMs).message,
});

const thrownError = ({
  event: { cause },
}: {
  event: EventOf<'failover.strategyFailed' | 'failover.backoffFailed'>;
}) => ({
  problem: `it threw: ${toError(cause).message}`,
});

const badAnswer = ({ event: { canRestart, delayMs, newAttempt } }: { event: BackoffAnswer }) => ({
  problem: `it answered canRestart ${show(canRestart)}, delayMs ${show(delayMs)}, newAttempt ${show(newAttempt)}`,
});

const overruleStrategy = <Args>(problem: (args: Args) => { readonly problem: string }) =>
  ({ target: 'checking', actions: [{ type: 'warnOfStrategy', params: problem }, 'proposeEverything'] }) as const;

const overruleBackoff = <Args>(problem: (args: Args) => { readonly problem: string }) =>
  ({ target: 'askingDefaultBackoff', actions: { type: 'warnOfBackoff', params: problem } }) as const;

/** Restarts if the answer allows it, otherwise refuses it, naming the backoff. */
const obey = (backoff: string) =>
  [
    {
      guard: { type: 'mayRestart', params: told<BackoffAnswer> },
      target: 'restarting',
      actions: { type: 'takeBackoff', params: told<BackoffAnswer> },
    },
    {
      target: 'refused',
      actions: {
        type: 'refuseByBackoff',
        params: ({ event: { newAttempt } }: { event: BackoffAnswer }) => ({ backoff, newAttempt }),
      },
    },
  ] as const;

const noteSizes = { type: 'noteSizes', params: told<EventOf<'failover.resultsVerified'>> } as const;

export const failoverMachine = failoverSetup.createMachine({
  id: 'failover',
  // Property by property: V8 makes a slow object of a spread with more properties behind it, and each `assign` copies it.
  context: ({ input }) => ({
    failover: input.failover,
    failed: input.failed,
    classify: input.classify,
    propose: input.propose,
    proposeEverything: input.proposeEverything,
    judge: input.judge,
    mayWait: input.mayWait,
    master: input.master,
    clock: input.clock,
    deadlineMs: input.deadlineMs,
    failure: { ...input.failed, lostPartitions: [] },
    unrecoverable: undefined,
    quarantine: { kind: 'none' },
    verified: new Set(),
    sizes: new Map(),
    answer: undefined,
    proposal: { kind: 'invalid', problem: 'nothing is proposed yet' },
    refusal: undefined,
    restartAtMs: 0,
    newAttempt: true,
    restartsLeft: undefined,
    waiting: new Set(),
    pendingCount: 0,
    excused: new Set(),
  }),
  initial: 'classifying',
  states: {
    classifying: { entry: 'classify', always: 'proposing' },
    /** The smallest sound restart, or the proposal from the strategy's answer. */
    proposing: {
      entry: 'propose',
      always: [
        { guard: 'isRefusal', target: 'refused', actions: 'refuseByStrategy' },
        { guard: 'isInvalid', ...overruleStrategy(invalidProposal) },
        { guard: 'readsUnverified', target: 'verifying' },
        { target: 'proposed' },
      ],
    },
    verifying: {
      entry: { type: 'verifyResults', params: ({ context }) => ({ results: unverified(context) }) },
      exit: 'noteVerified',
      invoke: deadline,
      on: {
        'failover.resultsVerified': [
          // A lost result involves its producer, and the producer's inputs.
          { guard: { type: 'someAreLost', params: told }, target: 'proposing', actions: noteSizes },
          { target: 'proposed', actions: noteSizes },
        ],
        // A loss not found in time shows when the result is read.
        'delay.elapsed': 'proposed',
      },
    },
    proposed: { always: [{ guard: 'needsNoAnswer', target: 'checking' }, { target: 'askingStrategy' }] },
    askingStrategy: {
      entry: 'askStrategy',
      invoke: deadline,
      on: {
        'failover.strategyDecided': { target: 'proposing', actions: { type: 'takeAnswer', params: told } },
        'failover.strategyFailed': overruleStrategy(thrownError),
        'delay.elapsed': overruleStrategy(lateAnswer),
      },
    },
    checking: {
      always: [
        { guard: 'isUnrecoverable', target: 'refused', actions: 'refuseAsUnrecoverable' },
        {
          guard: 'needsNoBackoff',
          target: 'restarting',
          actions: { type: 'takeBackoff', params: { canRestart: true, delayMs: 0, newAttempt: true } },
        },
        { target: 'askingBackoff' },
      ],
    },
    askingBackoff: {
      entry: 'askBackoff',
      invoke: deadline,
      on: {
        'failover.backoffDecided': [
          { guard: { type: 'isBadBackoff', params: told }, ...overruleBackoff(badAnswer) },
          ...obey('restart backoff'),
        ],
        'failover.backoffFailed': overruleBackoff(thrownError),
        'delay.elapsed': overruleBackoff(lateAnswer),
      },
    },
    /** A later answer of the overruled backoff is ignored. */
    askingDefaultBackoff: {
      entry: 'askDefaultBackoff',
      on: {
        'failover.defaultBackoffDecided': [...obey('default backoff, asked instead of the one that was overruled,')],
      },
    },
    restarting: {
      entry: ['awaitRegions', 'announceDecision'],
      always: { guard: 'isComplete', target: 'completed' },
      on: {
        'failover.regionsExcused': { actions: { type: 'excuseRegions', params: told } },
        'failover.regionSettled': { guard: { type: 'isAwaited', params: told }, actions: 'countRegion' },
      },
    },
    completed: { type: 'final', entry: 'announceCompletion' },
    refused: { type: 'final', entry: 'announceRefusal' },
  },
});

export type FailoverActorRef = ActorRefFrom<typeof failoverMachine>;

/** The implementations that the failover chart names. */
export type FailoverActions = NonNullable<Parameters<typeof failoverMachine.provide>[0]['actions']>;
