import type { ExecutorGateway, PlacedRegistration } from '../../actors/executor-gateway.ts';
import { toError } from '../../errors/thrown-value.ts';
import { modeByPlan } from '../../failover/restart-plan.ts';
import type { ExecutionVertexId, ResultPartitionId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-pool.ts';
import { chartServicesOf, type JobSystem } from '../chart-services.ts';
import type { RegionActions, RegionActorRef } from './region-machine.ts';
import type { RegionContext } from './region-setup.ts';

const servicesOf = chartServicesOf<'ledger' | 'environment' | 'gateway' | 'observe'>;

/** Implements the actions that the region chart names. */
export const regionActions: RegionActions = {
  recordState: ({ context: { region }, system }, { state }) => {
    const { observe, environment } = servicesOf(system);
    observe({ type: 'region.stateChanged', atMs: environment.clock.now(), region, state });
  },
  registerPartitions: ({ context, self, system }, { slots }) => {
    const { ledger } = servicesOf(system);
    const { vertices, attempt, plan } = context;
    const partitions: PlacedRegistration[] = [];
    for (let index = 0; index < vertices.length; index++) {
      const { executor } = slots[index] as Slot;
      const registrations = ledger.beginRegistration(vertices[index] as ExecutionVertexId, attempt, modeByPlan[plan]);
      for (const registration of registrations) partitions.push({ executor, registration });
    }
    register(partitions, { context, self, system });
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
      for (const { id, exchange } of ledger.attempts.resultsOf(vertices[index] as ExecutionVertexId, attempt)) {
        if (isNew || exchange.joinsRegions) ids.push(id);
      }
    }
    if (ids.length > 0) gateway.releasePartitions(ids);
  },
};

/** The region that registers results. */
interface Registering {
  readonly context: Pick<RegionContext, 'vertices' | 'attempt'>;
  readonly self: Pick<RegionActorRef, 'send'>;
  readonly system: JobSystem;
}

/** Registers results and answers the region. Its first task is blamed for what no task is to blame for. */
function register(
  partitions: readonly PlacedRegistration[],
  { context: { vertices, attempt }, self, system }: Registering,
): void {
  const done: Parameters<ExecutorGateway['registerPartitions']>[1] = (failed) => {
    if (failed === undefined) self.send({ type: 'region.partitionsRegistered', token: attempt });
    else self.send({ type: 'region.partitionRegistrationFailed', token: attempt, ...failed });
  };
  try {
    servicesOf(system).gateway.registerPartitions(partitions, done);
  } catch (thrown) {
    done({ producer: vertices[0] as ExecutionVertexId, cause: toError(thrown) });
  }
}
