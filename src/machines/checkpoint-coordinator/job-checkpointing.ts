import type { BarrierAlignment } from '../../actors/protocol/checkpoint-messages.ts';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import type { CoordinatorSettings } from './coordinator-setup.ts';

/** How a job is checkpointed. */
export interface JobCheckpointing extends CoordinatorSettings {
  readonly alignment: BarrierAlignment;
  /** How many completed checkpoints of each component are kept. */
  readonly retained: number;
  readonly storage: CheckpointStorage;
  /** The name of a component's checkpoints in the storage, by its first head, unless it continues others. */
  readonly scopeOf: (head: string) => string;
}
