import type { Actor, AnyStateMachine } from 'xstate';
import { interpretsCharts } from '../environment.ts';
import { type ChildOptions, createChild } from './compiled/child-actor.ts';
import { compiled } from './compiled/compiled.ts';

/**
 * The form in which the engine runs a chart of its own: compiled, unless the process is told to interpret its charts, to
 * see whether the compiled form is to blame for something.
 */
export function engineChart<Machine extends AnyStateMachine>(machine: Machine): Machine {
  return interpretsCharts ? machine : compiled(machine);
}

/** Creates one of the thousands of actors of a chart that a job may have. */
export function createChartActor<Machine extends AnyStateMachine>(
  machine: Machine,
  options: ChildOptions<Machine>,
): Actor<Machine> {
  return createChild(machine, options);
}
