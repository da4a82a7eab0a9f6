import { enqueueActions } from 'xstate';
import { toError } from '../../errors/thrown-value.ts';
import type { ExecutionState } from '../../actors/protocol/states.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-offers.ts';
import type { AttemptResult } from '../job-master/attempts.ts';
import type { JobMasterActorRef } from '../job-master/job-master-machine.ts';
import { chartServicesOf, type JobSystem } from '../chart-services.ts';
import type { ExecutionActions } from './execution-machine.ts';

const servicesOf = chartServicesOf<
  'ledger' | 'environment' | 'gateway' | 'observe' | 'master' | 'checkpoints' | 'slowTasks'
>;

/** Implements the actions that the execution chart names. */
export const executionActions: ExecutionActions = {
  recordState: ({ context: { vertex, attempt }, system }, { state }) => {
    // A rival is not the task, unless it is preferred.
    if (servicesOf(system).ledger.attemptOf(vertex) === attempt) reportState(vertex, attempt, state, system);
  },
  deployTask: ({ context: { vertex, attempt, slot }, self, system }, { mode }) => {
    const { ledger, gateway, checkpoints, slowTasks } = servicesOf(system);
    try {
      const mayRepeat = slowTasks?.mayRepeat(ledger.graph.jobVertexIndexOf(vertex)) === true;
      const deployment = ledger.deploymentOf(vertex, attempt, mode);
      gateway.deploy((slot as Slot).executor, {
        ...(checkpoints?.restored(deployment) ?? deployment),
        ...(mayRepeat && { asksToCommit: true }),
      });
    } catch (cause) {
      self.send({ type: 'execution.fail', cause: toError(cause) });
    }
  },
  cancelTask: ({ context: { vertex, attempt, slot }, system }) => {
    if (slot !== undefined) servicesOf(system).gateway.cancel(slot.executor, vertex, attempt);
  },
  commitTask: ({ context: { vertex, attempt, slot }, system }) => {
    if (slot !== undefined) servicesOf(system).gateway.commit(slot.executor, vertex, attempt);
  },
  returnSlot: enqueueActions(({ context: { slot }, enqueue, system }) => {
    if (slot !== undefined) free(slot, enqueue, system);
  }),
  returnLateSlot: enqueueActions(({ enqueue, system }, { slot }: { slot: Slot }) => free(slot, enqueue, system)),
  // Results that are read while they are written, or may be reproduced, stay until the next attempt begins, so that
  // consumers are directed by the failover and do not fail on their own.
  releasePartitions: ({ context: { vertex, attempt }, system }) => {
    const { ledger } = servicesOf(system);
    release(
      ledger.attempts
        .resultsOf(vertex, attempt)
        .filter(
          ({ exchange: { joinsRegions, consumption } }) =>
            joinsRegions || (consumption === 'after-producer-finished' && !ledger.mayProduceAgain(vertex)),
        ),
      system,
    );
  },
  releaseTransientPartitions: ({ context: { vertex, attempt }, system }) => {
    const { ledger } = servicesOf(system);
    release(
      ledger.attempts.resultsOf(vertex, attempt).filter(({ exchange }) => exchange.joinsRegions),
      system,
    );
  },
};

/** Tells observers of the state of a task's current attempt. */
export function reportState(
  vertex: ExecutionVertexId,
  attempt: AttemptNumber,
  state: ExecutionState,
  system: JobSystem,
): void {
  const { ledger, environment, observe } = servicesOf(system);
  const task = ledger.graph.nameOf(vertex);
  observe({ type: 'task.stateChanged', atMs: environment.clock.now(), task, vertex, attempt, state });
}

/** The part of an action's enqueuer that sends events to the master. */
interface MasterTeller {
  sendTo(target: JobMasterActorRef, event: { readonly type: 'slots.returned' }): void;
}

/** Releases a slot, and notifies the master if regions wait for slots. */
export function free(slot: Slot, enqueue: MasterTeller, system: JobSystem): void {
  const { ledger, master } = servicesOf(system);
  ledger.slots.release([slot]);
  if (ledger.slots.pendingRequests > 0) enqueue.sendTo(master, { type: 'slots.returned' });
}

function release(results: readonly AttemptResult[], system: JobSystem): void {
  if (results.length > 0) servicesOf(system).gateway.releasePartitions(results.map(({ id }) => id));
}
