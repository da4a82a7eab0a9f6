import type { PlacedRegistration } from '../../actors/executor-gateway.ts';
import { toError } from '../../errors/thrown-value.ts';
import { modeByPlan } from '../../failover/restart-plan.ts';
import type { AttemptNumber, ExecutionVertexId, ResultPartitionId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-pool.ts';
import type { JobServices } from '../job-services.ts';
import { type RegionActorRef, regionMachine } from './region-machine.ts';

/** Implements the actions that the region chart names. */
export function provideRegion({
  ledger,
  environment,
  gateway,
  delay,
  observe,
}: Pick<JobServices, 'ledger' | 'environment' | 'gateway' | 'delay' | 'observe'>): typeof regionMachine {
  /** Answers the region. `first` is blamed for what no task is to blame for. */
  const register = (
    partitions: readonly PlacedRegistration[],
    first: ExecutionVertexId,
    attempt: AttemptNumber,
    self: Pick<RegionActorRef, 'send'>,
  ): void => {
    const done: Parameters<typeof gateway.registerPartitions>[1] = (failed) => {
      if (failed === undefined) self.send({ type: 'region.partitionsRegistered', token: attempt });
      else self.send({ type: 'region.partitionRegistrationFailed', token: attempt, ...failed });
    };
    try {
      gateway.registerPartitions(partitions, done);
    } catch (thrown) {
      done({ producer: first, cause: toError(thrown) });
    }
  };
  return regionMachine.provide({
    actors: { delay },
    actions: {
      recordState: ({ context: { region } }, { state }) => {
        observe({ type: 'region.stateChanged', atMs: environment.clock.now(), region, state });
      },
      registerPartitions: ({ context: { vertices, attempt, plan }, self }, { slots }) => {
        const partitions: PlacedRegistration[] = [];
        for (let index = 0; index < vertices.length; index++) {
          const { executor } = slots[index] as Slot;
          const registrations = ledger.beginRegistration(
            vertices[index] as ExecutionVertexId,
            attempt,
            modeByPlan[plan],
          );
          for (const registration of registrations) partitions.push({ executor, registration });
        }
        register(partitions, vertices[0] as ExecutionVertexId, attempt, self);
      },
      registerAdopted: ({ context: { vertices, attempt }, self }, { executor, stored }) => {
        const adopted = ledger.adopt(vertices, attempt, stored).map((registration) => ({ executor, registration }));
        register(adopted, vertices[0] as ExecutionVertexId, attempt, self);
      },
      releaseFinishedPartitions: ({ context: { vertices, attempt, plan } }) => {
        const isNew = modeByPlan[plan] === 'new';
        const ids: ResultPartitionId[] = [];
        for (let index = 0; index < vertices.length; index++) {
          for (const { id, exchange } of ledger.attempts.resultsOf(vertices[index] as ExecutionVertexId, attempt)) {
            if (isNew || exchange.joinsRegions) ids.push(id);
          }
        }
        if (ids.length > 0) gateway.releasePartitions(ids);
      },
    },
  });
}
