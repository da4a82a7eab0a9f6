import type { AnyStateMachine, EventObject } from 'xstate';
import { Spawner } from './builtin-actions.ts';
import { ChartPlans } from './chart-plans.ts';
import type { ChartNode, ChartSnapshot, Scope } from './chart-shapes.ts';
import { ended, firstSnapshot } from './chart-snapshot.ts';
import { wholeScope } from './child-scope.ts';
import { Macrostep } from './macrostep.ts';
import { whyInterpreted } from './why-interpreted.ts';

/**
 * The compiled form of a machine: the same chart and the same implementations behind the same contract, which works out
 * once what XState's interpreter works out at each event, namely which states a transition leaves and enters in which
 * order, with which actions.
 *
 * CF1 Whoever looks cannot tell it from the interpreted form: snapshots, actions and their order, messages, emitted
 *   events, inspection events, errors and warnings are the same. States, values and tags in snapshots are shared, so
 *   that nobody may change them.
 * CF2 A machine that cannot have one stays interpreted, whole. See {@link whyInterpreted}.
 * CF3 Plans know no implementations: machines that `provide` makes of one another share them.
 * CF4 Effects of a reaction are taken in linear time, however many they are.
 */
export function compiled<Machine extends AnyStateMachine>(machine: Machine): Machine {
  if (whyInterpreted(machine) !== undefined || compiledForms.has(machine)) return machine;
  return form(machine, machine.implementations, new ChartPlans(machine.root as unknown as ChartNode));
}

/** Whether a machine has its compiled form. */
export function isCompiled(machine: AnyStateMachine): boolean {
  return compiledForms.has(machine);
}

const compiledForms = new WeakSet<AnyStateMachine>();

type Provided = Partial<AnyStateMachine['implementations']>;

function form<Machine extends AnyStateMachine>(
  interpreted: Machine,
  implementations: Machine['implementations'],
  plans: ChartPlans,
): Machine {
  const machine = Object.assign(Object.create(Object.getPrototypeOf(interpreted) as object) as Machine, interpreted, {
    implementations,
    transition: (snapshot: ChartSnapshot, event: EventObject, scope: Scope): ChartSnapshot => {
      if (snapshot.machine !== machine || snapshot.status !== 'active' || isUnusual(event)) {
        return interpreted.transition(snapshot as never, event, wholeScope(scope) as never) as never;
      }
      const macrostep = new Macrostep(plans, snapshot, event, scope);
      return event.type === 'xstate.stop' ? macrostep.stop() : macrostep.transition();
    },
    getInitialSnapshot: (scope: Scope, input: unknown) => initialSnapshot(machine, plans, scope, input),
    provide: ({ actions, guards, actors, delays }: Provided) =>
      form(
        interpreted,
        {
          actions: { ...implementations.actions, ...actions },
          guards: { ...implementations.guards, ...guards },
          actors: { ...implementations.actors, ...actors },
          delays: { ...implementations.delays, ...delays },
        },
        plans,
      ),
  });
  machine.restoreSnapshot = (Object.getPrototypeOf(interpreted) as Machine).restoreSnapshot.bind(machine) as never;
  compiledForms.add(machine);
  return machine;
}

/** Events that end the actor if nothing handles them, and one that is not allowed. */
function isUnusual({ type }: EventObject): boolean {
  return type === '*' || type.startsWith('xstate.error.actor');
}

function initialSnapshot(machine: AnyStateMachine, plans: ChartPlans, scope: Scope, input: unknown): ChartSnapshot {
  const { context } = machine.config as { readonly context?: object | ((args: object) => object) };
  const event = { type: 'xstate.init', input };
  let snapshot: ChartSnapshot | undefined;
  try {
    snapshot = typeof context === 'function' ? undefined : firstSnapshot(machine, plans.before, context ?? {});
    snapshot ??= withFirstContext(machine, plans, context as (args: object) => object, event, scope);
    return new Macrostep(plans, snapshot, event, scope).begin();
  } catch (error) {
    return ended(snapshot ?? firstSnapshot(machine, plans.before, {}), { status: 'error', error });
  }
}

function withFirstContext(
  machine: AnyStateMachine,
  plans: ChartPlans,
  contextOf: (args: object) => object,
  event: EventObject & { readonly input: unknown },
  scope: Scope,
): ChartSnapshot {
  let spawner: Spawner | undefined;
  const made = contextOf({
    spawn: (...args: Parameters<Spawner['spawn']>) =>
      (spawner ??= new Spawner(scope, { machine, context: {} }, event)).spawn(...args),
    input: event.input,
    self: scope.self,
  });
  return firstSnapshot(machine, plans.before, { ...made }, spawner?.spawned);
}
