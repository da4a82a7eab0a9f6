import { type ActorRef, type MachineContext, type Snapshot, setup } from 'xstate';
import type { Environment } from '../../environment.ts';
import type { FailoverDecision, FailoverRule, TaskFailure } from '../../failover/failover-strategy.ts';
import type { Topology } from '../../graph/topology.ts';
import type { FailoverId, RegionId } from '../../ids.ts';
import { engineChart } from '../engine-chart.ts';

/** The input of a failover strategy. One actor serves a whole run. */
export interface FailoverStrategyInput {
  readonly topology: Topology;
  readonly environment: Environment;
}

/** Events for a failover strategy. */
export type FailoverStrategyEvent =
  /** A task (or, without a vertex, the job) failed: answer with `failover.decided` for this failover, once. */
  | {
      readonly type: 'failover.requested';
      readonly failover: FailoverId;
      readonly failure: TaskFailure;
      readonly topology: Topology;
    }
  /** Every region of that failover runs again, or a newer failover took it over. */
  | { readonly type: 'failover.completed'; readonly failover: FailoverId; readonly regions: readonly RegionId[] };

/** Events that a failover strategy emits. */
export interface FailoverStrategyEmitted {
  readonly type: 'failover.decided';
  readonly failover: FailoverId;
  readonly decision: FailoverDecision;
}

export type FailoverStrategyActorRef = ActorRef<Snapshot<unknown>, FailoverStrategyEvent, FailoverStrategyEmitted>;

/**
 * The pre-typed `setup` of a failover strategy: machines made from it fit `failoverStrategy` of a run.
 *
 * The machine answers each `failover.requested` with one emitted `failover.decided` that names at least the failed
 * task's region. The engine adds regions that correctness requires (a consumer of a restarted region, a producer of a
 * lost result) and says so in the `failover.decided` event of the run. A machine that throws, gives an invalid answer
 * or misses its deadline is overruled by restart-all, with a warning.
 *
 * @example
 * ```ts
 * import { failoverStrategySetup, restartPipelinedRegion } from 'kintsugi';
 * import { assign, emit } from 'xstate';
 *
 * const careful = failoverStrategySetup<{ failures: number }>().createMachine({
 *   context: { failures: 0 },
 *   on: {
 *     'failover.requested': {
 *       actions: [
 *         assign({ failures: ({ context }) => context.failures + 1 }),
 *         emit(({ context, event }) => ({
 *           type: 'failover.decided',
 *           failover: event.failover,
 *           decision:
 *             context.failures > 3
 *               ? { kind: 'fail', cause: event.failure.cause, why: 'three failures are enough' }
 *               : restartPipelinedRegion()(event.failure, event.topology),
 *         })),
 *       ],
 *     },
 *   },
 * });
 * ```
 */
export function failoverStrategySetup<Context extends MachineContext = MachineContext>() {
  return setup({
    types: {} as {
      context: Context;
      input: FailoverStrategyInput;
      events: FailoverStrategyEvent;
      emitted: FailoverStrategyEmitted;
    },
  });
}

/** Wraps a rule in a strategy machine, which decides each failure separately. */
export function failoverStrategyMachine(rule: FailoverRule) {
  const ruleSetup = failoverStrategySetup<{ topology: Topology }>();
  return engineChart(
    ruleSetup.createMachine({
      id: 'failoverStrategy',
      context: ({ input }) => ({ topology: input.topology }),
      on: {
        'failover.requested': {
          actions: ruleSetup.emit(({ event }) => {
            const { failover, failure, topology } = event as Extract<
              FailoverStrategyEvent,
              { type: 'failover.requested' }
            >;
            return { type: 'failover.decided', failover, decision: rule(failure, topology) };
          }),
        },
      },
    }),
  );
}
