import { type ActorRef, type MachineContext, type Snapshot, setup } from 'xstate';
import type { Environment } from '../../environment.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import type { RestartBackoffRule } from '../../failover/backoffs/restart-backoff.ts';
import type { FailoverId } from '../../ids.ts';
import { callNow } from '../../user-code.ts';
import { engineChart } from '../engine-chart.ts';

/** The input of a restart backoff. One actor serves one region, unless `backoffScope` is `job`. */
export interface RestartBackoffInput {
  readonly environment: Environment;
}

/** Events for a restart backoff: a failure, to be answered once with `backoff.decided` for this failover. */
export interface RestartBackoffEvent {
  readonly type: 'backoff.requested';
  readonly failover: FailoverId;
  readonly failure: TaskFailure;
  /** On the environment's clock. */
  readonly nowMs: number;
}

/** Events that a restart backoff emits. */
export interface RestartBackoffEmitted {
  readonly type: 'backoff.decided';
  readonly failover: FailoverId;
  readonly canRestart: boolean;
  /** Delay from now, at least 0. */
  readonly delayMs: number;
  /** False if the failure was merged into the restart already planned. */
  readonly newAttempt: boolean;
  /** How many more failures may follow this one until the job fails, for observers; absent if unknown. */
  readonly restartsLeft?: number;
}

export type RestartBackoffActorRef = ActorRef<Snapshot<unknown>, RestartBackoffEvent, RestartBackoffEmitted>;

/**
 * The pre-typed `setup` of a restart backoff: machines made from it fit `restartBackoff` of a run.
 *
 * The machine answers each `backoff.requested` with one emitted `backoff.decided`. A machine that throws, gives an
 * invalid answer or misses its deadline is overruled for that failure by `exponentialDelay()`, which counts only such
 * failures, in the same scope, and fails the job after five attempts. The event `failover.overruled` reports it.
 *
 * Each failing region has its own actor, and all share the run's actor system, so do not give its children a
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

/** Wraps a rule in a backoff machine. */
export function restartBackoffMachine<State>(rule: RestartBackoffRule<State>) {
  const ruleSetup = restartBackoffSetup<{ environment: Environment; state: State; newAttempt: boolean }>();
  return engineChart(
    ruleSetup.createMachine({
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
              ...restartsLeft(rule, context.state, event.nowMs),
            })),
          ],
        },
      },
    }),
  );
}

function restartsLeft<State>(rule: RestartBackoffRule<State>, state: State, nowMs: number) {
  if (rule.restartsLeft === undefined) return {};
  return { restartsLeft: answerOf('restartsLeft', () => rule.restartsLeft?.(state, nowMs) as number) };
}

/** The synchronous answer of a rule. @throws its error; or an error for a promise, whose outcome is ignored */
function answerOf<Answer>(question: string, ask: () => Answer): Answer {
  const answer = callNow(question, ask);
  if (answer.kind === 'error') throw answer.error;
  return answer.value;
}
