import { enqueueActions } from 'xstate';
import type { ExecutionState } from '../../actors/protocol/states.ts';
import type { AttemptNumber, ExecutionVertexId, ResultPartitionId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-offers.ts';
import { type ChartServices, chartServicesOf, type JobSystem } from '../chart-services.ts';
import { type ExecutionActorRef, executionGroups } from '../execution/execution-machine.ts';
import { free, reportState } from '../execution/execution-actions.ts';
import { shownState } from '../state-tap.ts';
import type { RegionActions } from './region-machine.ts';
import type { RegionContext } from './region-setup.ts';
import { register } from './register-results.ts';
import type { Preferred } from './rival-setup.ts';

type Attempts = ChartServices['ledger']['attempts'];

type Rival = NonNullable<ReturnType<Attempts['rivalOf']>>;

const servicesOf = chartServicesOf<'ledger' | 'environment' | 'gateway' | 'observe'>;

/** Implements the actions that the region chart names for a task with two attempts. */
export const rivalActions = {
  declineSlot: enqueueActions(({ enqueue, system }, { slot }: { slot: Slot }) => free(slot, enqueue, system)),
  registerRival: ({ context, self, system }, { slot, ranMs, allowedMs }) => {
    const { ledger, observe, environment } = servicesOf(system);
    const { vertices, attempt: beside, lastAttempt: attempt } = context;
    const vertex = taskOf(context);
    const { executor } = slot;
    const task = ledger.graph.nameOf(vertex);
    const atMs = environment.clock.now();
    observe({ type: 'task.speculated', atMs, task, vertex, attempt, beside, executor, ranMs, allowedMs });
    const registrations = ledger.beginRivalRegistration(vertex, attempt);
    register(
      registrations.map((registration) => ({ executor, registration })),
      { context: { vertices, attempt }, self, system },
    );
  },
  preferRival: ({ context, system }, preferred) => {
    const { ledger } = servicesOf(system);
    const vertex = taskOf(context);
    const { attempt, execution, executor } = ledger.attempts.rivalOf(vertex) as Rival;
    ledger.attempts.preferRival(vertex);
    ledger.results.begin(vertex, attempt, 'new');
    ledger.results.place(vertex, attempt, executor);
    reportPreferred(vertex, preferred, system);
    reportState(vertex, attempt, stateOf(execution), system);
  },
  reportPreferred: ({ context, system }, preferred) => reportPreferred(taskOf(context), preferred, system),
  dropRival: ({ context, system }) => {
    const { ledger, gateway } = servicesOf(system);
    const vertex = taskOf(context);
    const ids = resultsOfRival(ledger.attempts, vertex);
    if (ids.length > 0) gateway.releasePartitions(ids);
    ledger.attempts.dropRival(vertex);
  },
} satisfies Partial<RegionActions>;

/** The results of a task's rival; none if it has no rival. */
export function resultsOfRival(attempts: Attempts, vertex: ExecutionVertexId): ResultPartitionId[] {
  const rival = attempts.rivalOf(vertex);
  return rival === undefined ? [] : attempts.resultsOf(vertex, rival.attempt).map(({ id }) => id);
}

function reportPreferred(vertex: ExecutionVertexId, preferred: Preferred, system: JobSystem): void {
  const { ledger, observe, environment } = servicesOf(system);
  observe({
    type: 'speculation.decided',
    atMs: environment.clock.now(),
    task: ledger.graph.nameOf(vertex),
    vertex,
    attempt: ledger.attemptOf(vertex),
    instead: ledger.attempts.rivalOf(vertex)?.attempt as AttemptNumber,
    ...preferred,
  });
}

function taskOf({ vertices }: Pick<RegionContext, 'vertices'>): ExecutionVertexId {
  return vertices[0] as ExecutionVertexId;
}

function stateOf(execution: ExecutionActorRef): ExecutionState {
  return shownState<ExecutionState>(execution.getSnapshot().value, executionGroups) as ExecutionState;
}
