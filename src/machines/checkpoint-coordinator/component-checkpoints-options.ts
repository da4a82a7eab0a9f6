import type { CheckpointGateway } from '../../actors/executor-gateway.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { BarrierAlignment } from '../../actors/protocol/checkpoint-messages.ts';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import type { CheckpointRequest } from '../../checkpoints/request-decider.ts';
import type { StreamingComponent } from '../../checkpoints/streaming-components.ts';
import type { Clock } from '../../environment.ts';
import type { CheckpointsFailedError, DrainFailedError } from '../../errors/checkpoint-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import type { ComponentCheckpoint } from './checkpoint-content.ts';
import type { CheckpointedComponent, CoordinatorParentRef, PendingActorRef } from './checkpointed-component.ts';
import type { JobTasks } from './component-tasks.ts';

/** The checkpoints of an earlier run that a component continues. */
export interface ContinuedCheckpoints {
  /** Their name in the storage. */
  readonly scope: string;
  /** The greatest number that was used for them; 0 if none was. */
  readonly lastNumber: CheckpointId;
  /** Oldest first; empty if it begins anew. */
  readonly retained: readonly ComponentCheckpoint[];
}

/** What the checkpoints of a component need. */
export interface ComponentCheckpointsOptions {
  readonly component: StreamingComponent;
  readonly job: JobTasks;
  readonly gateway: CheckpointGateway;
  readonly storage: CheckpointStorage;
  /** Names its checkpoints in the storage, unless it continues others. */
  readonly scope: string;
  readonly alignment: BarrierAlignment;
  readonly tolerableFailures: number;
  /** How long the storage is waited for, in ms: to store a complete checkpoint, and to remove an old one. */
  readonly timeoutMs: number;
  /** How many completed ones are kept. */
  readonly retained: number;
  readonly clock: Clock;
  readonly observe: (event: JobEvent) => void;
  readonly spawnPending: (
    component: CheckpointedComponent,
    request: CheckpointRequest,
    timeoutMs: number,
    coordinator: CoordinatorParentRef,
  ) => PendingActorRef;
  /** Too many failed in a row, or one that drained tasks did: the component restarts. */
  readonly failing: (cause: CheckpointsFailedError | DrainFailedError) => void;
  /** The states of an ended one are discarded. */
  readonly cleaned: () => void;
}
