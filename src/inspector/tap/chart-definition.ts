import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { propertyOf } from '../../foreign-value.ts';
import type { ChartState, ChartTransition } from '../recording/recording-line.ts';

/** A transition as XState keeps it. */
interface Transition {
  readonly eventType: string;
  readonly guard?: unknown;
  readonly target?: readonly AnyStateNode[] | undefined;
  readonly actions: readonly unknown[];
}

/** The definition of a chart: its states with their transitions; guards and actions by name. */
export function chartDefinition(machine: AnyStateMachine): ChartState {
  return stateOf(machine.root);
}

function stateOf(node: AnyStateNode): ChartState {
  const [initial] = node.type === 'compound' ? ((node.initial?.target ?? []) as readonly AnyStateNode[]) : [];
  return {
    key: node.key,
    type: node.type,
    ...(initial !== undefined && { initial: initial.key }),
    states: (Object.values(node.states) as AnyStateNode[]).map(stateOf),
    transitions: [...[...node.transitions.values()].flat(), ...(node.always ?? [])].map((each) =>
      transitionOf(each as unknown as Transition),
    ),
    entry: actionsOf(node.entry, node),
    exit: actionsOf(node.exit, node),
    invokes: node.invoke.map(({ src, id }) => (typeof src === 'string' ? src : id)),
    tags: [...node.tags],
  };
}

function transitionOf({ eventType, guard, target, actions }: Transition): ChartTransition {
  return {
    event: eventType,
    guard: guardName(guard),
    targets: (target ?? []).map(pathOf),
    actions: actions.map(actionName),
  };
}

/** `live.running`; empty for the root. */
export function pathOf(node: AnyStateNode): string {
  return node.path.join('.');
}

/** The name of a guard; undefined if there is none. */
export function guardName(guard: unknown): string | undefined {
  if (guard === undefined) return undefined;
  if (typeof guard === 'string') return guard;
  const type = propertyOf(guard, 'type');
  return typeof type === 'string' ? type : functionName(guard);
}

/** The name of an action. */
export function actionName(action: unknown): string {
  if (typeof action === 'string') return action;
  const type = propertyOf(action, 'type');
  return typeof type === 'string' ? type : functionName(action);
}

function functionName(value: unknown): string {
  const name = propertyOf(value, 'name');
  return typeof name === 'string' && name !== '' ? name : '(anonymous)';
}

/** Without the timers of delayed transitions, which appear as transitions, and without the recording of states. */
function actionsOf(actions: readonly unknown[], node: AnyStateNode): string[] {
  return actions.filter((action) => !isTimer(action) && !isStateTap(action, node)).map(actionName);
}

function isTimer(action: unknown): boolean {
  const id = propertyOf(action, 'id') ?? propertyOf(action, 'sendId');
  return typeof id === 'string' && id.startsWith('xstate.after.');
}

function isStateTap(action: unknown, node: AnyStateNode): boolean {
  return propertyOf(action, 'type') === 'recordState' && propertyOf(propertyOf(action, 'params'), 'state') === node.key;
}
