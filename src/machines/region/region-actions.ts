import { matchesState } from 'xstate';
import type { PlacedRegistration } from '../../actors/executor-gateway.ts';
import { modeByPlan } from '../../failover/restart-plan.ts';
import type { ExecutionVertexId, ResultPartitionId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-offers.ts';
import { chartServicesOf, type JobSystem } from '../chart-services.ts';
import { register } from './register-results.ts';
import { resultsOfRival, rivalActions } from './rival-actions.ts';
import type { RegionActions, RegionActorRef } from './region-machine.ts';
import type { RegionContext } from './region-setup.ts';

const servicesOf = chartServicesOf<'ledger' | 'environment' | 'gateway' | 'observe' | 'checkpoints'>;

/** The region that registers its results. */
interface RegistrationScope {
  readonly context: RegionContext;
  readonly self: Pick<RegionActorRef, 'send'>;
  readonly system: JobSystem;
}

/** Implements the actions that the region chart names. */
export const regionActions: RegionActions = {
  ...rivalActions,
  recordState: ({ context: { region }, system }, { state }) => {
    const { observe, environment } = servicesOf(system);
    observe({ type: 'region.stateChanged', atMs: environment.clock.now(), region, state });
  },
  // What it continues from must be known first: its results begin there.
  registerPartitions: ({ context, self, system }, { slots }) => {
    const { region, attempt } = context;
    const { checkpoints } = servicesOf(system);
    const begin = (): void => {
      checkpoints?.begin(region, attempt);
      registerResults(slots, { context, self, system });
    };
    if (checkpoints === undefined || checkpoints.isSettled(region)) begin();
    else {
      checkpoints.settle(region, () => {
        const { value, context: now } = self.getSnapshot();
        if (now.attempt === attempt && matchesState({ live: { scheduled: 'registering' } }, value)) begin();
      });
    }
  },
  registerAdopted: ({ context, self, system }, { executor, stored }) => {
    const registrations = servicesOf(system).ledger.adopt(context.vertices, context.attempt, stored);
    register(
      registrations.map((registration) => ({ executor, registration })),
      { context, self, system },
    );
  },
  releaseFinishedPartitions: ({ context: { vertices, attempt, plan }, system }) => {
    const { ledger, gateway } = servicesOf(system);
    const isNew = modeByPlan[plan] === 'new';
    const ids: ResultPartitionId[] = [];
    for (let index = 0; index < vertices.length; index++) {
      const vertex = vertices[index] as ExecutionVertexId;
      for (const { id, exchange } of ledger.attempts.resultsOf(vertex, attempt)) {
        if (isNew || exchange.joinsRegions) ids.push(id);
      }
      ids.push(...resultsOfRival(ledger.attempts, vertex));
    }
    if (ids.length > 0) gateway.releasePartitions(ids);
  },
};

/** Begins the attempt: registers its results where its tasks have slots. */
function registerResults(slots: readonly Slot[], { context, self, system }: RegistrationScope): void {
  const { ledger, checkpoints } = servicesOf(system);
  const { vertices, attempt, plan } = context;
  const partitions: PlacedRegistration[] = [];
  for (let index = 0; index < vertices.length; index++) {
    const { executor } = slots[index] as Slot;
    const registrations = ledger.beginRegistration(vertices[index] as ExecutionVertexId, attempt, modeByPlan[plan]);
    for (const registration of registrations) {
      partitions.push({ executor, registration: checkpoints?.continued(registration) ?? registration });
    }
  }
  register(partitions, { context, self, system });
}
