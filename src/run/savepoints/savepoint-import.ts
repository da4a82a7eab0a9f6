import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import type { StreamingComponent } from '../../checkpoints/streaming-components.ts';
import type { CheckpointId, ExecutionVertexId } from '../../ids.ts';
import {
  type AcknowledgedTask,
  type ComponentCheckpoint,
  manifestOf,
} from '../../machines/checkpoint-coordinator/checkpoint-content.ts';
import { copyState } from '../../operators/state/state-copy.ts';
import type { StateDeclarations } from '../../operators/state/declared-states.ts';
import type { WrittenHandle } from '../../operators/state/state-handle.ts';
import type { OutputState, TaskState } from '../../operators/state/task-state.ts';
import { sinksOf } from '../durable/output-parts.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import { importOutputs, withSinkStates } from './exported-outputs.ts';
import type { OpenSavepoint } from './open-savepoint.ts';
import { RebuiltStates } from './rebuilt-states.ts';
import { outlinesOf, type SavepointTask, type SavepointVertex } from './savepoint-content.ts';
import { matchSavepoint, type SavepointMatch } from './savepoint-match.ts';

/** A job, and the savepoint with which it begins. */
export interface SavepointQuestion {
  readonly plan: JobPlan;
  readonly shape: JobShape;
  readonly savepoint: OpenSavepoint;
  readonly allowRemovedState: boolean;
}

/** What of a savepoint goes to which vertex of a job. @throws SavepointMismatchError */
export function matchOf({ plan, savepoint, allowRemovedState }: Omit<SavepointQuestion, 'shape'>): SavepointMatch {
  const { directory, content } = savepoint;
  return matchSavepoint({
    ...{ directory, content, outlines: outlinesOf(plan), allowRemovedState },
    sources: plan.programs.map(({ source }) => source),
    sinks: sinksOf(plan).map((sinks) => sinks.map(({ sink }) => sink)),
  });
}

/** Where the states go: the checkpoints of the run. */
export interface ImportPlace {
  readonly storage: CheckpointStorage;
  readonly scope: string;
  readonly checkpoint: CheckpointId;
}

/**
 * A savepoint, as what a job begins with. Its states become checkpoints of the run, so that nothing refers to the savepoint
 * once the run has begun.
 */
export class SavepointImport {
  readonly match: SavepointMatch;
  readonly #question: SavepointQuestion;

  /** @throws SavepointMismatchError */
  constructor(question: SavepointQuestion) {
    this.#question = question;
    this.match = matchOf(question);
  }

  /** By index of the vertex: the plans of its sources, as far as the savepoint has them. */
  get plans(): ReadonlyMap<number, unknown> {
    const plans = new Map<number, unknown>();
    for (const [index, { source }] of this.#question.plan.programs.entries()) {
      const uid = this.#question.plan.chains[index]?.[0] as string;
      const home = source === undefined ? undefined : this.match.homes.get(uid);
      if (home?.vertex.source !== undefined) plans.set(index, home.vertex.source.plan);
    }
    return plans;
  }

  /**
   * Makes the states of a component a checkpoint; undefined if the savepoint has none for it.
   * @throws SavepointMismatchError | CheckpointUnreadableError | CheckpointStorageError (as a rejection)
   */
  async take(component: StreamingComponent, place: ImportPlace): Promise<ComponentCheckpoint | undefined> {
    const { shape, savepoint } = this.#question;
    const { graph } = shape;
    const states = new Map<ExecutionVertexId, AcknowledgedTask>();
    const finished = new Set<ExecutionVertexId>();
    for (const vertex of new Set(component.tasks.map((task) => graph.jobVertexIndexOf(task)))) {
      let subtask = 0;
      for await (const state of this.#statesOf(vertex, place)) {
        const task = graph.vertexAt(vertex, subtask++);
        if (state.kind === 'finished') finished.add(task);
        else states.set(task, acknowledged(state));
      }
    }
    if (states.size + finished.size === 0) return undefined;
    const { scope, checkpoint: id, storage } = place;
    const { completedEpochMs: epochMs } = savepoint;
    const content = { id, kind: 'checkpoint', states, finished } as const;
    await storage.commit(manifestOf(content, { graph, scope, epochMs }));
    return { ...content, component: component.id, triggeredMs: epochMs, completedMs: epochMs };
  }

  async *#statesOf(vertex: number, place: ImportPlace): AsyncGenerator<SavepointTask> {
    const match = this.match.vertices[vertex];
    if (match === undefined || match.kind === 'new') return;
    if (match.kind === 'same') yield* this.#copies(vertex, match.before, place);
    else yield* this.#rebuilt(vertex, place);
  }

  async *#copies(vertex: number, { id, tasks }: SavepointVertex, place: ImportPlace): AsyncGenerator<SavepointTask> {
    const { plan, savepoint } = this.#question;
    const { storage, directory } = savepoint;
    const sinks = sinksOf(plan)[vertex] ?? [];
    const change = (state: TaskState): Promise<TaskState> =>
      withSinkStates(beginning(state), async (prepared, index) => {
        const own = sinks[index] as (typeof sinks)[number];
        return await importOutputs(prepared, { ...own, directory });
      });
    for (const [subtask, handle] of tasks.entries()) {
      if (handle.kind === 'finished') yield handle;
      else yield await copyState({ storage, handle, change }, placeOf(place, id, subtask));
    }
  }

  async *#rebuilt(vertex: number, place: ImportPlace): AsyncGenerator<SavepointTask> {
    const { plan, savepoint } = this.#question;
    const program = plan.programs[vertex] as JobPlan['programs'][number];
    const outline = outlinesOf(plan)[vertex] as ReturnType<typeof outlinesOf>[number];
    const sinks = (sinksOf(plan)[vertex] ?? []).map(({ sink }) => sink);
    const built = new RebuiltStates(savepoint, this.match.homes).of({
      ...{ outline, sinks, source: program.source, edgeCount: program.outputs.length },
      states: statesOf(plan, vertex),
    });
    let subtask = 0;
    for await (const state of built) {
      const at = placeOf(place, outline.id, subtask++);
      if (state === undefined) yield { kind: 'finished' };
      else yield await copyState({ storage: undefined, handle: { kind: 'inline', state } }, at);
    }
  }
}

/** By uid: the states that the operators of a vertex declare. */
function statesOf({ programs, chains }: JobPlan, vertex: number): ReadonlyMap<string, StateDeclarations> {
  const { operators, source } = programs[vertex] as JobPlan['programs'][number];
  const first = source === undefined ? 0 : 1;
  return new Map(
    operators.flatMap((operator, at) =>
      operator.kind === 'process' && operator.states !== undefined
        ? [[chains[vertex]?.[first + at] as string, operator.states] as const]
        : [],
    ),
  );
}

/** Without a storage that executors can open, states travel in messages. */
function placeOf({ storage, scope, checkpoint }: ImportPlace, id: string, subtask: number) {
  if (storage.address === undefined) return undefined;
  return { storage, name: { scope, checkpoint, name: `${id}.${subtask}` } };
}

/**
 * The state of a task whose results begin anew, as there is nothing between tasks in a savepoint. One that was drained takes
 * further records.
 */
function beginning({ isDrained: _, ...state }: TaskState): TaskState {
  return {
    ...state,
    input: state.input.kind === 'gate' ? { kind: 'gate', channels: [], order: undefined } : state.input,
    outputs: state.outputs.map(
      (output): OutputState => (output.kind === 'writer' ? { ...output, records: [] } : output),
    ),
  };
}

function acknowledged(state: WrittenHandle): AcknowledgedTask {
  const bytes = state.kind === 'stored' ? state.bytes : 0;
  return {
    ...{ state, outputs: [] },
    statistics: { bytes, referencedBytes: 0, alignmentMs: 0, snapshotMs: 0, writeMs: 0 },
  };
}
