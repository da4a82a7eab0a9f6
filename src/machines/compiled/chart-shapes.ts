import type { AnyActorRef, AnyStateMachine, EventObject } from 'xstate';

/**
 * The shapes in XState that the compiled form relies on: what its interpreter reads, and no more. Most are not in its
 * public types, so that `knownVersions` names the versions whose interpreter was compared.
 */

/** A state of a chart. */
export interface ChartNode {
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** Its place in the order of the chart's text: parents before children. */
  readonly order: number;
  readonly parent: ChartNode | undefined;
  readonly states: Readonly<Record<string, ChartNode>>;
  readonly entry: readonly ChartAction[];
  readonly exit: readonly ChartAction[];
  readonly invoke: readonly ChartInvoke[];
  readonly initial: { readonly target: readonly ChartNode[]; readonly actions: readonly ChartAction[] };
  readonly transitions: ReadonlyMap<string, readonly ChartTransition[]>;
  readonly always: readonly ChartTransition[] | undefined;
  readonly output: unknown;
  readonly tags: readonly string[];
  readonly config: { readonly invoke?: unknown };
}

export interface ChartInvoke {
  readonly id: string;
  readonly src: string;
  readonly onSnapshot?: unknown;
}

/** A transition of a chart. One without targets stays where it is. */
export interface ChartTransition {
  readonly source: ChartNode;
  readonly target: readonly ChartNode[] | undefined;
  readonly reenter: boolean;
  readonly actions: readonly ChartAction[];
  readonly guard?: ChartGuard;
}

export type Named = { readonly type: string; readonly params?: unknown };

/** A function, or the name of one among the implementations, with or without parameters. */
export type ChartAction = string | Named | ActionFunction;

export type ChartGuard = string | Named | GuardFunction;

/** An action of the user's, or one of XState's own, which is a function with properties that is never called. */
export type ActionFunction = ((args: ActionArgs, params: unknown) => unknown) & { readonly name: string };

export type GuardFunction = (args: { context: unknown; event: EventObject }, params: unknown) => unknown;

/** What XState gives to an action. */
export interface ActionArgs {
  readonly context: unknown;
  readonly event: EventObject;
  readonly self: AnyActorRef;
  readonly system: Scope['system'];
}

/** One of XState's own actions. */
export interface BuiltinAction {
  readonly type: string;
  readonly resolve: (
    scope: Scope,
    snapshot: ChartSnapshot,
    args: ActionArgs,
    params: unknown,
    action: BuiltinAction,
    surroundings: Surroundings,
  ) => readonly [ChartSnapshot, unknown, readonly ChartAction[] | undefined];
  readonly retryResolve?: (scope: Scope, snapshot: ChartSnapshot, params: unknown) => void;
  readonly execute?: (scope: Scope, params: unknown) => void;
}

/** What XState's own actions share within a macrostep. */
export interface Surroundings {
  readonly internalQueue: EventObject[];
  /** Children that the state which is being entered invokes; they may be addressed before they exist. */
  readonly deferredActorIds: readonly string[] | undefined;
}

/** What an actor gives to its logic. */
export interface Scope {
  readonly self: AnyActorRef;
  readonly system: {
    _sendInspectionEvent(event: unknown): void;
    _relay(from: AnyActorRef, to: AnyActorRef, event: EventObject): void;
  };
  defer(effect: () => void): void;
  actionExecutor(action: {
    readonly type: string;
    readonly info: ActionArgs;
    readonly params: unknown;
    readonly exec: unknown;
  }): void;
}

/** The implementations that a chart names. */
export interface Implementations {
  readonly actions: Readonly<Record<string, ActionFunction | undefined>>;
  readonly guards: Readonly<Record<string, ChartGuard | undefined>>;
  readonly actors: Readonly<Record<string, unknown>>;
}

/** A snapshot of a machine, as XState builds it. */
export interface ChartSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly output: unknown;
  readonly error: unknown;
  readonly machine: AnyStateMachine;
  readonly context: unknown;
  readonly _nodes: readonly ChartNode[];
  readonly value: unknown;
  readonly tags: ReadonlySet<string>;
  readonly children: Readonly<Record<string, AnyActorRef>>;
  readonly historyValue: unknown;
  readonly matches: unknown;
  readonly hasTag: unknown;
  readonly can: unknown;
  readonly getMeta: unknown;
  readonly toJSON: unknown;
}

/** The implementations of a machine. */
export function implementationsOf(machine: AnyStateMachine): Implementations {
  return machine.implementations as unknown as Implementations;
}
