import { resolve } from 'node:path';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkBoolean, checkOptions } from '../../options.ts';
import type { SavepointKind } from '../../partitions/stream-element.ts';

/** How a run begins with the state of another one. */
export interface SavepointOptions {
  /**
   * The directory of a savepoint, as `run.savepoint` resolved with it: sources continue at its positions, and operators with
   * its states, found by uid, also at another parallelism. Needs the option `checkpoints`.
   */
  readonly fromSavepoint?: string | undefined;
  /** Whether states of steps that the job does not have any more are dropped. Default: they are refused. */
  readonly allowRemovedState?: boolean | undefined;
}

/** How a run stops with a savepoint. */
export interface StopWithSavepointOptions {
  /**
   * Whether that is the end of its input: what aggregates and `process` hold until then is handed on before the savepoint,
   * and the run ends as finished. Default: they keep it, for the run that continues.
   */
  readonly drain?: boolean | undefined;
}

/** @throws InvalidArgumentError */
export function stoppingKind(options: StopWithSavepointOptions): Exclude<SavepointKind, 'savepoint'> {
  checkOptions('stopWithSavepoint', options, { drain: true });
  const { drain = false } = options;
  checkBoolean('stopWithSavepoint.drain', drain);
  return drain ? 'drain' : 'stop';
}

/** The savepoint with which a run begins. */
export interface ChosenSavepoint {
  /** Its absolute path. */
  readonly directory: string;
  readonly allowRemovedState: boolean;
}

/** @throws InvalidArgumentError */
export function resolveSavepoint(
  { fromSavepoint, allowRemovedState }: SavepointOptions,
  isCheckpointed: boolean,
): ChosenSavepoint | undefined {
  if (allowRemovedState !== undefined && typeof allowRemovedState !== 'boolean') {
    throw new InvalidArgumentError('allowRemovedState', allowRemovedState, 'true or false');
  }
  if (fromSavepoint === undefined) {
    if (allowRemovedState !== true) return undefined;
    throw new InvalidArgumentError('allowRemovedState', allowRemovedState, 'given together with fromSavepoint');
  }
  if (typeof fromSavepoint !== 'string' || fromSavepoint === '') {
    throw new InvalidArgumentError('fromSavepoint', fromSavepoint, 'the directory of a savepoint');
  }
  if (!isCheckpointed) {
    throw new InvalidArgumentError('fromSavepoint', fromSavepoint, 'given together with checkpoints');
  }
  return { directory: resolve(fromSavepoint), allowRemovedState: allowRemovedState ?? false };
}
