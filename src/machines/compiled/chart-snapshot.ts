import { type AnyActorRef, type AnyStateMachine, createMachine } from 'xstate';
import type { ChartNode, ChartSnapshot } from './chart-shapes.ts';

/** The part of a snapshot that depends on the active states alone. Shared by all snapshots with the same states. */
export interface Position {
  readonly nodes: readonly ChartNode[];
  readonly value: unknown;
  readonly tags: ReadonlySet<string>;
}

// XState exports none of them; each of its snapshots has the same ones.
const { matches, hasTag, can, getMeta, toJSON } = createMachine({}).resolveState({
  value: {},
}) as unknown as ChartSnapshot;

/** No children, or no history. Never changed in place, and so shared: a job has thousands of actors without. */
const nothing = Object.freeze({});

/** The snapshot of a machine that has done nothing yet. */
export function firstSnapshot(
  machine: AnyStateMachine,
  { nodes, value, tags }: Position,
  context: unknown,
  children: Readonly<Record<string, AnyActorRef>> = nothing,
): ChartSnapshot {
  return {
    status: 'active',
    output: undefined,
    error: undefined,
    machine,
    context,
    _nodes: nodes,
    value,
    tags,
    children,
    historyValue: nothing,
    matches,
    hasTag,
    can,
    getMeta,
    toJSON,
  };
}

/** The same snapshot in other states. */
export function movedTo({ nodes, value, tags }: Position, of: ChartSnapshot): ChartSnapshot {
  return {
    status: of.status,
    output: of.output,
    error: of.error,
    machine: of.machine,
    context: of.context,
    _nodes: nodes,
    value,
    tags,
    children: of.children,
    historyValue: of.historyValue,
    matches,
    hasTag,
    can,
    getMeta,
    toJSON,
  };
}

/** The same snapshot with another context and other children. */
export function withContext(
  of: ChartSnapshot,
  context: unknown,
  children: Readonly<Record<string, AnyActorRef>>,
): ChartSnapshot {
  return {
    status: of.status,
    output: of.output,
    error: of.error,
    machine: of.machine,
    context,
    _nodes: of._nodes,
    value: of.value,
    tags: of.tags,
    children,
    historyValue: of.historyValue,
    matches,
    hasTag,
    can,
    getMeta,
    toJSON,
  };
}

/** The same snapshot, ended. */
export function ended(
  of: ChartSnapshot,
  end: { readonly status: 'done' | 'error' | 'stopped'; readonly output?: unknown; readonly error?: unknown },
): ChartSnapshot {
  return { ...of, ...end };
}
