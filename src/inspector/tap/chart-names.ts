import type { AnyActorRef, AnyStateMachine } from 'xstate';
import { propertyOf } from '../../foreign-value.ts';
import type { ChartLine } from '../recording/recording-line.ts';
import { chartDefinition } from './chart-definition.ts';

/** The charts seen so far, by the configuration that their machines share, with distinct names. */
export class ChartNames {
  readonly #names = new Map<unknown, string>();
  readonly #used = new Set<string>();
  #new: ChartLine[] = [];

  of(machine: AnyStateMachine): string {
    const known = this.#names.get(machine.config);
    if (known !== undefined) return known;
    let name = machine.id;
    for (let number = 2; this.#used.has(name); number++) name = `${machine.id}#${number}`;
    this.#used.add(name);
    this.#names.set(machine.config, name);
    this.#new.push({ type: 'chart', chart: name, definition: chartDefinition(machine) });
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
