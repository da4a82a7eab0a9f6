import type { ExecutorGateway, PlacedRegistration } from '../../actors/executor-gateway.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import { chartServicesOf, type JobSystem } from '../chart-services.ts';
import type { RegionActorRef } from './region-machine.ts';
import type { RegionContext } from './region-setup.ts';

const servicesOf = chartServicesOf<'gateway'>;

/** The region that registers results. */
export interface Registering {
  readonly context: Pick<RegionContext, 'vertices' | 'attempt'>;
  readonly self: Pick<RegionActorRef, 'send'>;
  readonly system: JobSystem;
}

/** Registers results and answers the region. Its first task is blamed for what no task is to blame for. */
export function register(
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
