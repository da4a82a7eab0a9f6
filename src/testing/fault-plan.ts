import type { FaultPoints } from '../environment.ts';
import { KintsugiError } from '../errors/kintsugi-error.ts';
import { checkFunction, checkInteger, checkOptions } from '../options.ts';

/** The place of a fault point, as described by the code that reaches it. */
export type FaultPlace = Readonly<Record<string, unknown>>;

/** When a fault fires, among the times its point is reached. */
export interface FaultTrigger {
  /** Count only places for which this is true. Default: every place. */
  readonly when?: ((place: FaultPlace) => boolean) | undefined;
  /** Number of matching reaches to skip first. Default 0. */
  readonly skip?: number | undefined;
  /** How often it fires. Default 1. */
  readonly times?: number | undefined;
}

/** An armed fault. */
export interface Fault {
  /** Name of its fault point. */
  readonly name: string;
  /** Matching reaches so far. */
  readonly matched: number;
  readonly fired: number;
  /** Disarms the fault. */
  disarm(): void;
}

/** The default error of a fault. A restart cures it. */
export class InjectedFaultError extends KintsugiError {
  readonly code = 'INJECTED_FAULT';
  readonly fault: string;
  readonly place: FaultPlace;

  constructor(fault: string, place: FaultPlace) {
    super(`The fault armed at "${fault}" fired${describePlace(place)}`);
    this.fault = fault;
    this.place = place;
  }
}

/**
 * Faults, armed by the name of their point. Counts what was reached and what fired, so that a test can prove that its
 * fault happened. Without an armed fault, `reach` only counts.
 */
export class FaultPlan implements FaultPoints {
  readonly #pointByName = new Map<string, FaultPoint>();

  /**
   * Arms a fault that throws at the point `name`: `error`, the error that it returns for the place, or an
   * {@link InjectedFaultError}.
   */
  fail(
    name: string,
    options: FaultTrigger & { readonly error?: Error | ((place: FaultPlace) => Error) | undefined } = {},
  ): Fault {
    checkOptions(`fail("${name}")`, options, { when: true, skip: true, times: true, error: true });
    const { error, ...trigger } = options;
    return this.#arm(name, trigger, (place) => {
      if (error === undefined) throw new InjectedFaultError(name, place);
      throw typeof error === 'function' ? error(place) : error;
    });
  }

  /** Arms a fault that calls `action` at the point `name`, on the stack of the code that reaches it. */
  call(name: string, action: (place: FaultPlace) => void, trigger: FaultTrigger = {}): Fault {
    return this.#arm(name, trigger, action);
  }

  reach(name: string, place: FaultPlace = nowhere): void {
    const point = this.#pointByName.get(name);
    if (point === undefined) {
      this.#pointByName.set(name, { reached: 1, faults: undefined });
      return;
    }
    point.reached++;
    if (point.faults === undefined) return;
    for (const fault of point.faults) fault.reach(place);
  }

  /** How often each point was reached, by name, in the order they were first reached. */
  get reached(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [name, { reached }] of this.#pointByName) if (reached > 0) counts.set(name, reached);
    return counts;
  }

  /** All armed faults, by point. */
  get armed(): readonly Fault[] {
    return [...this.#pointByName.values()].flatMap(({ faults }) => faults ?? []);
  }

  /** How often faults fired at the point `name`; without a name, at all points. */
  fired(name?: string): number {
    return this.armed.reduce((sum, fault) => sum + (name === undefined || fault.name === name ? fault.fired : 0), 0);
  }

  /** Faults that never fired: a test that armed them proves nothing. */
  unfired(): readonly Fault[] {
    return this.armed.filter((fault) => fault.fired === 0);
  }

  #arm(name: string, trigger: FaultTrigger, action: (place: FaultPlace) => void): Fault {
    checkOptions(`the trigger of "${name}"`, trigger, { when: true, skip: true, times: true });
    const { when, skip = 0, times = 1 } = trigger;
    if (when !== undefined) checkFunction(`when of "${name}"`, when);
    checkInteger(`skip of "${name}"`, skip, 0);
    checkInteger(`times of "${name}"`, times, 1);
    const fault = new ArmedFault(name, trigger, action);
    const point = this.#pointByName.get(name);
    if (point === undefined) this.#pointByName.set(name, { reached: 0, faults: [fault] });
    else point.faults = [...(point.faults ?? []), fault];
    return fault;
  }
}

/** Creates a {@link FaultPlan} with nothing armed. */
export function faultPlan(): FaultPlan {
  return new FaultPlan();
}

interface FaultPoint {
  reached: number;
  faults: readonly ArmedFault[] | undefined;
}

const nowhere: FaultPlace = Object.freeze({});

class ArmedFault implements Fault {
  readonly name: string;
  matched = 0;
  fired = 0;
  readonly #when: ((place: FaultPlace) => boolean) | undefined;
  readonly #skip: number;
  readonly #action: (place: FaultPlace) => void;
  #left: number;

  constructor(name: string, { when, skip = 0, times = 1 }: FaultTrigger, action: (place: FaultPlace) => void) {
    this.name = name;
    this.#when = when;
    this.#skip = skip;
    this.#left = times;
    this.#action = action;
  }

  reach(place: FaultPlace): void {
    if (this.#left === 0) return;
    if (this.#when !== undefined && !this.#when(place)) return;
    if (++this.matched <= this.#skip) return;
    this.#left--;
    this.fired++;
    this.#action(place);
  }

  disarm(): void {
    this.#left = 0;
  }
}

function describePlace(place: FaultPlace): string {
  const parts = Object.entries(place).map(([key, value]) => `${key} ${String(value)}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
