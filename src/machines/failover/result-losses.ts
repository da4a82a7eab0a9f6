import { locationIn } from '../../failover/own-causes.ts';
import type { PartitionId } from '../../ids.ts';
import type { JobServices } from '../job-services.ts';

type Services = Pick<JobServices, 'ledger' | 'gateway' | 'observe' | 'environment'>;

/** Records a lost result, and notifies its executor and observers. */
export function loseResult(
  { ledger, gateway, observe, environment }: Services,
  partition: PartitionId,
  cause: Error,
): void {
  ledger.results.lose(partition);
  gateway.losePartition(ledger.presentResult(partition), cause);
  observe({
    type: 'partition.lost',
    atMs: environment.clock.now(),
    partition: nameOfResult({ ledger }, partition),
    cause,
    location: locationIn(cause, ledger.run),
  });
}

/** `map[2]→sums` */
export function nameOfResult({ ledger: { graph } }: Pick<JobServices, 'ledger'>, partition: PartitionId): string {
  return `${graph.nameOf(graph.producerOf(partition))}→${graph.edgeOfPartition(partition).target}`;
}
