import { lstatSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type {
  KeptPartition,
  KeptResult,
  PartitionRegistration,
  TaskDeployment,
} from '../actors/protocol/deployment.ts';
import type { RunningTask } from '../actors/task-actor.ts';
import { TaskScheduler } from '../operators/task/task-scheduler.ts';
import { fileProblem } from '../connectors/file-problem.ts';
import { checkOutputFile } from '../connectors/outputs/output-file.ts';
import { partPath } from '../connectors/outputs/part-file.ts';
import type { Environment } from '../environment.ts';
import { FileAccessError, OutputInUseError } from '../errors/connector-errors.ts';
import { PartitionLostError } from '../errors/result-errors.ts';
import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExchangeSettings, MemoryOverflow } from '../graph/exchange-settings.ts';
import type { KeepResults } from '../graph/keep-results.ts';
import type { ExchangeName } from '../graph/exchange-type.ts';
import { type JobEdge, type JobGraph, type JobVertex, nameOfEdge } from '../graph/job-graph.ts';
import type { ResultPartitionId, RunId } from '../ids.ts';
import { taskFaultPoints } from '../operators/task/fault-points.ts';
import { CallLimiters } from '../operators/calls/call-limiters.ts';
import type { CloseLimit } from '../operators/close-all.ts';
import { openTask } from '../operators/task/open-task.ts';
import type { VertexProgram } from '../operators/operator-description.ts';
import { SourcePlans } from '../operators/task/source-plans.ts';
import { StreamTask } from '../operators/task/stream-task.ts';
import { TaskContext } from '../operators/task/task-context.ts';
import type { BatchLimits } from '../partitions/records/batch-cutter.ts';
import { FileSpillStore } from '../partitions/storage/file-spill-store.ts';
import { OutputClaims } from '../partitions/claims/output-claims.ts';
import { ByteBudget } from '../partitions/byte-budget.ts';
import { PipelinedResultPartition } from '../partitions/pipelined-result-partition.ts';
import { RetainedResultPartition } from '../partitions/retained/retained-result-partition.ts';
import { ReleasedResultPartition } from '../partitions/reproduced/released-result-partition.ts';
import type { DiskOverflow, DiskRoomOptions } from '../partitions/retained/disk-room.ts';
import { partitionFaultPoints, type ResultPartition, type SubpartitionView } from '../partitions/result-partition.ts';
import type { SpillStore } from '../partitions/storage/spill-store.ts';
import { ProgramRegistry } from './program-registry.ts';
import type { DataPlane, PartitionSurroundings, TaskSurroundings } from './data-plane.ts';

/** The job to run. */
export interface LocalDataPlanePlan {
  readonly name: string;
  readonly jobGraph: JobGraph;
  readonly programs: readonly VertexProgram[];
  /** By index of the edge: the options of its exchange. */
  readonly exchanges: readonly Omit<ExchangeSettings, 'name'>[];
}

export interface LocalDataPlaneOptions extends BatchLimits {
  readonly run: RunId;
  readonly environment: Environment;
  readonly memoryBudgetBytes: number;
  /** Default for exchanges without the option. */
  readonly memoryOverflow: MemoryOverflow;
  readonly diskBudgetBytes: number;
  readonly diskOverflow: DiskOverflow;
  /** How long a producer waits for disk space. */
  readonly diskWaitTimeoutMs: number;
  /** How long the source and the sink of a task may take to close. */
  readonly cancellationTimeoutMs: number;
  /** How long results are kept after their consumers have read them. Default for exchanges without the option. */
  readonly keepResults: KeepResults;
  /** Parent of the run's directory for spilled results. Default: the system's temporary directory. */
  readonly spillDirectory: string | undefined;
  /** Default: files in `spillDirectory`. */
  readonly spillStore?: SpillStore;
  /** Maximum steps of tasks per turn; see {@link TaskScheduler}. */
  readonly maxSteps?: () => number;
}

/** Runs tasks on this thread and holds their results in this process and its spill directory. */
export class LocalDataPlane implements DataPlane {
  readonly #plan: LocalDataPlanePlan;
  readonly #options: LocalDataPlaneOptions;
  readonly #registry: ProgramRegistry;
  readonly #scheduler: TaskScheduler;
  readonly #callLimiters: CallLimiters;
  readonly #sourcePlans = new SourcePlans();
  readonly #outputs: OutputClaims;
  readonly #memory: ByteBudget;
  readonly #disk: ByteBudget;
  /** By edge: the budgets of its exchange, which are parts of the run's budgets. */
  readonly #budgets = new Map<number, { readonly memory: ByteBudget; readonly disk: ByteBudget }>();
  readonly #spillStore: SpillStore;
  /** By edge: the store for results that outlive the job, beside their final directory. */
  readonly #keptStores = new Map<number, { readonly directory: string; readonly store: FileSpillStore }>();

  constructor(plan: LocalDataPlanePlan, options: LocalDataPlaneOptions) {
    this.#plan = plan;
    this.#registry = new ProgramRegistry(plan.name, plan.jobGraph, plan.programs);
    this.#options = options;
    const { maxSteps } = options;
    this.#scheduler = new TaskScheduler(options.environment.clock, maxSteps && { maxSteps });
    this.#outputs = new OutputClaims(options.run, plan.name);
    this.#callLimiters = new CallLimiters(options.environment);
    this.#memory = new ByteBudget(options.memoryBudgetBytes);
    this.#disk = new ByteBudget(options.diskBudgetBytes);
    this.#spillStore =
      options.spillStore ??
      new FileSpillStore({ directory: options.spillDirectory, faults: options.environment.faults });
    // A custom store does not keep results beyond the run.
    if (options.spillStore === undefined) this.#makeKeptStores();
  }

  begin(): void {
    const { jobGraph, programs } = this.#plan;
    for (const [edge, { directory }] of this.#keptStores) {
      const { source, target } = jobGraph.edges[edge] as JobEdge;
      try {
        this.#outputs.claim(directory, `${source} → ${target}`);
      } catch (error) {
        throw fileProblem(directory, 'write', error);
      }
    }
    for (const [index, { sink }] of programs.entries()) {
      if (sink?.target?.kind !== 'file') continue;
      const { path } = sink.target;
      const { id, parallelism } = jobGraph.vertices[index] as JobVertex;
      for (let subtask = 0; subtask < parallelism; subtask++) checkOutputFile(partPath(path, subtask, parallelism));
      try {
        this.#outputs.claim(path, id);
      } catch (error) {
        // Other errors are reported by the tasks when they open the file, and a restart may cure them.
        if (error instanceof OutputInUseError) throw error;
      }
    }
  }

  createPartition(registration: PartitionRegistration, surroundings: PartitionSurroundings): ResultPartition {
    const { id, edge, subpartitionCount, origin, isReproducible } = registration;
    const { environment, memoryOverflow, diskOverflow, diskWaitTimeoutMs: timeoutMs } = this.#options;
    const { clock, freezeRecords: freeze } = environment;
    const { truncated, curtailed, reclaim, previous, trace: before } = surroundings;
    environment.faults.reach(partitionFaultPoints.register, { ...id });
    const exchange = this.#plan.jobGraph.edges[edge]?.exchange;
    if (exchange === undefined) throw new IllegalStateError(`There is no edge ${edge} in job "${this.#plan.name}"`);
    const name = exchange.name as ExchangeName;
    if (name === 'pipelined') return new PipelinedResultPartition({ id, exchange, subpartitionCount, curtailed });
    if (origin === 'unread') return new ReleasedResultPartition({ id, exchange, subpartitionCount }, before);
    if (previous !== undefined) return previous.partition.resume(id, previous.isLost);
    const settings = this.#plan.exchanges[edge] ?? {};
    const { memory: budget, disk: diskBudget } = this.#budgetsOf(edge, settings);
    const disk: DiskRoomOptions = { budget: diskBudget, overflow: diskOverflow, reclaim, clock, timeoutMs };
    const keptStore = this.#keptStores.get(edge)?.store;
    const spillStore = keptStore ?? this.#spillStore;
    const kept = {
      id,
      exchange,
      subpartitionCount,
      budget,
      disk,
      spillStore,
      freeze,
      isReproducible,
      truncated,
      curtailed,
      keepsAll: (settings.keepResults ?? this.#options.keepResults) !== 'until-consumers-finish',
      ...(before && { before }),
    };
    switch (name) {
      case 'blocking':
        return new RetainedResultPartition({ ...kept, retention: keptStore ? 'disk' : 'memory-then-disk' });
      case 'memory': {
        const overflow = settings.memoryOverflow ?? memoryOverflow;
        return new RetainedResultPartition({
          ...kept,
          retention: overflow === 'spill' ? 'memory-then-disk' : 'memory',
        });
      }
      case 'reliable':
        return new RetainedResultPartition({ ...kept, retention: 'disk', sync: settings.sync ?? 'checkpoint' });
    }
  }

  createTask(deployment: TaskDeployment, surroundings: TaskSurroundings): RunningTask {
    const { name } = this.#plan;
    const { run, environment, batchSize, batchBytes } = this.#options;
    const { jobVertex: vertex, operators: uids, subtask, parallelism, attempt } = deployment;
    const program = this.#registry.find(vertex, uids);
    const { source } = program;
    environment.faults.reach(taskFaultPoints.deploy, { vertex, subtask, attempt, batches: 0, records: 0 });
    const outputs = this.#outputs;
    const context = new TaskContext({ job: name, run, vertex, subtask, parallelism, attempt, environment, outputs });
    const closeLimit: CloseLimit = {
      clock: environment.clock,
      timeoutMs: this.#options.cancellationTimeoutMs,
      leftOpen: surroundings.leftOpen,
    };
    return new StreamTask({
      context,
      closeLimit,
      scheduler: this.#scheduler,
      listener: surroundings,
      open: (wake, blame) => {
        const open = () =>
          openTask({
            closeLimit,
            program,
            context,
            batchSize,
            batchBytes,
            callLimiters: this.#callLimiters,
            sourcePlan: source?.plan && (() => this.#sourcePlans.planFor(source, context)),
            openChannels: () => openChannels(deployment, surroundings),
            channelOrder: surroundings.channelOrder,
            restore: deployment.restore,
            partitions: deployment.outputs.map(({ partition }) =>
              assertHeld(partition, surroundings.output(partition)),
            ),
            readers: deployment.outputs.map(({ edge }) => (this.#plan.jobGraph.edges[edge] as JobEdge).target),
            wake,
            uids,
            nameOfChannel: (channel) => this.#nameOfChannel(deployment, channel),
            blame,
          });
        const missing = this.#unregistered(deployment, surroundings);
        if (missing.length === 0) return open();
        return Promise.all(missing.map((id) => surroundings.registered(id, context.signal))).then(open);
      },
    });
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

  /** Results that can be read while they are written, but are not registered yet. */
  #unregistered({ inputs }: TaskDeployment, surroundings: TaskSurroundings): ResultPartitionId[] {
    return inputs.flatMap(({ edge, partitions }) =>
      this.#plan.jobGraph.edges[edge]?.exchange.consumption === 'after-producer-scheduled'
        ? partitions.filter((id) => surroundings.source(id) === undefined)
        : [],
    );
  }

  #budgetsOf(edge: number, { memoryBudgetBytes, diskBudgetBytes }: Omit<ExchangeSettings, 'name'>) {
    let budgets = this.#budgets.get(edge);
    if (budgets === undefined) {
      const part = (bytes: number | undefined, whole: ByteBudget): ByteBudget =>
        bytes === undefined
          ? whole
          : new ByteBudget(bytes, whole, nameOfEdge(this.#plan.jobGraph.edges[edge] as JobEdge));
      budgets = { memory: part(memoryBudgetBytes, this.#memory), disk: part(diskBudgetBytes, this.#disk) };
      this.#budgets.set(edge, budgets);
    }
    return budgets;
  }

  describe(edge: number, results: readonly ResultPartition[]): readonly KeptPartition[] {
    const files = new Map(this.#keptStores.get(edge)?.store.files.map((file) => [file.id.partition, file]));
    return results.flatMap((result): KeptPartition[] => {
      const { partition } = result.id;
      const file = files.get(partition);
      const { records } = result.statistics();
      return file === undefined ? [] : [{ partition, attempt: file.id.attempt, records, segments: file.segments }];
    });
  }

  async keep(edge: number, partitions: readonly KeptPartition[]): Promise<KeptResult | undefined> {
    const kept = this.#keptStores.get(edge);
    if (kept === undefined) return undefined;
    const { directory, store } = kept;
    const { name, jobGraph, programs } = this.#plan;
    const { source, target } = jobGraph.edges[edge] as JobEdge;
    const { outputs } = programs[jobGraph.vertexIndexById.get(source) as number] as VertexProgram;
    const isBroadcast = outputs.some((output) => output.edge === edge && output.partitioning.kind === 'broadcast');
    await store.promote(directory, { run: this.#options.run, job: name, source, target, isBroadcast, partitions });
    this.#keptStores.delete(edge);
    let [records, bytes] = [0, 0];
    for (const kept of partitions) {
      records += kept.records;
      for (const segment of kept.segments) bytes += segment;
    }
    return { source, target, directory, records, bytes };
  }

  async dispose(): Promise<void> {
    const stores = [...this.#keptStores.values()].map(({ store }) => store);
    this.#outputs.release();
    await Promise.all([this.#spillStore, ...stores].map((store) => store.dispose()));
  }

  /** @throws FileAccessError if a directory exists: nothing is overwritten, and no work is wasted */
  #makeKeptStores(): void {
    const { environment } = this.#options;
    for (const [edge, { keepResults }] of this.#plan.exchanges.entries()) {
      if (typeof keepResults !== 'object' || !('directory' in keepResults)) continue;
      const directory = resolve(keepResults.directory);
      assertFree(directory);
      const store = new FileSpillStore({ directory: dirname(directory), faults: environment.faults });
      this.#keptStores.set(edge, { directory, store });
    }
  }
}

function openChannels(deployment: TaskDeployment, surroundings: TaskSurroundings): SubpartitionView[] {
  return deployment.inputs.flatMap(({ partitions, subpartition, fromRecords }) =>
    partitions.map((id, index) => assertHeld(id, surroundings.source(id)).read(subpartition, fromRecords?.[index])),
  );
}

function assertHeld<Held>(id: ResultPartitionId, held: Held | undefined): Held {
  if (held === undefined) throw new PartitionLostError(id, 'it is no longer available');
  return held;
}

/** @throws FileAccessError unless `directory` is missing and can be created, so that no work is wasted */
function assertFree(directory: string): void {
  let isThere: boolean;
  try {
    mkdirSync(dirname(directory), { recursive: true });
    isThere = lstatSync(directory, { throwIfNoEntry: false }) !== undefined;
    // Report a name that is too long, or a read-only disk, before the job runs.
    if (!isThere) {
      mkdirSync(directory);
      rmdirSync(directory);
    }
  } catch (error) {
    throw fileProblem(directory, 'write', error);
  }
  if (isThere) {
    throw new FileAccessError(
      directory,
      'it already exists: release the kept result with releaseKeptResult(), or choose another directory',
    );
  }
}
