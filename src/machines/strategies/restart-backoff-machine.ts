import { type ActorRef, type MachineContext, type Snapshot, setup } from 'xstate';
import type { Environment } from '../../environment.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import type { RestartBackoffRule } from '../../failover/backoffs/restart-backoff.ts';
import type { FailoverId } from '../../ids.ts';
import { callNow } from '../../user-code.ts';

/** What a restart backoff is started with. One actor serves one region, unless the run says one for the job. */
export interface RestartBackoffInput {
  readonly environment: Environment;
}

/** What a restart backoff is told: a failure, to be answered with `backoff.decided` for this failover, once. */
export interface RestartBackoffEvent {
  readonly type: 'backoff.requested';
  readonly failover: FailoverId;
  readonly failure: TaskFailure;
  /** On the environment's clock. */
  readonly nowMs: number;
}

/** What a restart backoff emits. */
export interface RestartBackoffEmitted {
  readonly type: 'backoff.decided';
  readonly failover: FailoverId;
  readonly canRestart: boolean;
  /** How long to wait from now; 0 or more. */
  readonly delayMs: number;
  /** False if the failure was merged into the restart that is already planned. */
  readonly newAttempt: boolean;
}

export type RestartBackoffActorRef = ActorRef<Snapshot<unknown>, RestartBackoffEvent, RestartBackoffEmitted>;

/**
 * The pre-typed `setup` of a restart backoff: machines made from it fit `restartBackoff` of a run.
 *
 * The machine answers each `backoff.requested` with one emitted `backoff.decided`. One that throws, answers nonsense or
 * misses its deadline is overruled for that failure by `exponentialDelay()`, which counts only those failures, in the same
 * scope, and ends the job after five attempts; an event `failover.overruled` says so.
 *
 * Each region that fails has an actor of its own, and all of them share the run's actor system: give its children no
 * `systemId`.
 */
export function restartBackoffSetup<Context extends MachineContext = MachineContext>() {
  return setup({
    types: {} as {
      context: Context;
      input: RestartBackoffInput;
      events: RestartBackoffEvent;
      emitted: RestartBackoffEmitted;
    },
  });
}

/** A rule as a backoff machine. */
export function restartBackoffMachine<State>(rule: RestartBackoffRule<State>) {
  const ruleSetup = restartBackoffSetup<{ environment: Environment; state: State; newAttempt: boolean }>();
  return ruleSetup.createMachine({
    id: 'restartBackoff',
    context: ({ input }) => ({ environment: input.environment, state: rule.initial, newAttempt: true }),
    on: {
      'backoff.requested': {
        actions: [
          ruleSetup.assign(({ context, event }) => {
            const { random } = context.environment;
            const noted = callNow('onFailure', () => rule.onFailure(context.state, event.nowMs, random));
            if (noted.kind === 'error') throw noted.error;
            const { state, newAttempt } = noted.value;
            return { state, newAttempt };
          }),
          ruleSetup.emit(({ context, event }) => ({
            type: 'backoff.decided',
            failover: event.failover,
            canRestart: answerOf('canRestart', () => rule.canRestart(context.state, event.nowMs)),
            delayMs: answerOf('delayMs', () => rule.delayMs(context.state, event.nowMs)),
            newAttempt: context.newAttempt,
          })),
        ],
      },
    },
  });
}

/** What a rule answers at once. @throws what it threw, and for a promise, which is silenced */
function answerOf<Answer>(question: string, ask: () => Answer): Answer {
  const answer = callNow(question, ask);
  if (answer.kind === 'error') throw answer.error;
  return answer.value;
}
