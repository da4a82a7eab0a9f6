import type { AnyActorRef, AnyStateMachine } from 'xstate';
import { propertyOf } from '../../foreign-value.ts';
import type { ChartLine, ChartState } from '../recording/recording-line.ts';
import { chartDefinition } from './chart-definition.ts';

/**
 * The charts seen so far, with distinct names: by the configuration that their machines share, and those of other
 * threads by their definition.
 */
export class ChartNames {
  readonly #names = new Map<unknown, string>();
  readonly #byDefinition = new Map<string, string>();
  readonly #used = new Set<string>();
  #new: ChartLine[] = [];

  of(machine: AnyStateMachine): string {
    const known = this.#names.get(machine.config);
    if (known !== undefined) return known;
    const name = this.named(machine.id, chartDefinition(machine));
    this.#names.set(machine.config, name);
    return name;
  }

  /** The name here of a chart that is called so elsewhere. */
  named(called: string, definition: ChartState): string {
    const text = JSON.stringify([called, definition]);
    const known = this.#byDefinition.get(text);
    if (known !== undefined) return known;
    let name = called;
    for (let number = 2; this.#used.has(name); number++) name = `${called}#${number}`;
    this.#used.add(name);
    this.#byDefinition.set(text, name);
    this.#new.push({ type: 'chart', chart: name, definition });
    return name;
  }

  /** The lines of those seen since. */
  takeNew(): ChartLine[] {
    const taken = this.#new;
    this.#new = [];
    return taken;
  }
}

/** The machine of an actor; undefined if it is a promise, callback, observable or transition. */
export function machineOf(actor: AnyActorRef): AnyStateMachine | undefined {
  const logic = propertyOf(actor, 'logic');
  const isMachine = propertyOf(logic, 'root') !== undefined && propertyOf(logic, 'config') !== undefined;
  return isMachine ? (logic as AnyStateMachine) : undefined;
}
