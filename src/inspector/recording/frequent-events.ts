import type { JobEvent } from '../../actors/job-event.ts';
import { type ExecutionState, executionStates, type RegionState, regionStates } from '../../actors/protocol/states.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { AttemptNumber, ExecutionVertexId, RegionId } from '../../ids.ts';
import type { ChangesLine } from './recording-line.ts';

/** An event that a `changes` line expresses. */
export type FrequentEvent = Extract<JobEvent, { type: 'task.stateChanged' | 'task.ended' | 'region.stateChanged' }>;

/** The first number of a change: the state of a task by its index, of a region by its index from here, */
export const firstRegionState = 32;
/** or the end of an attempt. */
export const attemptEnded = 64;

/** The events of a line, in order. What a damaged line says of unknown tasks or states is left out. */
export function* eventsOf({ atMs, changes }: ChangesLine, graph: ExecutionGraph): Generator<FrequentEvent> {
  let at = 0;
  const next = (): number => changes[at++] ?? NaN;
  while (at < changes.length) {
    const what = next();
    const who = next();
    const time = atMs + next() / 1_000;
    if (what >= firstRegionState && what < attemptEnded) {
      const state = regionStates[what - firstRegionState] as RegionState;
      if (state !== undefined) yield { type: 'region.stateChanged', atMs: time, region: who as RegionId, state };
      continue;
    }
    const vertex = who as ExecutionVertexId;
    const attempt = next() as AttemptNumber;
    const [recordsIn, recordsOut] = what === attemptEnded ? [next(), next()] : [0, 0];
    const state = executionStates[what] as ExecutionState | undefined;
    if (!(vertex < graph.vertexCount)) continue;
    const about = { atMs: time, task: graph.nameOf(vertex), vertex, attempt };
    if (what === attemptEnded) yield { type: 'task.ended', ...about, recordsIn, recordsOut, isCurtailed: false };
    else if (state !== undefined) yield { type: 'task.stateChanged', ...about, state };
  }
}
