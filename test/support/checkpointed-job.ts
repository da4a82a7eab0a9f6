import type { TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import type { AttemptOfTask, BarrierPlace } from '../../src/actors/protocol/checkpoint-messages.ts';
import { toPlainError } from '../../src/plain-error.ts';
import type { AttemptNumber, CheckpointId } from '../../src/ids.ts';
import { checkpointsOf } from '../../src/machines/chart-services.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { CheckpointCoordinatorRef } from '../../src/machines/checkpoint-coordinator/checkpoint-coordinator-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { InstantStorage, type StorageFaults } from './instant-storage.ts';
import { ManualCluster, type ManualClusterOptions } from './manual-cluster.ts';

/** Time between two checkpoints, in ms. */
const intervalMs = 1_000_000;

/** Delay of a restart, in ms. */
const restartDelayMs = 100;

interface CheckpointedJobOptions
  extends Pick<ManualClusterOptions, 'vertices' | 'edges' | 'failoverStrategy' | 'restartBackoff'> {
  readonly faults?: StorageFaults;
  readonly mayRestart?: boolean;
  readonly checkpointing?: ManualClusterOptions['checkpointing'];
}

/** A job with checkpoints under the real master, whose tasks a case plays. */
export class CheckpointedJob {
  readonly cluster: ManualCluster;
  readonly storage: InstantStorage;

  constructor({ faults = {}, mayRestart = true, checkpointing = {}, ...job }: CheckpointedJobOptions) {
    this.storage = new InstantStorage(faults);
    this.cluster = new ManualCluster({
      ...job,
      checkpointing: { intervalMs, storage: this.storage, tolerableFailures: Infinity, ...checkpointing },
      ...(mayRestart ? {} : { restartBackoff: restartBackoffMachine(noRestart()) }),
    });
  }

  get coordinators(): CheckpointCoordinatorRef[] {
    return [...(checkpointsOf(this.cluster.master)?.coordinators() ?? [])];
  }

  /** Whether every component of the job is checkpointed from time to time. */
  get isPeriodic(): boolean {
    return this.coordinators.every((coordinator) => coordinator.getSnapshot().matches({ open: { timer: 'on' } }));
  }

  get isShutDown(): boolean {
    return this.coordinators.every((coordinator) => coordinator.getSnapshot().matches('stopped'));
  }

  get pendingCount(): number {
    return this.coordinators.reduce((count, one) => count + one.getSnapshot().context.pending.length, 0);
  }

  trigger(): void {
    for (const coordinator of this.coordinators) {
      coordinator.send({ type: 'checkpoint.requested', kind: 'checkpoint', isForced: false, isPeriodic: false });
    }
    this.cluster.clock.advance(0);
  }

  /** Every running task acknowledges, with a state that names it. */
  acknowledgeAll(checkpoint: number): void {
    for (const task of this.cluster.tasks) {
      if (this.cluster.stateOf(task) === 'running') this.acknowledge(checkpoint, task);
    }
  }

  /** A task acknowledges, with a state that names it. */
  acknowledge(checkpoint: number, task: string, outputs: readonly BarrierPlace[] = []): void {
    this.cluster.say({
      ...{ type: 'checkpoint.acknowledged', checkpoint: checkpoint as CheckpointId, ...this.#attemptOf(task) },
      ...{ state: { kind: 'inline', state: { task } as never }, outputs },
      statistics: { bytes: 1, referencedBytes: 0, alignmentMs: 0, snapshotMs: 0, writeMs: 0 },
    });
  }

  /** A task cannot capture its state. */
  decline(checkpoint: number, task: string): void {
    this.cluster.say({
      ...{ type: 'checkpoint.declined', checkpoint: checkpoint as CheckpointId, ...this.#attemptOf(task) },
      ...{ reason: 'noState', cause: toPlainError(new Error('it keeps a socket')) },
    });
  }

  /** Checkpoints of every component complete, up to this number. */
  completeUpTo(checkpoint: number): void {
    for (let number = 1; number <= checkpoint; number++) {
      this.trigger();
      this.acknowledgeAll(number);
    }
  }

  #attemptOf(task: string): AttemptOfTask {
    return { vertex: this.cluster.vertex(task), attempt: this.cluster.attemptOf(task) as AttemptNumber };
  }

  /** Tasks that are told to end do so. */
  endCanceled(): void {
    for (const task of this.cluster.tasks) {
      if (this.cluster.stateOf(task) === 'canceling') this.cluster.report(task, 'canceled');
    }
  }

  /** Restarts are due. @returns what is deployed then */
  passRestartDelay(): TaskDeployment[] {
    const before = this.cluster.deployments.length;
    this.cluster.clock.advance(restartDelayMs);
    return this.cluster.deployments.slice(before);
  }
}

/** Tasks by name, `a[0]`, as vertices; the tasks of a region are a pipeline. */
export function pipelinesOf(
  regions: readonly (readonly string[])[],
): Required<Pick<ManualClusterOptions, 'vertices' | 'edges'>> {
  const ids = (regions[0] ?? []).map((task) => task.slice(0, task.indexOf('[')));
  return {
    vertices: ids.map((id) => ({ id, parallelism: regions.length })),
    edges: ids.slice(1).map((to, index) => ({
      from: ids[index] as string,
      to,
      exchange: exchangeTypes.pipelined,
      pattern: 'pointwise',
    })),
  };
}
