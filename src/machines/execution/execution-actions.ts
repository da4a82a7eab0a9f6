import { enqueueActions } from 'xstate';
import { toError } from '../../errors/thrown-value.ts';
import type { Slot } from '../../scheduling/slot-pool.ts';
import type { JobMasterActorRef } from '../job-master/job-master-machine.ts';
import type { JobServices } from '../job-services.ts';
import { executionMachine } from './execution-machine.ts';

/** The executions of a job: what their chart names, done. */
export function provideExecution(
  { ledger, environment, gateway, observe }: JobServices,
  masterRef: () => JobMasterActorRef,
): typeof executionMachine {
  /** Gives a slot back; if regions wait for some, the master hears of it. */
  const release = (slot: Slot | undefined, tell: (master: JobMasterActorRef) => void): void => {
    if (slot === undefined) return;
    ledger.slots.release([slot]);
    if (ledger.slots.pendingRequests > 0) tell(masterRef());
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
      deployTask: ({ context: { vertex, attempt, slot }, self }) => {
        try {
          gateway.deploy((slot as Slot).executor, ledger.deploymentOf(vertex, attempt));
        } catch (cause) {
          self.send({ type: 'execution.fail', cause: toError(cause) });
        }
      },
      cancelTask: ({ context: { vertex, attempt, slot } }) => {
        if (slot !== undefined) gateway.cancel(slot.executor, vertex, attempt);
      },
      returnSlot: enqueueActions(({ context: { slot }, enqueue }) => {
        release(slot, (master) => enqueue.sendTo(master, { type: 'slots.returned' }));
      }),
      returnLateSlot: enqueueActions(({ enqueue }, { slot }: { slot: Slot }) => {
        release(slot, (master) => enqueue.sendTo(master, { type: 'slots.returned' }));
      }),
      // What is read while it is written, or may be produced again, stays until the next attempt begins: its readers are told
      // what to do by the failover, and not by an error of their own.
      releasePartitions: ({ context: { vertex, attempt } }) => {
        gateway.releasePartitions(
          ledger.attempts.resultsOf(vertex, attempt).filter(({ partition }) => {
            const { joinsRegions, consumption } = ledger.graph.exchangeOfPartition(partition);
            return joinsRegions || (consumption === 'after-producer-finished' && !ledger.mayProduceAgain(vertex));
          }),
        );
      },
      releaseTransientPartitions: ({ context: { vertex, attempt } }) => {
        gateway.releasePartitions(
          ledger.attempts
            .resultsOf(vertex, attempt)
            .filter((id) => ledger.graph.exchangeOfPartition(id.partition).joinsRegions),
        );
      },
    },
  });
}
