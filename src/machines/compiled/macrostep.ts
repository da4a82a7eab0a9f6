import { type AnyStateMachine, type EventObject, stopChild } from 'xstate';
import { assigned, assigns, changedChildren } from './builtin-actions.ts';
import { type ChartPlans, idle } from './chart-plans.ts';
import {
  type ActionArgs,
  type ActionFunction,
  type BuiltinAction,
  type ChartAction,
  type ChartSnapshot,
  type ChartTransition,
  implementationsOf,
  type Scope,
  type Surroundings,
} from './chart-shapes.ts';
import { enqueuedBy, enqueues } from './enqueued-actions.ts';
import { ended, movedTo, withContext } from './chart-snapshot.ts';
import type { Candidate, Choice, Configuration, Plan, PlanStep } from './configuration.ts';
import { admits, passes } from './guards.ts';
import { EnqueuedSend, type SendAction, sendAfter, sends } from './sent-events.ts';

/** More actions than this by one `enqueueActions` share one effect. */
const mostSeparateEffects = 64;

/** The reaction of an actor to one event, with all events that it raises and all eventless transitions that follow. */
export class Macrostep {
  readonly #plans: ChartPlans;
  readonly #machine: AnyStateMachine;
  readonly #scope: Scope;
  #event: EventObject;
  #snapshot: ChartSnapshot;
  #at: Configuration;
  #surroundings: Surroundings | undefined;
  /** Raised events before this one were handled. */
  #handled = 0;
  /**
   * Whether an actor does its actions at once. Before it starts, actions and effects wait in one line; and XState's pure
   * `transition` only collects them.
   */
  readonly #isLive: boolean;

  constructor(plans: ChartPlans, snapshot: ChartSnapshot, event: EventObject, scope: Scope) {
    this.#isLive = event.type !== 'xstate.init' && isScopeOfActor(scope);
    this.#plans = plans;
    this.#machine = snapshot.machine;
    this.#snapshot = snapshot;
    this.#event = event;
    this.#scope = scope;
    this.#at = plans.of(snapshot._nodes);
  }

  /** An event has arrived. */
  transition(): ChartSnapshot {
    this.#microstep(this.#selected());
    return this.#settled();
  }

  /** The actor begins. */
  begin(): ChartSnapshot {
    this.#take(this.#plans.initial);
    return this.#settled();
  }

  /** The actor is stopped. */
  stop(): ChartSnapshot {
    this.#snapshot = ended(this.#withoutChildren(), { status: 'stopped' });
    this.#inspect(idle);
    return this.#snapshot;
  }

  #settled(): ChartSnapshot {
    let mayBeEventless = true;
    while (this.#snapshot.status === 'active') {
      const before: ChartSnapshot = this.#snapshot;
      let plan: Plan = mayBeEventless && this.#at.eventless.length > 0 ? this.#eventless() : idle;
      const isEventless: boolean = plan.transitions.length > 0;
      if (!isEventless) {
        if (!this.#takeRaised()) break;
        plan = this.#selected();
      }
      this.#microstep(plan);
      mayBeEventless = !isEventless || this.#snapshot !== before;
    }
    if (this.#snapshot.status !== 'active') this.#withoutChildren();
    return this.#snapshot;
  }

  #takeRaised(): boolean {
    const raised = this.#surroundings?.internalQueue;
    if (raised === undefined || this.#handled === raised.length) return false;
    this.#event = raised[this.#handled++] as EventObject;
    return true;
  }

  // Selection

  #selected(): Plan {
    const choice = this.#plans.choice(this.#at, this.#event.type);
    if (choice.inner.length === 0) {
      const candidate = this.#admitted(choice);
      if (candidate === undefined) return idle;
      return (candidate.plan ??= this.#plans.plan(this.#at, [candidate.transition]));
    }
    const transitions = this.#collect(choice);
    return transitions.length === 0 ? idle : this.#plans.plan(this.#at, transitions);
  }

  #admitted({ own }: Choice): Candidate | undefined {
    for (const candidate of own) {
      if (admits(candidate.transition, this.#snapshot, this.#event)) return candidate;
    }
    return undefined;
  }

  #collect(choice: Choice): ChartTransition[] {
    const inner = choice.inner.flatMap((one) => this.#collect(one));
    if (inner.length > 0) return inner;
    const candidate = this.#admitted(choice);
    return candidate === undefined ? [] : [candidate.transition];
  }

  #eventless(): Plan {
    const taken: Candidate[] = [];
    for (const candidates of this.#at.eventless) {
      for (const candidate of candidates) {
        const { guard } = candidate.transition;
        if (guard !== undefined && !passes(guard, this.#snapshot, this.#event)) continue;
        if (!taken.some(({ transition }) => transition === candidate.transition)) taken.push(candidate);
        break;
      }
    }
    const [first] = taken;
    if (first === undefined) return idle;
    if (taken.length > 1) return this.#eventlessPlan(taken);
    return (first.plan ??= this.#eventlessPlan(taken));
  }

  #eventlessPlan(taken: readonly Candidate[]): Plan {
    return this.#plans.eventlessPlan(
      this.#at,
      taken.map(({ transition }) => transition),
    );
  }

  // Effects

  #microstep(plan: Plan): void {
    this.#take(plan);
    this.#inspect(plan);
  }

  #inspect({ transitions }: Plan): void {
    this.#scope.system._sendInspectionEvent({
      type: '@xstate.microstep',
      actorRef: this.#scope.self,
      event: this.#event,
      snapshot: this.#snapshot,
      _transitions: transitions,
    });
  }

  #take({ steps, next }: Plan): void {
    for (const step of steps) this.#do(step);
    if (next === undefined) return;
    this.#at = next;
    this.#snapshot = movedTo(next, this.#snapshot);
  }

  #do(step: PlanStep): void {
    switch (step.kind) {
      case 'act':
        this.#snapshot =
          step.invoked === undefined
            ? this.#perform(step.actions, this.#snapshot, this.#common, undefined)
            : this.#enterInvoking(step.actions, step.invoked);
        break;
      case 'state-done':
        this.#common.internalQueue.push(this.#stateDone(step.id, step.output));
        break;
      case 'chart-done':
        this.#snapshot = ended(this.#snapshot, { status: 'done', output: this.#output(step.by) });
        break;
    }
  }

  get #common(): Surroundings {
    return (this.#surroundings ??= { internalQueue: [], deferredActorIds: undefined });
  }

  /** Actions may send to children that are about to exist; they are looked up when all do. */
  #enterInvoking(actions: readonly ChartAction[], deferredActorIds: readonly string[]): ChartSnapshot {
    const retries: [BuiltinAction, unknown][] = [];
    const { internalQueue } = this.#common;
    const entered = this.#perform(actions, this.#snapshot, { internalQueue, deferredActorIds }, retries);
    for (const [action, params] of retries) action.retryResolve?.(this.#scope, entered, params);
    return entered;
  }

  #stateDone(id: string, output: unknown): EventObject {
    const resolved = output === undefined ? undefined : this.#resolved(output, this.#event);
    return { type: `xstate.done.state.${id}`, output: resolved } as EventObject;
  }

  #output(by: { readonly id: string; readonly output: unknown; readonly parent: unknown }): unknown {
    const { output } = this.#plans.root;
    if (output === undefined) return undefined;
    return this.#resolved(output, this.#stateDone(by.id, by.parent === undefined ? undefined : by.output));
  }

  #resolved(output: unknown, event: EventObject): unknown {
    if (typeof output !== 'function') return output;
    return (output as (args: object) => unknown)({ context: this.#snapshot.context, event, self: this.#scope.self });
  }

  /** Stops its children. Returns the snapshot without them. */
  #withoutChildren(): ChartSnapshot {
    const stops = Object.values(this.#snapshot.children).map((child) => stopChild(child) as unknown as ChartAction);
    if (stops.length === 0) return this.#snapshot;
    return this.#perform(stops, this.#snapshot, { internalQueue: [], deferredActorIds: undefined }, undefined);
  }

  #perform(
    actions: readonly ChartAction[],
    before: ChartSnapshot,
    surroundings: Surroundings,
    retries: [BuiltinAction, unknown][] | undefined,
    scope = this.#scope,
  ): ChartSnapshot {
    const { self, system } = scope;
    const event = this.#event;
    let now = before;
    let args: ActionArgs = { context: now.context, event, self, system };
    for (const action of actions) {
      const { context } = now;
      if (args.context !== context) args = { context, event, self, system };
      const found = this.#found(action);
      let params: unknown;
      if (typeof action === 'object' && 'params' in action) {
        params = typeof action.params === 'function' ? (action.params as ParamsOf)({ context, event }) : action.params;
      }
      if (!found || !('resolve' in found)) {
        scope.actionExecutor({ type: nameOf(action), info: args, params, exec: found });
        continue;
      }
      now = this.#performBuiltin(found as unknown as BuiltinAction, now, args, params, surroundings, retries, scope);
    }
    return now;
  }

  #found(action: ChartAction): ActionFunction | undefined {
    if (typeof action === 'function' || action instanceof EnqueuedSend) return action as ActionFunction;
    return implementationsOf(this.#machine).actions[typeof action === 'string' ? action : action.type];
  }

  #performBuiltin(
    action: BuiltinAction,
    now: ChartSnapshot,
    args: ActionArgs,
    params: unknown,
    surroundings: Surroundings,
    retries: [BuiltinAction, unknown][] | undefined,
    scope: Scope,
  ): ChartSnapshot {
    if (action.resolve === assigns && now.context) return assigned(action, now, args, params, scope);
    if (action.resolve === enqueues) {
      return this.#performMore(enqueuedBy(action, now, args, params), now, surroundings, retries, scope);
    }
    let todo: BuiltinAction = action;
    if (this.#isLive && action.resolve === sends) {
      const left = sendAfter(action as SendAction, args, params, scope);
      if (left === undefined) return now;
      todo = left;
    }
    return this.#performByXState(todo, now, args, params, surroundings, retries, scope);
  }

  #performByXState(
    action: BuiltinAction,
    now: ChartSnapshot,
    args: ActionArgs,
    params: unknown,
    surroundings: Surroundings,
    retries: [BuiltinAction, unknown][] | undefined,
    scope: Scope,
  ): ChartSnapshot {
    const changed = changedChildren(action, now, args, params, scope);
    const [resolved, given, more] =
      changed === undefined
        ? action.resolve(scope, now, args, params, action, surroundings)
        : [withContext(now, now.context, changed[0]), changed[1]];
    let next = resolved;
    if ('retryResolve' in action) retries?.push([action, given]);
    if ('execute' in action) {
      scope.actionExecutor({
        type: action.type,
        info: args,
        params: given,
        exec: action.execute?.bind(null, scope, given),
      });
    }
    if (more) next = this.#performMore(more, next, surroundings, retries, scope);
    return next;
  }

  /** The actions that an action enqueued. Their effects are one if they are many: XState takes effects off an array. */
  #performMore(
    actions: readonly ChartAction[],
    now: ChartSnapshot,
    surroundings: Surroundings,
    retries: [BuiltinAction, unknown][] | undefined,
    scope: Scope,
  ): ChartSnapshot {
    if (actions.length <= mostSeparateEffects || !this.#isLive) {
      return this.#perform(actions, now, surroundings, retries, scope);
    }
    const effects: (() => void)[] = [];
    const sharing = Object.assign(Object.create(scope) as Scope, {
      defer: (effect: () => void) => void effects.push(effect),
    });
    const next = this.#perform(actions, now, surroundings, retries, sharing);
    scope.defer(() => {
      for (const effect of effects) effect();
    });
    return next;
  }
}

/** Whether an actor does what its logic gives to this scope. */
function isScopeOfActor(scope: Scope): boolean {
  return (scope.self as unknown as { readonly _actorScope: Scope })._actorScope === scope;
}

type ParamsOf = (args: { context: unknown; event: EventObject }) => unknown;

function nameOf(action: ChartAction): string {
  if (typeof action === 'string') return action;
  return typeof action === 'object' ? action.type : action.name || '(anonymous)';
}
