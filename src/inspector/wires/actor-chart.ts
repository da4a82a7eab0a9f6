import type { AnyActorRef, AnyStateMachine } from 'xstate';
import { propertyOf } from '../../foreign-value.ts';
import { chartDefinition } from '../tap/chart-definition.ts';
import { chartConfig, type ConfigDialect, statusConfig } from './chart-config.ts';

/**
 * The configuration of an actor's machine as JSON, in one dialect; made once per kind of machine, because its actors
 * share it. An actor that is no machine gets that of its status.
 */
export class ActorCharts {
  readonly #dialect: ConfigDialect;
  readonly #byConfig = new WeakMap<object, string>();

  constructor(dialect: ConfigDialect) {
    this.#dialect = dialect;
  }

  of(actor: AnyActorRef): string {
    const machine = machineOf(actor);
    if (machine === undefined) return JSON.stringify(statusConfig(actor.id));
    const config = machine.config as object;
    const known = this.#byConfig.get(config);
    if (known !== undefined) return known;
    const made = JSON.stringify(chartConfig(machine.id, chartDefinition(machine), this.#dialect));
    this.#byConfig.set(config, made);
    return made;
  }
}

/** The machine of an actor; undefined if it is a promise, callback, observable or transition. */
function machineOf(actor: AnyActorRef): AnyStateMachine | undefined {
  const logic = propertyOf(actor, 'logic');
  return propertyOf(logic, 'root') === undefined ? undefined : (logic as AnyStateMachine);
}
