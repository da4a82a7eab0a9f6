import { enqueueActions } from 'xstate';
import { toError } from '../../errors/thrown-value.ts';
import type { Slot } from '../../scheduling/slot-pool.ts';
import type { AttemptResult } from '../job-master/attempts.ts';
import type { JobMasterActorRef } from '../job-master/job-master-machine.ts';
import type { JobServices } from '../job-services.ts';
import { executionMachine } from './execution-machine.ts';

/** Implements the actions that the execution chart names. */
export function provideExecution(
  { ledger, environment, gateway, observe }: Pick<JobServices, 'ledger' | 'environment' | 'gateway' | 'observe'>,
  masterRef: () => JobMasterActorRef,
): typeof executionMachine {
  /** Releases a slot, and notifies the master if regions wait for slots. */
  const free = (slot: Slot | undefined, tell: (master: JobMasterActorRef) => void): void => {
    if (slot === undefined) return;
    ledger.slots.release([slot]);
    if (ledger.slots.pendingRequests > 0) tell(masterRef());
  };
  const release = (results: readonly AttemptResult[]): void => {
    if (results.length > 0) gateway.releasePartitions(results.map(({ id }) => id));
  };
  return executionMachine.provide({
    actions: {
      recordState: ({ context: { vertex, attempt } }, { state }) => {
        observe({
          type: 'task.stateChanged',
          atMs: environment.clock.now(),
          task: ledger.graph.nameOf(vertex),
          vertex,
          attempt,
          state,
        });
      },
      deployTask: ({ context: { vertex, attempt, slot }, self }, { mode }) => {
        try {
          gateway.deploy((slot as Slot).executor, ledger.deploymentOf(vertex, attempt, mode));
        } catch (cause) {
          self.send({ type: 'execution.fail', cause: toError(cause) });
        }
      },
      cancelTask: ({ context: { vertex, attempt, slot } }) => {
        if (slot !== undefined) gateway.cancel(slot.executor, vertex, attempt);
      },
      returnSlot: enqueueActions(({ context: { slot }, enqueue }) => {
        free(slot, (master) => enqueue.sendTo(master, { type: 'slots.returned' }));
      }),
      returnLateSlot: enqueueActions(({ enqueue }, { slot }: { slot: Slot }) => {
        free(slot, (master) => enqueue.sendTo(master, { type: 'slots.returned' }));
      }),
      // Results that are read while they are written, or may be reproduced, stay until the next attempt begins, so that
      // consumers are directed by the failover and do not fail on their own.
      releasePartitions: ({ context: { vertex, attempt } }) => {
        release(
          ledger.attempts
            .resultsOf(vertex, attempt)
            .filter(
              ({ exchange: { joinsRegions, consumption } }) =>
                joinsRegions || (consumption === 'after-producer-finished' && !ledger.mayProduceAgain(vertex)),
            ),
        );
      },
      releaseTransientPartitions: ({ context: { vertex, attempt } }) => {
        release(ledger.attempts.resultsOf(vertex, attempt).filter(({ exchange }) => exchange.joinsRegions));
      },
    },
  });
}
