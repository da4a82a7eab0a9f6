import { lstatSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type {
  KeptResult,
  PartitionRegistration,
  PromotedPartition,
  StoredResult,
} from '../actors/protocol/deployment.ts';
import { fileProblem } from '../connectors/file-problem.ts';
import type { Environment } from '../environment.ts';
import { FileAccessError } from '../errors/connector-errors.ts';
import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExchangeSettings, MemoryOverflow } from '../graph/exchange-settings.ts';
import type { ExchangeName, ExchangeType } from '../graph/exchange-type.ts';
import type { KeepResults } from '../graph/keep-results.ts';
import type { JobEdge, JobGraph } from '../graph/job-graph.ts';
import type { RunId } from '../ids.ts';
import type { VertexProgram } from '../operators/operator-description.ts';
import { makeDirectory } from '../partitions/claims/make-directory.ts';
import { PipelinedResultPartition } from '../partitions/pipelined-result-partition.ts';
import { ReleasedResultPartition } from '../partitions/reproduced/released-result-partition.ts';
import { partitionFaultPoints, type ResultPartition } from '../partitions/result-partition.ts';
import type { DiskOverflow, DiskRoomOptions } from '../partitions/retained/disk-room.ts';
import { RetainedResultPartition } from '../partitions/retained/retained-result-partition.ts';
import type { DurableStore } from '../partitions/storage/durable-store.ts';
import { FileSpillStore } from '../partitions/storage/file-spill-store.ts';
import type { SpillStore } from '../partitions/storage/spill-store.ts';
import type { PartitionSurroundings } from './data-plane.ts';
import type { ResultBudgets, RunBudgets } from './shares/result-budgets.ts';

/** The job whose results are created. */
export interface LocalDataPlanePlan {
  readonly name: string;
  readonly jobGraph: JobGraph;
  readonly programs: readonly VertexProgram[];
  /** By index of the edge: the options of its exchange. */
  readonly exchanges: readonly Omit<ExchangeSettings, 'name'>[];
}

export interface LocalResultsOptions extends RunBudgets {
  readonly run: RunId;
  readonly environment: Environment;
  /** Default for exchanges without the option. */
  readonly memoryOverflow: MemoryOverflow;
  readonly diskOverflow: DiskOverflow;
  /** How long a producer waits for disk space. */
  readonly diskWaitTimeoutMs: number;
  /** How long results are kept after their consumers have read them. Default for exchanges without the option. */
  readonly keepResults: KeepResults;
  /** Parent of the run's directory for spilled results. Default: the system's temporary directory. */
  readonly spillDirectory: string | undefined;
  /** Default: files in `spillDirectory`. */
  readonly spillStore?: SpillStore;
  /**
   * By edge whose results are kept beyond the job: where this executor writes them, beside their final directory. Default:
   * in a directory of its own there, if that can be created.
   */
  readonly keptDirectories?: readonly (readonly [edge: number, directory: string])[] | undefined;
  /** Where results of `reliable` and `blocking` exchanges outlive the process. Default: they do not. */
  readonly durableStore?: DurableStore | undefined;
}

/** Creates the results of a run in an executor, and the stores of their files. */
export class LocalResults {
  readonly #plan: LocalDataPlanePlan;
  readonly #options: LocalResultsOptions;
  readonly #budgets: ResultBudgets;
  readonly #spillStore: SpillStore;
  /** By edge: the store for results that outlive the job, beside their final directory. */
  readonly #keptStores = new Map<number, { readonly directory: string; readonly store: FileSpillStore }>();

  constructor(plan: LocalDataPlanePlan, options: LocalResultsOptions, budgets: ResultBudgets) {
    this.#plan = plan;
    this.#options = options;
    this.#budgets = budgets;
    this.#spillStore =
      options.spillStore ??
      new FileSpillStore({ directory: options.spillDirectory, faults: options.environment.faults });
    // A custom store does not keep results beyond the run.
    if (options.keptDirectories !== undefined) this.#useKeptDirectories(options.keptDirectories);
    else if (options.spillStore === undefined) this.#makeKeptStores();
  }

  /** The directories of results that outlive the job, by edge. */
  *keptDirectories(): Generator<readonly [edge: number, directory: string]> {
    for (const [edge, { directory }] of this.#keptStores) yield [edge, directory];
  }

  create(registration: PartitionRegistration, surroundings: PartitionSurroundings): ResultPartition {
    const { id, edge, subpartitionCount, origin, isReproducible, fromRecords, isEndOnly } = registration;
    const { environment, memoryOverflow, diskOverflow, diskWaitTimeoutMs: timeoutMs } = this.#options;
    const { clock, freezeRecords: freeze } = environment;
    const { truncated, curtailed, reclaim, previous, trace: before } = surroundings;
    environment.faults.reach(partitionFaultPoints.register, { ...id });
    const exchange = this.#plan.jobGraph.edges[edge]?.exchange;
    if (exchange === undefined) throw new IllegalStateError(`There is no edge ${edge} in job "${this.#plan.name}"`);
    const name = exchange.name as ExchangeName;
    if (name === 'pipelined') return new PipelinedResultPartition({ id, exchange, subpartitionCount, curtailed });
    const needsEndOnly = isEndOnly === true && (origin === 'unread' || isReadInStep(exchange));
    const compared = needsEndOnly ? undefined : before;
    if (origin === 'unread') return new ReleasedResultPartition({ id, exchange, subpartitionCount }, compared);
    if (previous?.partition.canResume(fromRecords, previous.isLost, needsEndOnly) === true) {
      return previous.partition.resume(id, previous.isLost, fromRecords, isEndOnly);
    }
    // It begins before what is left of the earlier output, so consumers of that restart too.
    previous?.partition.release();
    const settings = this.#plan.exchanges[edge] ?? {};
    const { memory: budget, disk: diskBudget } = this.#budgets.of(edge);
    const disk: DiskRoomOptions = { budget: diskBudget, overflow: diskOverflow, reclaim, clock, timeoutMs };
    const lastingStore = this.#lastingStoreOf(edge, name);
    const kept = {
      id,
      exchange,
      subpartitionCount,
      budget,
      disk,
      spillStore: lastingStore ?? this.#spillStore,
      freeze,
      isReproducible,
      truncated,
      curtailed,
      keepsAll: (settings.keepResults ?? this.#options.keepResults) !== 'until-consumers-finish',
      ...(compared && previous === undefined && { before: compared }),
      ...(fromRecords && { fromRecords }),
      ...(isEndOnly && { isEndOnly }),
      ...(registration.stored && { stored: this.#adopt(registration.stored) }),
    };
    switch (name) {
      case 'blocking':
        return new RetainedResultPartition({
          ...kept,
          ...(lastingStore
            ? { retention: 'disk', sync: 'checkpoint', copies: true }
            : { retention: 'memory-then-disk' }),
        });
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

  end(hasFinished: boolean): void {
    this.#options.durableStore?.end(hasFinished);
  }

  async promote(edge: number, results: readonly ResultPartition[]): Promise<readonly PromotedPartition[]> {
    const files = new Map(this.#keptStores.get(edge)?.store.files.map((file) => [file.id.partition, file]));
    const promoted = results.map(async (result): Promise<readonly PromotedPartition[]> => {
      const { partition } = result.id;
      const file = files.get(partition);
      if (file === undefined) return [];
      const { attempt } = file.id;
      const { records } = result.statistics();
      return [{ partition, attempt, records, ...(await file.detach()) }];
    });
    return (await Promise.all(promoted)).flat();
  }

  async keep(edge: number, promoted: readonly PromotedPartition[]): Promise<KeptResult | undefined> {
    const kept = this.#keptStores.get(edge);
    if (kept === undefined) return undefined;
    const { directory, store } = kept;
    const { name, jobGraph, programs } = this.#plan;
    const { source, target } = jobGraph.edges[edge] as JobEdge;
    const { outputs } = programs[jobGraph.vertexIndexById.get(source) as number] as VertexProgram;
    const isBroadcast = outputs.some((output) => output.edge === edge && output.partitioning.kind === 'broadcast');
    const partitions = promoted.map(({ directory: _, ...partition }) => partition);
    const manifest = { run: this.#options.run, job: name, source, target, isBroadcast, partitions };
    await store.promote(directory, manifest, promoted);
    this.#keptStores.delete(edge);
    let [records, bytes] = [0, 0];
    for (const kept of partitions) {
      records += kept.records;
      for (const segment of kept.segments) bytes += segment;
    }
    return { source, target, directory, records, bytes };
  }

  async dispose(): Promise<void> {
    const { durableStore } = this.#options;
    const stores = [...this.#keptStores.values()].map(({ store }) => store);
    await Promise.all(
      [this.#spillStore, ...stores, ...(durableStore ? [durableStore] : [])].map((store) => store.dispose()),
    );
  }

  /** The store of an exchange's results that outlive the process or the job. */
  #lastingStoreOf(edge: number, exchange: ExchangeName): SpillStore | undefined {
    const kept = this.#keptStores.get(edge)?.store;
    return kept ?? (exchange === 'memory' ? undefined : this.#options.durableStore);
  }

  /** @throws IllegalStateError without a durable store */
  #adopt(stored: StoredResult) {
    const { durableStore } = this.#options;
    if (durableStore === undefined) throw new IllegalStateError('A result of an earlier run needs a state directory');
    return durableStore.adopt(stored);
  }

  #useKeptDirectories(directories: NonNullable<LocalResultsOptions['keptDirectories']>): void {
    const { faults } = this.#options.environment;
    for (const [edge, directory] of directories) {
      this.#keptStores.set(edge, {
        directory,
        store: new FileSpillStore({ directory, faults, option: 'keepResults' }),
      });
    }
  }

  /** @throws FileAccessError if a directory exists: nothing is overwritten, and no work is wasted */
  #makeKeptStores(): void {
    const { environment } = this.#options;
    for (const [edge, directory] of keptDirectories(this.#plan)) {
      assertFree(directory);
      const store = new FileSpillStore({
        directory: dirname(directory),
        faults: environment.faults,
        option: 'keepResults',
      });
      this.#keptStores.set(edge, { directory, store });
    }
  }
}

/** The directories of a job's results that outlive it, by edge. */
export function* keptDirectories({
  exchanges,
}: Pick<LocalDataPlanePlan, 'exchanges'>): Generator<readonly [edge: number, directory: string]> {
  for (const [edge, { keepResults }] of exchanges.entries()) {
    if (typeof keepResults === 'object' && 'directory' in keepResults) yield [edge, resolve(keepResults.directory)];
  }
}

/** @throws FileAccessError unless `directory` is missing and can be created, so that no work is wasted */
function assertFree(directory: string): void {
  let isThere: boolean;
  try {
    makeDirectory(dirname(directory));
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

/**
 * Whether all consumers are in the component of their producer: by a checkpoint before which it had finished, they had
 * everything, and need its end alone. Others need all of it, so that an attempt which cannot make it again must fail.
 */
function isReadInStep({ consumption }: ExchangeType): boolean {
  return consumption !== 'after-producer-finished';
}
