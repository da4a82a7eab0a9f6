import type { WrittenHandle } from '../../operators/state/state-handle.ts';
import type { StateDeclarations } from '../../operators/state/declared-states.ts';
import type { SubtaskStateKind } from '../../operators/state/subtask-states.ts';
import { sinksOf } from '../durable/output-parts.ts';
import type { JobPlan } from '../job-plan.ts';

/** The scope of a savepoint in its directory, and its number. */
export const savepointScope = 'savepoint';

/** A step of a job, as far as its state depends on it. */
export interface SavepointStep {
  readonly uid: string;
  readonly role: 'source' | 'operator' | 'sink';
  readonly kind: string;
  /** Of a `process` that declares its states: their kinds by name. */
  readonly states?: Readonly<Record<string, string>>;
  /** By name, if it is not 1: the version that is declared for a state, and whether it can migrate. */
  readonly versions?: Readonly<Record<string, { readonly version: number; readonly migrates: boolean }>>;
}

/** The tasks of a vertex, by what their states are made of. */
export interface VertexOutline {
  /** The uid of its first step. */
  readonly id: string;
  readonly parallelism: number;
  readonly steps: readonly SavepointStep[];
  /** The uids of its operators that have keyed states, in order. */
  readonly tables: readonly string[];
  /** Its sinks, in order; those of dead letters by the name of their vertex. */
  readonly sinks: readonly string[];
}

/** The state of a task in a savepoint. */
export type SavepointTask = WrittenHandle | { readonly kind: 'finished' };

export interface SavepointVertex extends VertexOutline {
  /** By subtask. */
  readonly tasks: readonly SavepointTask[];
  /** The plan of its source; absent if it has none. */
  readonly source?: { readonly plan: unknown };
}

/** What a savepoint says of a job. Plain data. */
export interface SavepointContent {
  readonly format: 1;
  readonly job: string;
  /** The run that it was taken of. */
  readonly run: string;
  readonly vertices: readonly SavepointVertex[];
  /** Whether its tasks had handed on their final results. */
  readonly isDrained?: true;
}

/** By index of the vertex. */
export function outlinesOf(plan: JobPlan): readonly VertexOutline[] {
  const sinks = sinksOf(plan);
  return plan.jobGraph.vertices.map(({ id, parallelism }, index) => {
    const uids = plan.chains[index] as readonly string[];
    const { operators, source } = plan.programs[index] as JobPlan['programs'][number];
    const first = source === undefined ? 0 : 1;
    return {
      ...{ id, parallelism },
      steps: (plan.declarations[index] ?? []).map(({ role, kind }, step) => {
        const operator = operators[step - first];
        const process = operator?.kind === 'process' ? operator : undefined;
        const { states, isOfSubtask = false } = process ?? {};
        return { uid: uids[step] as string, role, kind, ...(states && formOf(states, isOfSubtask)) };
      }),
      tables: operators.flatMap(({ kind }, at) =>
        kind === 'aggregate' || kind === 'process' ? [uids[first + at] as string] : [],
      ),
      sinks: (sinks[index] ?? []).map((sink) => ('vertex' in sink ? sink.vertex : sink.uid)),
    };
  });
}

/** The states of a step that are of its subtasks; undefined if it has none, or they are of keys. */
export function subtaskStatesOf({
  states = {},
}: SavepointStep): Readonly<Record<string, SubtaskStateKind>> | undefined {
  const isOne = (kind: string): boolean => kind === 'split list' || kind === 'union list' || kind === 'broadcast';
  const kinds = Object.values(states);
  return kinds.length > 0 && kinds.every(isOne) ? (states as Record<string, SubtaskStateKind>) : undefined;
}

function formOf(states: StateDeclarations, isOfSubtask: boolean): Pick<SavepointStep, 'states' | 'versions'> {
  const declared = Object.entries(states);
  const versions = declared.flatMap(([name, { version = 1, migrate }]) =>
    version === 1 ? [] : [[name, { version, migrates: migrate !== undefined }] as const],
  );
  return {
    states: Object.fromEntries(
      declared.map(([name, { kind }]) => [name, isOfSubtask && kind === 'list' ? 'split list' : kind]),
    ),
    ...(versions.length > 0 && { versions: Object.fromEntries(versions) }),
  };
}
