import type { AnyActorRef } from 'xstate';
import { propertyOf } from '../../foreign-value.ts';
import { executionMachine } from '../../machines/execution/execution-machine.ts';
import { regionMachine } from '../../machines/region/region-machine.ts';
import type { JobShape } from '../../run/folds/job-shape.ts';
import { ActorNumbers } from '../recording/actors/actor-numbers.ts';
import { machineOf } from './chart-names.ts';

/** The machines of the actors whose states are events of the job. */
export const engineMachines = [regionMachine, executionMachine];

/** Tells regions and executions from other actors. */
export class EngineActors {
  readonly #numbers: ActorNumbers;

  constructor(shape: JobShape) {
    this.#numbers = new ActorNumbers(shape);
  }

  /** The number of a region or an execution; undefined for another actor. */
  numberOf(ref: AnyActorRef): number | undefined {
    switch (machineOf(ref)?.config) {
      case regionMachine.config:
        return this.#numbers.of({ chart: 'region', region: inInput(ref, 'region') });
      case executionMachine.config:
        return this.#numbers.of({
          chart: 'execution',
          task: inInput(ref, 'vertex'),
          attempt: inInput(ref, 'attempt'),
        });
      default:
        return undefined;
    }
  }
}

/** A snapshot cannot be read while the actor is being made; its input can. */
function inInput(ref: AnyActorRef, name: string): number {
  return propertyOf(propertyOf(propertyOf(ref, 'options'), 'input'), name) as number;
}
