import type { ExecutionVertexId } from '../../ids.ts';
import type { JobRun } from '../../run/job-run.ts';
import { insideOf } from '../../run/run-inside.ts';
import type { SpeculationOptions } from '../../run/executors/speculation-option.ts';
import type { SeededRandom } from '../seeded-random.ts';

/** Tasks that a seed slows down, so that they get a second attempt. */
export interface DrawnSlowness {
  /** The share of attempts that are slow. */
  readonly share: number;
  readonly speculation: SpeculationOptions;
}

/** Draws which tasks are slow; undefined for none, without speculation. */
export function drawSlowness(random: SeededRandom): DrawnSlowness | undefined {
  if (!random.chance(0.4)) return undefined;
  return {
    share: random.pick([0.3, 0.6, 0.9]),
    speculation: {
      ratio: random.pick([0.01, 0.01, 0.5]),
      multiplier: 1,
      minimumMs: random.pick([0, 0, 30]),
      checkIntervalMs: random.pick([1, 10]),
      repeatCalls: true,
    },
  };
}

/** Slows attempts of a run down as they begin, and lets some of them be fast again once a second attempt has begun. */
export function slowTasks(run: JobRun, { share }: DrawnSlowness, random: SeededRandom): void {
  const { controls, environment } = insideOf(run);
  const slow = (vertex: number, delayMs: number): void => {
    environment.clock.setImmediate(() => {
      // A job that fails or is canceled has nothing left to slow down.
      if (run.status === 'running') controls.slowConsumer(vertex as ExecutionVertexId, delayMs);
    });
  };
  run.events$.subscribe((event) => {
    if (event.type === 'task.speculated' && random.chance(0.4)) slow(event.vertex, 0);
    if (event.type !== 'task.stateChanged' || event.state !== 'initializing') return;
    if (random.chance(share)) slow(event.vertex, random.integer(5, 200));
  });
}
