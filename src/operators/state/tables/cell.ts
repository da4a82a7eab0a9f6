import type { CheckpointId } from '../../../ids.ts';

/** The state of a key. It changes in place, because a `Map` that is written for every record takes twice the time. */
export interface Cell {
  accumulator: unknown;
}

/**
 * What changed between two snapshots: first the deletions, then the cells. Nobody changes it, unless it becomes the base
 * of its table.
 */
export interface Layer {
  /** The first checkpoint that has it. */
  readonly checkpoint: CheckpointId;
  readonly cells: Map<unknown, Cell>;
  readonly deleted: ReadonlySet<unknown>;
}
