import type { ChartAction, ChartNode, ChartTransition } from './chart-shapes.ts';
import type { Position } from './chart-snapshot.ts';
import { isLeaf, statesAround } from './state-order.ts';

/** A step of a plan. */
export type PlanStep =
  | {
      readonly kind: 'act';
      readonly actions: readonly ChartAction[];
      /** The children that the entered state invokes, if any. */
      readonly invoked: readonly string[] | undefined;
    }
  /** A state is done: raises the event that says so. */
  | { readonly kind: 'state-done'; readonly id: string; readonly output: unknown }
  /** The chart is done. `by` is the state whose end completed it. */
  | { readonly kind: 'chart-done'; readonly by: ChartNode };

/** What some transitions do in one configuration. */
export interface Plan {
  /** As an inspector is told of them. */
  readonly transitions: readonly ChartTransition[];
  readonly steps: readonly PlanStep[];
  /** undefined if the states remain the same. */
  readonly next: Configuration | undefined;
}

/** A transition that an event may take, and its plan once it was taken alone. */
export interface Candidate {
  readonly transition: ChartTransition;
  plan: Plan | undefined;
}

/** Which transitions an event may take: those of the inner states, or else the first of its own whose guard passes. */
export interface Choice {
  readonly inner: readonly Choice[];
  readonly own: readonly Candidate[];
}

/** Plans by their transitions. */
class PlanTree {
  readonly #inner = new Map<ChartTransition, PlanTree>();
  #plan: Plan | undefined;

  get(transitions: readonly ChartTransition[], make: () => Plan): Plan {
    return this.#under(transitions, 0, make);
  }

  #under(transitions: readonly ChartTransition[], depth: number, make: () => Plan): Plan {
    const transition = transitions[depth];
    if (transition === undefined) return (this.#plan ??= make());
    let inner = this.#inner.get(transition);
    if (inner === undefined) this.#inner.set(transition, (inner = new PlanTree()));
    return inner.#under(transitions, depth + 1, make);
  }
}

/**
 * A set of states that are active together, in the order in which they were entered, with everything about it that was
 * worked out before. The order counts: it is that of the regions in a state value, and regions take turns in it.
 */
export class Configuration implements Position {
  readonly nodes: readonly ChartNode[];
  readonly value: unknown;
  readonly tags: ReadonlySet<string>;
  /** For each active leaf with eventless transitions, its own and those of the states around it. */
  readonly eventless: readonly (readonly Candidate[])[];
  /** By event type. */
  readonly choices = new Map<string, Choice>();
  readonly plans = new PlanTree();
  readonly eventlessPlans = new PlanTree();

  constructor(root: ChartNode, nodes: readonly ChartNode[]) {
    this.nodes = nodes;
    this.value = valueOf(root, nodes);
    this.tags = tagsOf(nodes);
    this.eventless = nodes
      .filter(isLeaf)
      .map((leaf) => [leaf, ...statesAround(leaf)].flatMap(({ always }) => always ?? []))
      .filter((transitions) => transitions.length > 0)
      .map((transitions) => transitions.map((transition) => ({ transition, plan: undefined })));
  }
}

export function tagsOf(nodes: readonly ChartNode[]): ReadonlySet<string> {
  return new Set(nodes.flatMap(({ tags }) => tags));
}

/** The state value of a state when these states are active. Frozen, because snapshots share it. */
export function valueOf(node: ChartNode, active: readonly ChartNode[]): unknown {
  const inside = active.filter(({ parent }) => parent === node);
  const [only] = inside;
  if (node.type === 'compound' && only !== undefined && isLeaf(only)) return only.key;
  return Object.freeze(Object.fromEntries(inside.map((child) => [child.key, valueOf(child, active)])));
}
