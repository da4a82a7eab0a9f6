import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { streamingComponents } from '../../checkpoints/streaming-components.ts';
import { untilAborted } from '../../checkpoints/until-aborted.ts';
import type { Environment } from '../../environment.ts';
import { CheckpointUnreadableError } from '../../errors/checkpoint-errors.ts';
import { SavepointUnreadableError } from '../../errors/savepoint-errors.ts';
import type { CheckpointId, ComponentId, ExecutionVertexId } from '../../ids.ts';
import type { ContinuedCheckpoints } from '../../machines/checkpoint-coordinator/component-checkpoints-options.ts';
import { type OldCheckpoints, removalOf } from '../checkpoints/old-checkpoints.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import { openSavepoint, type SavepointPlaces, savepointFiles } from './open-savepoint.ts';
import { SavepointImport } from './savepoint-import.ts';
import type { ChosenSavepoint } from './savepoint-option.ts';

export interface SavepointBeginning {
  readonly savepoint: ChosenSavepoint;
  readonly plan: JobPlan;
  readonly shape: JobShape;
  /** Where the checkpoints of the run are. */
  readonly storage: CheckpointStorage;
  readonly scopeOf: (head: string) => string;
  readonly environment: Environment;
  /** The greatest number of a checkpoint that was used before. Default: none was. */
  readonly lastNumber?: number;
  /** Default: in files. */
  readonly places?: SavepointPlaces;
  /** Removes what was copied, if it cannot begin. */
  readonly old: Pick<OldCheckpoints, 'tidy'>;
  /** Aborted if the run ends before it has begun. Default: it goes on. */
  readonly ended?: AbortSignal;
}

/** What a run begins with that continues from a savepoint. */
export interface BegunWithSavepoint {
  /** Names the savepoint. */
  readonly id: string;
  readonly components: ReadonlyMap<ComponentId, ContinuedCheckpoints>;
  /** By index of the vertex. */
  readonly plans: ReadonlyMap<number, unknown>;
}

/**
 * Reads a savepoint, and makes it the latest checkpoint of each component of a run.
 * @throws SavepointUnreadableError | SavepointMismatchError | CheckpointStorageError | CheckpointFormatError (as a rejection)
 */
export async function beginWithSavepoint(beginning: SavepointBeginning): Promise<BegunWithSavepoint> {
  const { savepoint, plan, shape, storage, scopeOf, environment, old, ended } = beginning;
  const { lastNumber = 0, places = savepointFiles } = beginning;
  const scopes: string[] = [];
  // The clock cannot see this work: files are read and synced.
  const release = places.holdsTime ? environment.hold?.() : undefined;
  try {
    const open = await openSavepoint(savepoint.directory, places);
    const { allowRemovedState } = savepoint;
    const taken = new SavepointImport({ plan, shape, savepoint: open, allowRemovedState });
    const checkpoint = (lastNumber + 1) as CheckpointId;
    const components = new Map<ComponentId, ContinuedCheckpoints>();
    for (const component of streamingComponents(shape.graph, shape.regions).list) {
      if (component.writesCompleteResults) continue;
      const scope = scopeOf(shape.graph.nameOf(component.heads[0] as ExecutionVertexId));
      scopes.push(scope);
      const taking = taken.take(component, { storage, scope, checkpoint });
      const begun = await (ended === undefined ? taking : untilAborted(taking, ended));
      if (begun !== undefined) components.set(component.id, { scope, lastNumber: checkpoint, retained: [begun] });
    }
    return { id: open.id, components, plans: taken.plans };
  } catch (error) {
    const removed = old.tidy(scopes.map((scope) => removalOf(scope, storage)));
    // A storage that does not answer holds up no end.
    if (ended?.aborted !== true) await removed;
    if (!(error instanceof CheckpointUnreadableError)) throw error;
    throw new SavepointUnreadableError(savepoint.directory, `${error.location}: ${error.problem}`, { cause: error });
  } finally {
    release?.();
  }
}
