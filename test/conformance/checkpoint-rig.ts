import { type Actor, createActor } from 'xstate';
import { delayActor } from '../../src/actors/delay-actor.ts';
import type { JobEvent } from '../../src/actors/job-event.ts';
import type { ExecutionState } from '../../src/actors/protocol/states.ts';
import type { DeclineReason } from '../../src/checkpoints/failure-reason.ts';
import type { StreamingComponent } from '../../src/checkpoints/streaming-components.ts';
import { CheckpointStorageError } from '../../src/errors/checkpoint-errors.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type {
  AttemptNumber,
  CheckpointId,
  ComponentId,
  ExecutionVertexId,
  ExecutorId,
  RegionId,
} from '../../src/ids.ts';
import { checkpointCoordinatorMachine } from '../../src/machines/checkpoint-coordinator/checkpoint-coordinator-machine.ts';
import { ComponentCheckpoints } from '../../src/machines/checkpoint-coordinator/component-checkpoints.ts';
import { coordinatorActions, pendingActions } from '../../src/machines/checkpoint-coordinator/coordinator-actions.ts';
import type { CoordinatorSettings } from '../../src/machines/checkpoint-coordinator/coordinator-setup.ts';
import { pendingCheckpointMachine } from '../../src/machines/checkpoint-coordinator/pending-checkpoint-machine.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { InstantStorage, type StorageFaults } from '../support/instant-storage.ts';
import { HandClock } from '../support/manual-cluster.ts';

const coordinatorMachine = checkpointCoordinatorMachine.provide({
  actors: { delay: delayActor },
  actions: coordinatorActions,
});
const pendingMachine = pendingCheckpointMachine.provide({ actors: { delay: delayActor }, actions: pendingActions });

export interface CheckpointRigOptions extends Partial<CoordinatorSettings> {
  readonly tasks: readonly { readonly id: string; readonly parallelism: number }[];
  readonly states?: Readonly<Record<string, ExecutionState>>;
  readonly retained?: number;
  readonly faults?: StorageFaults;
}

export const ioError = new CheckpointStorageError('the storage', 'list', new Error('unreachable'));

/** A coordinator with the checkpoints of one component, whose tasks and storage a case plays. */
export class CheckpointRig {
  readonly clock = new HandClock();
  readonly events: JobEvent[] = [];
  /** The commands that its tasks got. */
  readonly triggers: { readonly checkpoint: number; readonly atMs: number }[] = [];
  readonly completed: { readonly checkpoint: number; readonly tasks: readonly string[] }[] = [];
  readonly aborted: { readonly checkpoint: number; readonly tasks: readonly string[] }[] = [];
  readonly refused: string[] = [];
  jobFailures = 0;
  readonly states = new Map<string, ExecutionState>();
  readonly graph: ExecutionGraph;
  readonly checkpoints: ComponentCheckpoints;
  readonly coordinator: Actor<typeof coordinatorMachine>;
  readonly storage: InstantStorage;

  constructor({ tasks, states = {}, retained = 1, faults = {}, ...settings }: CheckpointRigOptions) {
    this.graph = new ExecutionGraph(createJobGraph('case', tasks, []));
    this.storage = new InstantStorage(faults);
    const { graph, clock } = this;
    const vertices = Array.from({ length: graph.vertexCount }, (_, vertex) => vertex as ExecutionVertexId);
    for (const vertex of vertices) this.states.set(this.nameOf(vertex), 'running');
    for (const [task, state] of Object.entries(states)) this.states.set(task, state);
    const component: StreamingComponent = {
      ...{ id: 0 as ComponentId, regions: [], tasks: vertices, heads: vertices, writesCompleteResults: false },
    };
    this.checkpoints = new ComponentCheckpoints({
      ...{
        component,
        clock,
        retained,
        scope: 'case',
        alignment: 'exactly-once',
        timeoutMs: Number.POSITIVE_INFINITY,
        tolerableFailures: 0,
      },
      job: {
        graph,
        stateOf: (vertex) => this.states.get(this.nameOf(vertex)),
        attemptOf: () => 0 as AttemptNumber,
        regionOf: (vertex) => vertex as number as RegionId,
        executorOf: () => 'here' as ExecutorId,
        resultOf: (partition) => ({ partition, attempt: 0 as AttemptNumber }),
        loseOrder: () => {},
      },
      gateway: {
        trigger: (_, { checkpoint }) => void this.triggers.push({ checkpoint, atMs: clock.now() }),
        completed: (checkpoint, those) => void this.completed.push({ checkpoint, tasks: this.#namesOf(those) }),
        aborted: (checkpoint, those) => void this.aborted.push({ checkpoint, tasks: this.#namesOf(those) }),
      },
      storage: this.storage,
      observe: (event) => void this.events.push(event),
      spawnPending: (of, request, timeoutMs, parent) => {
        const input = { request, timeoutMs, clock, coordinator: parent, component: of };
        return createActor(pendingMachine, { input }).start();
      },
      failing: () => void this.jobFailures++,
      cleaned: () => clock.setImmediate(() => this.coordinator.send({ type: 'checkpoint.cleaned' })),
    });
    this.coordinator = createActor(coordinatorMachine, {
      input: {
        settings: {
          ...{ intervalMs: 1_000_000, timeoutMs: 600_000, minPauseMs: 0, maxConcurrent: Infinity },
          ...{ tolerableFailures: 0, maxQueued: 1_000, ...settings },
        },
        clock,
        component: this.#watched(),
      },
    });
    this.coordinator.start();
  }

  /** The checkpoints that have been triggered and not ended. */
  get pending(): number[] {
    return this.coordinator.getSnapshot().context.pending.map(({ id }) => id);
  }

  /** Number of tasks that have acknowledged a pending checkpoint. */
  acknowledged(checkpoint: number): number {
    const pending = this.coordinator.getSnapshot().context.pending.find(({ id }) => id === checkpoint);
    if (pending === undefined) throw new Error(`Checkpoint ${checkpoint} is not pending`);
    const { context } = pending.actor.getSnapshot() as unknown as { readonly context: { readonly openCount: number } };
    return this.graph.vertexCount - context.openCount;
  }

  /** The completed checkpoints from which it can restart. */
  get retained(): number[] {
    return this.checkpoints.retained.map(({ id }) => id);
  }

  eventsOf<Type extends JobEvent['type']>(type: Type): Extract<JobEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);
  }

  request(kind: 'checkpoint' | 'savepoint', isForced = kind === 'savepoint'): void {
    this.coordinator.send({ type: 'checkpoint.requested', kind, isForced, isPeriodic: false });
  }

  acknowledge(checkpoint: number, task: string): void {
    this.checkpoints.report({
      ...{ type: 'checkpoint.acknowledged', checkpoint: checkpoint as CheckpointId, ...this.#attemptOf(task) },
      state: { kind: 'inline', state: { task } as never },
      outputs: [],
      statistics: { bytes: 1, referencedBytes: 0, alignmentMs: 0, snapshotMs: 0, writeMs: 0 },
    });
  }

  acknowledgeAll(checkpoint: number): void {
    for (const [task, state] of this.states) if (state === 'running') this.acknowledge(checkpoint, task);
  }

  decline(checkpoint: number, task: string, reason: DeclineReason = 'noState'): void {
    const cause = toPlainError(new Error('it declines'));
    this.checkpoints.report({
      ...{ type: 'checkpoint.declined', checkpoint: checkpoint as CheckpointId, ...this.#attemptOf(task) },
      ...{ reason, cause },
    });
  }

  nameOf(vertex: ExecutionVertexId): string {
    const { id, parallelism } = this.graph.jobVertexOf(vertex);
    return parallelism === 1 ? id : this.graph.nameOf(vertex);
  }

  /** A task that there is not has a number that no task has. */
  #attemptOf(task: string): { readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber } {
    let vertex = 0 as ExecutionVertexId;
    while (vertex < this.graph.vertexCount && this.nameOf(vertex) !== task) vertex++;
    return { vertex, attempt: 0 as AttemptNumber };
  }

  #namesOf(tasks: readonly { readonly vertex: ExecutionVertexId }[]): string[] {
    return tasks.map(({ vertex }) => this.nameOf(vertex));
  }

  /** Its component, which notes what it is refused. */
  #watched(): ComponentCheckpoints {
    const watched = Object.create(this.checkpoints) as ComponentCheckpoints;
    return new Proxy(watched, {
      get: (_, name) => {
        if (name === 'refused') return (_request: unknown, reason: string) => void this.refused.push(reason);
        const value: unknown = Reflect.get(this.checkpoints, name, this.checkpoints);
        return typeof value === 'function' ? value.bind(this.checkpoints) : value;
      },
    });
  }
}
