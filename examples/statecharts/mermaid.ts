import type { AnyStateMachine, AnyStateNode } from 'xstate';

/** A state machine as a Mermaid state diagram: its states, nested as in the chart, and the transitions between them. */
export function mermaid(machine: AnyStateMachine): string {
  return ['stateDiagram-v2', ...stateLines(machine.root, 1), ...transitionLines(machine.root)].join('\n');
}

function stateLines(node: AnyStateNode, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const children = Object.values(node.states) as AnyStateNode[];
  const initial = node.initial?.target[0];
  return [
    ...(initial === undefined ? [] : [`${indent}[*] --> ${idOf(initial)}`]),
    ...children.flatMap((child, index) => {
      // A line separates parallel regions.
      const divider = node.type === 'parallel' && index > 0 ? [`${indent}--`] : [];
      const declared = `${indent}state "${child.key}" as ${idOf(child)}`;
      const inner = stateLines(child, depth + 1);
      return [...divider, ...(inner.length === 0 ? [declared] : [`${declared} {`, ...inner, `${indent}}`])];
    }),
  ];
}

/**
 * One arrow per pair of states, labelled with every transition between them. Transitions without a change of state
 * are not drawn.
 */
function transitionLines(root: AnyStateNode): string[] {
  const labels = new Map<string, Set<string>>();
  const visit = (node: AnyStateNode): void => {
    const transitions = [...node.transitions.values(), node.always ?? []].flat();
    for (const { target, eventType, guard } of transitions) {
      for (const to of target ?? []) {
        const arrow = `${idOf(node)} --> ${idOf(to)}`;
        const name = typeof guard === 'object' ? guard.type : guard;
        const condition = typeof name === 'string' ? ` [${name}]` : '';
        const label = `${eventType === '' ? 'always' : eventType}${condition}`;
        labels.set(arrow, (labels.get(arrow) ?? new Set<string>()).add(label));
      }
    }
    for (const child of Object.values(node.states) as AnyStateNode[]) visit(child);
  };
  visit(root);
  return [...labels].map(([arrow, names]) => `  ${arrow}: ${[...names].join('<br>')}`);
}

function idOf(node: AnyStateNode): string {
  return node.path.length === 0 ? node.machine.id : node.path.join('_');
}
