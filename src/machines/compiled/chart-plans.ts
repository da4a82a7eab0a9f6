import { spawnChild, stopChild } from 'xstate';
import type { ChartAction, ChartNode, ChartTransition } from './chart-shapes.ts';
import type { Position } from './chart-snapshot.ts';
import {
  type Candidate,
  type Choice,
  Configuration,
  type Plan,
  type PlanStep,
  tagsOf,
  valueOf,
} from './configuration.ts';
import {
  inOrder,
  inReverseOrder,
  initialStates,
  isDone,
  statesToEnter,
  statesToLeave,
  withoutConflicts,
} from './state-order.ts';

/** Takes no transition. */
export const idle: Plan = { transitions: [], steps: [], next: undefined };

/**
 * The configurations of a chart that its actors have been in, and the plans of the transitions that they have taken.
 * Shared by all machines with the same states; implementations are no part of a plan.
 */
export class ChartPlans {
  readonly root: ChartNode;
  /** Before anything was entered. */
  readonly before: Position;
  #initial: Plan | undefined;
  readonly #byOrders = new Map<string, Configuration>();
  readonly #byNodes = new WeakMap<readonly ChartNode[], Configuration>();

  constructor(root: ChartNode) {
    this.root = root;
    this.before = { nodes: [root], value: valueOf(root, initialStates(root)), tags: tagsOf([root]) };
  }

  /** The plan that enters the chart. */
  get initial(): Plan {
    return (this.#initial ??= this.#enterChart());
  }

  /** The configuration of a snapshot. */
  of(nodes: readonly ChartNode[]): Configuration {
    let found = this.#byNodes.get(nodes);
    if (found === undefined) {
      const orders = nodes.map(({ order }) => order).join();
      found = this.#byOrders.get(orders);
      if (found === undefined) {
        found = new Configuration(this.root, nodes);
        this.#byOrders.set(orders, found);
      }
      this.#byNodes.set(nodes, found);
    }
    return found;
  }

  /** Which transitions an event of this type may take. */
  choice(at: Configuration, type: string): Choice {
    let choice = at.choices.get(type);
    if (choice === undefined) at.choices.set(type, (choice = choiceOf(this.root, at.nodes, type)));
    return choice;
  }

  /** What transitions do that an event takes. */
  plan(at: Configuration, transitions: readonly ChartTransition[]): Plan {
    return at.plans.get(transitions, () => this.#take(at, transitions, transitions));
  }

  /** What transitions do that no event takes. */
  eventlessPlan(at: Configuration, transitions: readonly ChartTransition[]): Plan {
    return at.eventlessPlans.get(transitions, () => {
      const kept = withoutConflicts(transitions, new Set(at.nodes));
      return this.#take(at, kept, kept);
    });
  }

  #enterChart(): Plan {
    const { root } = this;
    const transition = { source: root, target: initialStates(root), reenter: true, actions: [] };
    return this.#plan([], (plan) => plan.enter([transition]), [root]);
  }

  #take(at: Configuration, shown: readonly ChartTransition[], transitions: readonly ChartTransition[]): Plan {
    return this.#plan(
      shown,
      (plan) => {
        const kept = withoutConflicts(transitions, plan.active);
        plan.leave(kept);
        plan.act(kept.flatMap(({ actions }) => actions));
        plan.enter(kept);
      },
      at.nodes,
    );
  }

  #plan(
    transitions: readonly ChartTransition[],
    build: (plan: PlanBuilder) => void,
    before: readonly ChartNode[],
  ): Plan {
    const builder = new PlanBuilder(before);
    build(builder);
    const { steps, active } = builder;
    const remains = active.size === before.length && before.every((node) => active.has(node));
    const nodes = builder.isChartDone ? builder.leaveAll() : [...active];
    return { transitions, steps, next: remains ? undefined : this.of(nodes) };
  }
}

/** Collects the steps of a plan. */
class PlanBuilder {
  readonly steps: PlanStep[] = [];
  readonly active: Set<ChartNode>;
  readonly #completed = new Set<ChartNode>();
  isChartDone = false;

  constructor(before: readonly ChartNode[]) {
    this.active = new Set(before);
  }

  act(actions: readonly ChartAction[], invoked: readonly string[] = []): void {
    const last = this.steps.at(-1);
    if (invoked.length > 0) this.steps.push({ kind: 'act', actions, invoked });
    else if (actions.length === 0) return;
    else if (last?.kind !== 'act' || last.invoked !== undefined) {
      this.steps.push({ kind: 'act', actions, invoked: undefined });
    } else this.steps[this.steps.length - 1] = { ...last, actions: [...last.actions, ...actions] };
  }

  leave(transitions: readonly ChartTransition[]): void {
    for (const node of inReverseOrder(statesToLeave(transitions, this.active))) {
      this.act([...node.exit, ...node.invoke.map(({ id }) => stopChild(id) as unknown as ChartAction)]);
      this.active.delete(node);
    }
  }

  enter(transitions: readonly ChartTransition[]): void {
    const { states, byDefault } = statesToEnter(transitions);
    for (const node of inOrder(states)) {
      this.active.add(node);
      const invoked = node.invoke.map(
        ({ src, ...invoke }) =>
          spawnChild(src, { ...invoke, syncSnapshot: !!invoke.onSnapshot } as object) as unknown as ChartAction,
      );
      const first = byDefault.has(node) ? node.initial.actions : [];
      this.act(
        [...node.entry, ...invoked, ...first],
        node.invoke.map(({ id }) => id),
      );
      if (node.type === 'final') this.#complete(node);
    }
  }

  /** A final state completes the state around it, each parallel state whose last region that was, and perhaps the chart. */
  #complete(final: ChartNode): void {
    const { parent } = final;
    let around = parent?.type === 'parallel' ? parent : parent?.parent;
    let by = around ?? final;
    if (parent?.type === 'compound') this.steps.push({ kind: 'state-done', id: parent.id, output: final.output });
    while (around?.type === 'parallel' && !this.#completed.has(around) && isDone(around, this.active)) {
      this.#completed.add(around);
      this.steps.push({ kind: 'state-done', id: around.id, output: undefined });
      by = around;
      around = around.parent;
    }
    if (around !== undefined) return;
    this.isChartDone = true;
    this.steps.push({ kind: 'chart-done', by });
  }

  /** The exit actions of a chart that is done. Returns its states in the order of these. */
  leaveAll(): ChartNode[] {
    const nodes = inReverseOrder(this.active);
    this.act(nodes.flatMap(({ exit }) => exit));
    return nodes;
  }
}

/** The transitions for an event, from the inside to the outside. */
function choiceOf(node: ChartNode, active: readonly ChartNode[], type: string): Choice {
  // An object orders keys that look like numbers, and XState walks the keys of the state value.
  const inside = Object.fromEntries(active.filter(({ parent }) => parent === node).map((child) => [child.key, child]));
  const inner = Object.values(inside)
    .map((child) => choiceOf(child, active, type))
    .filter((choice) => choice.inner.length + choice.own.length > 0);
  const own = transitionsFor(node, type).map((transition): Candidate => ({ transition, plan: undefined }));
  const [only] = inner;
  if (inner.length !== 1 || only === undefined) return { inner, own };
  return { inner: only.inner, own: [...only.own, ...own] };
}

/** The transitions of a state for an event: of this type, then by wildcards, the longest first. */
function transitionsFor({ transitions }: ChartNode, type: string): readonly ChartTransition[] {
  const wildcards = [...transitions.keys()].filter((descriptor) => descriptor !== type && matches(type, descriptor));
  wildcards.sort((left, right) => right.length - left.length);
  return [type, ...wildcards].flatMap((descriptor) => transitions.get(descriptor) ?? []);
}

function matches(type: string, descriptor: string): boolean {
  if (descriptor === '*') return true;
  if (!descriptor.endsWith('.*')) return false;
  const prefix = descriptor.slice(0, -2);
  return type === prefix || type.startsWith(`${prefix}.`);
}
