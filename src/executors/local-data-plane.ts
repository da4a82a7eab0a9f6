import type {
  KeptResult,
  PartitionRegistration,
  PromotedPartition,
  TaskDeployment,
} from '../actors/protocol/deployment.ts';
import type { RunningTask } from '../actors/task-actor.ts';
import { TaskScheduler } from '../operators/task/task-scheduler.ts';
import { fileProblem } from '../connectors/file-problem.ts';
import { checkOutputFile } from '../connectors/outputs/output-file.ts';
import { partPath } from '../connectors/outputs/part-path.ts';
import type { CheckpointStorage } from '../checkpoints/checkpoint-storage.ts';
import type { TaskRestore } from '../operators/state/task-state.ts';
import { OutputInUseError } from '../errors/connector-errors.ts';
import { PartitionLostError } from '../errors/result-errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { JobEdge, JobVertex } from '../graph/job-graph.ts';
import type { CheckpointId, ResultPartitionId } from '../ids.ts';
import { taskFaultPoints } from '../operators/task/task-faults.ts';
import { deadLetterSinks } from '../operators/rejected/dead-letter-sinks.ts';
import { closeInTurn, type CloseLimit } from '../operators/close-all.ts';
import { notRunning } from '../operators/task/checkpoint-step.ts';
import { openTask } from '../operators/task/open-task.ts';
import type { Sink } from '../operators/sink.ts';
import type { Source } from '../operators/source.ts';
import type { VertexProgram } from '../operators/operator-description.ts';
import { SourcePlans } from '../operators/task/source-plans.ts';
import { CommitGate } from '../operators/sinks/commit-gate.ts';
import { StreamTask } from '../operators/task/stream-task.ts';
import { TaskContext } from '../operators/task/task-context.ts';
import type { BatchLimits } from '../partitions/records/batch-cutter.ts';
import type { ResultPartition, SubpartitionView } from '../partitions/result-partition.ts';
import { type LocalDataPlanePlan, LocalResults, type LocalResultsOptions } from './local-results.ts';
import { isThenable } from '../user-code.ts';
import { LmdbBackend } from '../operators/state/disk/lmdb-backend.ts';
import type { LmdbState } from '../operators/state/disk/lmdb-state.ts';
import { StateReader } from '../operators/state/state-reader.ts';
import { openWithState } from '../operators/state/open-with-state.ts';
import type { CreateTable } from '../operators/state/state-tables.ts';
import { FoldTable } from '../operators/state/tables/fold-table.ts';
import { PlainTable } from '../operators/state/tables/plain-table.ts';
import type { StateBackend } from '../operators/state/tables/state-table.ts';
import { ProgramRegistry } from './program-registry.ts';
import { LocalServices, type SharedServices, type SharedServicesOptions } from './shares/shared-services.ts';
import type { DataPlane, PartitionSurroundings, TaskSurroundings } from './data-plane.ts';

export interface LocalDataPlaneOptions extends BatchLimits, LocalResultsOptions, SharedServicesOptions {
  /** What it shares with the executors of the run on other threads. Default: there are none. */
  readonly services?: SharedServices | undefined;
  /** Where the states of tasks are written and read. Default: they travel in messages. */
  readonly checkpointStorage?: CheckpointStorage | undefined;
  /** Where tasks keep keyed states. Default: in memory. */
  readonly stateBackend?: LmdbState | undefined;
  /** How long the source and the sink of a task may take to close. */
  readonly cancellationTimeoutMs: number;
  /** Maximum steps of tasks per turn; see {@link TaskScheduler}. */
  readonly maxSteps?: () => number;
}

/** Runs tasks on this thread and holds their results in this process and its spill directory. */
export class LocalDataPlane implements DataPlane {
  readonly #plan: LocalDataPlanePlan;
  readonly #options: LocalDataPlaneOptions;
  readonly #registry: ProgramRegistry;
  readonly #scheduler: TaskScheduler;
  readonly #services: SharedServices;
  readonly #sourcePlans: SourcePlans;
  readonly #results: LocalResults;
  readonly #backend: StateBackend | undefined;
  readonly #states: StateReader;

  constructor(plan: LocalDataPlanePlan, options: LocalDataPlaneOptions) {
    this.#plan = plan;
    this.#options = options;
    const { maxSteps, services = new LocalServices(plan, options) } = options;
    this.#services = services;
    this.#sourcePlans = new SourcePlans(services.plans);
    this.#registry = new ProgramRegistry(plan.name, plan.jobGraph, services.programs);
    this.#scheduler = new TaskScheduler(options.environment.clock, maxSteps && { maxSteps });
    this.#results = new LocalResults(plan, options, services.budgets);
    this.#backend =
      options.stateBackend &&
      new LmdbBackend(options.stateBackend, { hold: () => options.environment.hold?.() ?? (() => {}) });
    this.#states = new StateReader(options.checkpointStorage, this.#backend);
  }

  get checkpoints(): CheckpointStorage | undefined {
    return this.#options.checkpointStorage;
  }

  begin(): void {
    const { jobGraph, programs } = this.#plan;
    for (const [edge, directory] of this.#results.keptDirectories()) {
      const { source, target } = jobGraph.edges[edge] as JobEdge;
      try {
        this.#services.outputs.claim(directory, `${source} → ${target}`);
      } catch (error) {
        throw fileProblem(directory, 'write', error);
      }
    }
    for (const [index, program] of programs.entries()) {
      const { id, operators = [id], parallelism } = jobGraph.vertices[index] as JobVertex;
      this.#claimOutput(program.sink, id, parallelism);
      for (const { sink, vertex } of deadLetterSinks(program, operators)) this.#claimOutput(sink, vertex, parallelism);
    }
  }

  #claimOutput(sink: Sink<unknown> | undefined, vertex: string, parallelism: number): void {
    if (sink?.target?.kind !== 'file') return;
    const { path } = sink.target;
    for (let subtask = 0; subtask < parallelism; subtask++) checkOutputFile(partPath(path, subtask, parallelism));
    try {
      this.#services.outputs.claim(path, vertex);
    } catch (error) {
      // Other errors are reported by the tasks when they open the file, and a restart may cure them.
      if (error instanceof OutputInUseError) throw error;
    }
  }

  createPartition(registration: PartitionRegistration, surroundings: PartitionSurroundings): ResultPartition {
    return this.#results.create(registration, surroundings);
  }

  promote(edge: number, results: readonly ResultPartition[]): Promise<readonly PromotedPartition[]> {
    return this.#results.promote(edge, results);
  }

  keep(edge: number, partitions: readonly PromotedPartition[]): Promise<KeptResult | undefined> {
    return this.#results.keep(edge, partitions);
  }

  end(hasFinished: boolean): void {
    this.#results.end(hasFinished);
  }

  async dispose(): Promise<void> {
    await closeInTurn(
      () => this.#services.close(),
      () => this.#results.dispose(),
      () => this.#backend?.dispose(),
    );
  }

  createTask(deployment: TaskDeployment, surroundings: TaskSurroundings): RunningTask {
    const { callLimiters, errorTallies, answers, outputs } = this.#services;
    const { run, environment, batchSize, batchBytes } = this.#options;
    const { jobVertex: vertex, operators: uids, subtask, parallelism, attempt, beside } = deployment;
    const wasFinished = deployment.restore?.state.kind === 'finished';
    const found = this.#registry.find(vertex, uids);
    const program = wasFinished ? finished(found, () => this.#dismissInput(deployment, surroundings)) : found;
    const { source } = program;
    if (deployment.sourcePlan !== undefined) this.#sourcePlans.adopt(vertex, deployment.sourcePlan.plan);
    environment.faults.reach(taskFaultPoints.deploy, { vertex, subtask, attempt, batches: 0, records: 0 });
    const about = { job: this.#plan.name, run, vertex, subtask, parallelism, attempt, beside };
    const context = new TaskContext({ ...about, environment, outputs });
    const commitGate = deployment.asksToCommit === true ? new CommitGate(surroundings.prepared) : undefined;
    const closeLimit: CloseLimit = {
      clock: environment.clock,
      timeoutMs: this.#options.cancellationTimeoutMs,
      leftOpen: surroundings.leftOpen,
    };
    return new StreamTask({
      context,
      closeLimit,
      commitGate,
      scheduler: this.#scheduler,
      listener: wasFinished ? { ...surroundings, checkpointed: refusing(surroundings) } : surroundings,
      open: (wake, blame) => {
        const open = (restore: TaskRestore | undefined) =>
          openTask({
            closeLimit,
            commitGate,
            program,
            context,
            batchSize,
            batchBytes,
            callLimiters,
            errorTallies,
            rejected: surroundings.rejected,
            answers,
            sourcePlan: source?.plan && (() => this.#sourcePlans.planFor(source, context, surroundings.planned)),
            ...this.#channelsOf(deployment, surroundings, restore),
            restore,
            createTable: this.#tablesOf(deployment),
            partitions: deployment.outputs.map(({ partition }) =>
              assertHeld(partition, surroundings.output(partition)),
            ),
            readers: deployment.outputs.map(({ edge }) => (this.#plan.jobGraph.edges[edge] as JobEdge).target),
            wake,
            uids,
            blame,
          });
        const missing = this.#unregistered(deployment, surroundings);
        const awaited = missing.map((id) => surroundings.registered(id, context.signal));
        for (const opening of [answers.open(uids), this.#backend?.load()]) {
          if (opening !== undefined) awaited.push(opening);
        }
        const restore = this.#restoreOf(deployment, context.signal);
        if (awaited.length === 0 && !isThenable(restore)) return open(restore);
        return openWithState(restore, awaited, open);
      },
    });
  }

  #tablesOf({ checkpointScope }: TaskDeployment): CreateTable | undefined {
    const backend = this.#backend;
    if (backend !== undefined) return (uid) => backend.createTable(uid);
    if (checkpointScope !== undefined) return undefined;
    return (_, use) => (use === 'fold' ? new FoldTable() : new PlainTable());
  }

  /** undefined for a task that begins anew, or had finished. */
  #restoreOf({ restore }: TaskDeployment, signal: AbortSignal): TaskRestore | undefined | Promise<TaskRestore> {
    if (restore === undefined || restore.state.kind === 'finished') return undefined;
    return this.#states.read(restore.checkpoint, restore.state, signal);
  }

  #nameOfChannel({ inputs }: TaskDeployment, channel: number): string {
    let first = 0;
    for (const { edge, partitions, subpartition } of inputs) {
      const id = partitions[channel - first];
      if (id !== undefined) {
        const { source, target } = this.#plan.jobGraph.edges[edge] as JobEdge;
        return `${source} → ${target}, result ${id.partition}, subpartition ${subpartition}`;
      }
      first += partitions.length;
    }
    return `channel ${channel}`;
  }

  /** What a task has to know of its channels. */
  #channelsOf(deployment: TaskDeployment, surroundings: TaskSurroundings, restore: TaskRestore | undefined) {
    return {
      openChannels: () => this.#openChannels(deployment, surroundings, restore),
      channelOrder: surroundings.channelOrder,
      nameOfChannel: (channel: number) => this.#nameOfChannel(deployment, channel),
      bringsBarriers: this.#channelsWith(deployment, ({ consumption }) => consumption !== 'after-producer-finished'),
      checkpointBefore: deployment.checkpointBefore,
      declined: (checkpoint: CheckpointId, why: string) => surroundings.checkpointed(notRunning(checkpoint, why)),
    };
  }

  /** Which channels of a task have an exchange of a kind. */
  #channelsWith({ inputs }: TaskDeployment, isSo: (exchange: ExchangeType) => boolean): (channel: number) => boolean {
    const are = inputs.flatMap(({ edge, partitions }) => {
      const isOne = isSo((this.#plan.jobGraph.edges[edge] as JobEdge).exchange);
      return partitions.map(() => isOne);
    });
    return (channel) => are[channel] === true;
  }

  /** A restored task reads each retained channel from its record in the state on; others begin there. */
  #openChannels(
    deployment: TaskDeployment,
    surroundings: TaskSurroundings,
    restore: TaskRestore | undefined,
  ): SubpartitionView[] {
    const from = restore?.state.input.kind === 'gate' ? restore.state.input.channels : [];
    const isRetained = this.#channelsWith(deployment, ({ reconsumable }) => reconsumable);
    let channel = -1;
    return deployment.inputs.flatMap(({ partitions, subpartition }) =>
      partitions.map((id) => {
        channel++;
        return assertHeld(id, surroundings.source(id)).read(subpartition, isRetained(channel) ? from[channel] : 0);
      }),
    );
  }

  /**
   * Of a task that had finished, perhaps before its input had: its producers would wait for it. A result that is
   * retained is released anyway once all its consumers have finished.
   */
  #dismissInput({ inputs }: TaskDeployment, surroundings: TaskSurroundings): void {
    for (const { edge, partitions, subpartition } of inputs) {
      if (this.#plan.jobGraph.edges[edge]?.exchange.reconsumable === true) continue;
      for (const id of partitions) assertHeld(id, surroundings.source(id)).read(subpartition).dismiss();
    }
  }

  /** Results that can be read while they are written, but are not registered yet. */
  #unregistered({ inputs }: TaskDeployment, surroundings: TaskSurroundings): ResultPartitionId[] {
    return inputs.flatMap(({ edge, partitions }) =>
      this.#plan.jobGraph.edges[edge]?.exchange.consumption === 'after-producer-scheduled'
        ? partitions.filter((id) => surroundings.source(id) === undefined)
        : [],
    );
  }
}

/** The program of a task that had finished before the checkpoint: it needs no input, and only ends its results, where they begin. */
function finished({ outputs }: VertexProgram, dismissInput: () => void): VertexProgram {
  const nothing: Source<never> = {
    name: 'nothing',
    maxParallelism: Number.POSITIVE_INFINITY,
    open: () => {
      dismissInput();
      return { read: () => null, close: () => {} };
    },
  };
  return { source: nothing, operators: [], outputs, sink: undefined };
}

/** It ends at once, and then it counts as finished. */
function refusing({ checkpointed }: TaskSurroundings): TaskSurroundings['checkpointed'] {
  return ({ checkpoint }) => checkpointed(notRunning(checkpoint, 'it had finished before'));
}

function assertHeld<Held>(id: ResultPartitionId, held: Held | undefined): Held {
  if (held === undefined) throw new PartitionLostError(id, 'it is no longer available');
  return held;
}
