import type { AnyStateMachine } from 'xstate';
import { interpretsCharts } from '../environment.ts';
import { compiled } from './compiled/compiled.ts';

/**
 * The form in which the engine runs a chart of its own: compiled, unless the process is told to interpret its charts, to
 * see whether the compiled form is to blame for something.
 */
export function engineChart<Machine extends AnyStateMachine>(machine: Machine): Machine {
  return interpretsCharts ? machine : compiled(machine);
}

export { createChild } from './compiled/child-actor.ts';
