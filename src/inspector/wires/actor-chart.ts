import type { AnyActorRef } from 'xstate';
import { chartDefinition } from '../tap/chart-definition.ts';
import { machineOf } from '../tap/chart-names.ts';
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
