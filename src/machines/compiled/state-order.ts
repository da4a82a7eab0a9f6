import type { ChartNode, ChartTransition } from './chart-shapes.ts';

/**
 * Which states transitions leave and enter, by the rules of SCXML as XState applies them. For charts without history
 * states, so that the answer depends on the active states and the transitions alone.
 */

/** Whether `node` is inside `ancestor`. Everything is inside no state. */
function isInside(node: ChartNode, ancestor: ChartNode | undefined): boolean {
  if (ancestor === undefined) return true;
  for (let at = node.parent; at !== undefined; at = at.parent) if (at === ancestor) return true;
  return false;
}

/** The states around `node` below `top`, from the inside to the outside. None if it is `top` itself. */
export function statesAround(node: ChartNode, top?: ChartNode): ChartNode[] {
  const around: ChartNode[] = [];
  if (node === top) return around;
  for (let at = node.parent; at !== undefined && at !== top; at = at.parent) around.push(at);
  return around;
}

export function isLeaf({ type }: ChartNode): boolean {
  return type === 'atomic' || type === 'final';
}

export function inOrder(nodes: Iterable<ChartNode>): ChartNode[] {
  return [...nodes].sort((left, right) => left.order - right.order);
}

export function inReverseOrder(nodes: Iterable<ChartNode>): ChartNode[] {
  return [...nodes].sort((left, right) => right.order - left.order);
}

/** A state with all states that are active when it is entered by default, in order. */
export function initialStates(node: ChartNode): ChartNode[] {
  const below =
    node.type === 'compound'
      ? node.initial.target.slice(0, 1)
      : node.type === 'parallel'
        ? Object.values(node.states)
        : [];
  return [node, ...below.flatMap(initialStates)];
}

/** The innermost state that a transition does not leave. undefined if it leaves the whole chart. */
function domainOf({ source, target = [], reenter }: ChartTransition): ChartNode | undefined {
  if (!reenter && target.every((node) => node === source || isInside(node, source))) return source;
  const [head, ...others] = [...new Set(target), source];
  const common = statesAround(head as ChartNode).find((around) => others.every((node) => isInside(node, around)));
  if (common !== undefined || reenter) return common;
  let root = source;
  while (root.parent !== undefined) root = root.parent;
  return root;
}

/** The active states that transitions leave. */
export function statesToLeave(
  transitions: readonly ChartTransition[],
  active: ReadonlySet<ChartNode>,
): ReadonlySet<ChartNode> {
  const left = new Set<ChartNode>();
  for (const transition of transitions) {
    if (transition.target === undefined || transition.target.length === 0) continue;
    const domain = domainOf(transition);
    if (transition.reenter && domain !== undefined && transition.source === domain) left.add(domain);
    for (const node of active) if (isInside(node, domain)) left.add(node);
  }
  return left;
}

/** Of transitions that leave the same state, the one from the innermost source, and of equals the first. */
export function withoutConflicts(
  transitions: readonly ChartTransition[],
  active: ReadonlySet<ChartNode>,
): readonly ChartTransition[] {
  if (transitions.length < 2) return transitions;
  const kept = new Set<ChartTransition>();
  for (const candidate of new Set(transitions)) {
    const left = statesToLeave([candidate], active);
    const rivals = [...kept].filter((other) => {
      for (const node of statesToLeave([other], active)) if (left.has(node)) return true;
      return false;
    });
    if (!rivals.every((other) => isInside(candidate.source, other.source))) continue;
    for (const other of rivals) kept.delete(other);
    kept.add(candidate);
  }
  return [...kept];
}

/** The states that transitions enter, and those of them whose initial transition is taken. */
export interface Entry {
  readonly states: ReadonlySet<ChartNode>;
  readonly byDefault: ReadonlySet<ChartNode>;
}

export function statesToEnter(transitions: readonly ChartTransition[]): Entry {
  const entry = new EntrySet();
  for (const transition of transitions) entry.add(transition);
  return entry;
}

class EntrySet implements Entry {
  readonly states = new Set<ChartNode>();
  readonly byDefault = new Set<ChartNode>();

  add(transition: ChartTransition): void {
    const { source, target = [], reenter } = transition;
    const domain = domainOf(transition);
    for (const node of target) {
      if (node !== source || source !== domain || reenter) this.#enterByDefault(node);
      this.#enterInside(node);
    }
    for (const node of new Set(target)) {
      const around = statesAround(node, domain);
      if (domain?.type === 'parallel') around.push(domain);
      for (const state of around) this.#enterAround(state, domain);
    }
  }

  #enterByDefault(node: ChartNode): void {
    this.states.add(node);
    this.byDefault.add(node);
  }

  #enterInside(node: ChartNode): void {
    if (node.type === 'compound') {
      const initial = node.initial.target[0] as ChartNode;
      this.#enterByDefault(initial);
      this.#enterInside(initial);
    } else if (node.type === 'parallel') {
      for (const region of this.#untouchedRegions(node)) {
        this.#enterByDefault(region);
        this.#enterInside(region);
      }
    }
  }

  #enterAround(state: ChartNode, domain: ChartNode | undefined): void {
    if (isInside(state, domain)) this.states.add(state);
    if (state.type !== 'parallel') return;
    for (const region of this.#untouchedRegions(state)) {
      this.states.add(region);
      this.#enterInside(region);
    }
  }

  /** The regions of a parallel state in which no state is entered yet, each judged when its turn comes. */
  *#untouchedRegions(parallel: ChartNode): Generator<ChartNode> {
    for (const region of Object.values(parallel.states)) {
      let isTouched = false;
      for (const node of this.states) if (isInside(node, region)) isTouched = true;
      if (!isTouched) yield region;
    }
  }
}

/** Whether a state is done when these states are active. */
export function isDone(node: ChartNode, active: ReadonlySet<ChartNode>): boolean {
  const inside = Object.values(node.states);
  if (node.type === 'compound') return inside.some((child) => child.type === 'final' && active.has(child));
  if (node.type === 'parallel') return inside.every((child) => isDone(child, active));
  return node.type === 'final';
}
