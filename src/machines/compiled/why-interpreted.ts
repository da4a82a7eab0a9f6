import type { AnyStateMachine } from 'xstate';
import type { ChartNode, ChartTransition } from './chart-shapes.ts';
import { installedVersion, knownVersions } from './known-versions.ts';

/**
 * Why a machine has no compiled form; undefined if it has one. The whole machine is interpreted, so that no reaction is
 * half compiled.
 */
export function whyInterpreted(machine: AnyStateMachine, version: string = installedVersion): string | undefined {
  if (!knownVersions.includes(version)) return `XState ${version} was not compared with its compiled form`;
  const { maxIterations } = machine.options as { readonly maxIterations?: number };
  if (maxIterations !== undefined && maxIterations !== Infinity) return 'it limits the microsteps of a macrostep';
  return whyNodeInterpreted(machine.root as unknown as ChartNode);
}

function whyNodeInterpreted(node: ChartNode): string | undefined {
  const { id, type, transitions, always = [], output, states } = node;
  if (type === 'history') return `the state ${id} is a history state`;
  if (isMapping(output)) return `the output of ${id} maps its properties one by one`;
  for (const descriptor of transitions.keys()) {
    if (descriptor.endsWith('.*') && descriptor.slice(0, -1).includes('*')) {
      return `the event descriptor ${descriptor} of ${id} has a wildcard before its end`;
    }
  }
  const taken = [...[...transitions.values()].flat(), ...always];
  if (!actionsOf(node, taken).every(isAction)) return `an action of ${id} is neither a function nor a name`;
  for (const child of Object.values(states)) {
    const why = whyNodeInterpreted(child);
    if (why !== undefined) return why;
  }
  return undefined;
}

function actionsOf({ entry, exit, initial }: ChartNode, transitions: readonly ChartTransition[]): unknown[] {
  return [...entry, ...exit, ...initial.actions, ...transitions.flatMap(({ actions }) => actions)];
}

function isAction(action: unknown): boolean {
  return typeof action === 'function' || typeof action === 'string' || (typeof action === 'object' && action !== null);
}

/** XState warns of an output like that each time. */
function isMapping(output: unknown): boolean {
  return (
    typeof output === 'object' && output !== null && Object.values(output).some((value) => typeof value === 'function')
  );
}
