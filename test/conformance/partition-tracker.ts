import type { PartitionRegistration } from '../../src/actors/protocol/deployment.ts';
import type { DataPlane } from '../../src/executors/data-plane.ts';
import { ResultDirectory } from '../../src/executors/result-directory.ts';
import { KeptResults } from '../../src/executors/kept-results.ts';
import { ResultPromoter } from '../../src/executors/result-promoter.ts';
import { ResultStore } from '../../src/executors/result-store.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import type { ExchangeType } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, ResultPartitionId } from '../../src/ids.ts';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { NotingPartition } from '../support/partition-harness.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  equalsAs,
  type Handler,
  type Judge,
  knowing,
  perStep,
  someFields,
  sorted,
} from './conformance-case.ts';
import { flinkExchangeTypes } from './flink-exchange-types.ts';
import { listOf, textOf } from './given-graph.ts';

/** A result of a case, and its place. */
interface TrackedResult {
  readonly name: string;
  readonly type: string;
  readonly exchange: ExchangeType;
  readonly executor: ExecutorId;
  /** False if it is elsewhere, and the executor that wrote it has none of it. */
  readonly isLocal: boolean;
}

/** A result that records its release. */
class TrackedPartition extends NotingPartition {
  override readonly id: ResultPartitionId;
  override readonly exchange: ExchangeType;
  readonly #released: () => void;

  constructor({ id, subpartitionCount }: PartitionRegistration, exchange: ExchangeType, released: () => void) {
    super(subpartitionCount);
    this.id = id;
    this.exchange = exchange;
    this.#released = released;
  }

  override release(): void {
    this.#released();
  }
}

/** The real stores over empty results; each is written by a separate task. */
class TrackerRig {
  readonly released: string[] = [];
  readonly promoted: string[] = [];
  readonly #results: readonly TrackedResult[];
  readonly #ledger: JobLedger;
  readonly #actors = ActorHost.root('case', { clock: new HandClock() });
  readonly #dataPlane: Pick<DataPlane, 'createPartition' | 'promote' | 'keep'>;
  readonly #directory = new ResultDirectory();
  readonly #stores = new Map<ExecutorId, ResultStore>();

  constructor(results: readonly TrackedResult[]) {
    this.#results = results;
    const graph = new ExecutionGraph(
      createJobGraph(
        'case',
        results.flatMap(({ name }) => [writerOf(name), readerOf(name)].map((id) => ({ id, parallelism: 1 }))),
        results.map(({ name, exchange }) => ({
          source: writerOf(name),
          target: readerOf(name),
          exchange,
          pattern: 'pointwise',
        })),
      ),
    );
    this.#ledger = new JobLedger(graph, pipelinedRegions(graph));
    this.#dataPlane = {
      createPartition: (registration) =>
        new TrackedPartition(registration, this.#exchangeOf(registration.id), () =>
          this.released.push(this.nameOf(registration.id)),
        ),
      promote: (_, kept) => {
        const promoted = kept.map(({ id: { partition, attempt } }) => {
          this.promoted.push(this.nameOf({ partition }));
          return { partition, attempt, records: 0, segments: [], directory: 'promoted' };
        });
        return Promise.resolve(promoted);
      },
      keep: (edge) => {
        const { name } = results[edge] as TrackedResult;
        const kept = { source: writerOf(name), target: readerOf(name), directory: name, records: 0, bytes: 0 };
        return Promise.resolve(kept);
      },
    };
  }

  storeOf(executor: ExecutorId): ResultStore {
    let store = this.#stores.get(executor);
    if (store === undefined) {
      store = new ResultStore({
        clock: new HandClock(),
        actors: this.#actors.within(executor),
        dataPlane: this.#dataPlane,
        directory: this.#directory,
        executor: { report: () => {} },
      });
      this.#stores.set(executor, store);
    }
    return store;
  }

  /** The executor that holds a result. */
  placeOf(name: string): ExecutorId {
    const { executor, isLocal } = this.#results.find((result) => result.name === name) as TrackedResult;
    return isLocal ? executor : ('elsewhere' as ExecutorId);
  }

  nameOf({ partition }: Pick<ResultPartitionId, 'partition'>): string {
    return (this.#results[this.#ledger.graph.edgeIndexOfPartition(partition)] as TrackedResult).name;
  }

  idOf(name: unknown): ResultPartitionId {
    const edge = this.#results.findIndex((result) => result.name === name);
    if (edge === -1) throw new CannotRun(`there is no result ${JSON.stringify(name)} in the case`);
    const partition: PartitionId = this.#ledger.graph.partitionOf(edge, this.#writer(edge));
    return { partition, attempt: 0 as AttemptNumber };
  }

  /** The results on an executor that outlive the tasks that wrote them, as far as the books of the job know. */
  heldBy(executor: ExecutorId): string[] {
    return this.storeOf(executor)
      .held.filter(({ output }) => !output.exchange.joinsRegions)
      .filter(({ output }) => this.#ledger.results.placeOf(output.id.partition) === executor)
      .map(({ output }) => this.nameOf(output.id));
  }

  /** The results that are somewhere. */
  get tracked(): string[] {
    return [...this.#stores.keys()].flatMap((executor) => this.heldBy(executor));
  }

  /** The executor is lost. Nobody can tell it anything. */
  forget(executor: ExecutorId): void {
    this.#ledger.loseResultsOn(executor);
  }

  #exchangeOf({ partition }: Pick<ResultPartitionId, 'partition'>): ExchangeType {
    return this.#ledger.graph.exchangeOfPartition(partition);
  }

  /** A task is about to write it. */
  start(name: string): void {
    const id = this.idOf(name);
    const edge = this.#ledger.graph.edgeIndexOfPartition(id.partition);
    const registrations = this.#ledger.beginRegistration(this.#writer(edge), id.attempt, 'new');
    const failed = this.storeOf(this.placeOf(name)).register(registrations);
    this.#ledger.results.place(this.#writer(edge), id.attempt, this.placeOf(name));
    if (failed !== undefined) throw failed.cause;
  }

  /** The job has finished, and with it every task. */
  async endJob(names: readonly string[]): Promise<void> {
    const ids = names.map((name) => this.idOf(name));
    const isEverything = this.#results.every(
      ({ name }) => this.#directory.find(this.idOf(name)) === undefined || names.includes(name),
    );
    if (!isEverything) throw new CannotRun('a job that ends for some of its results alone is not known');
    for (const [executor, store] of this.#stores) {
      store.noteRunning(ids);
      store.noteFinished(ids);
      const persistent = this.#results.flatMap(({ name, type }, edge) =>
        type === 'BLOCKING_PERSISTENT' && this.placeOf(name) === executor ? [{ edge, results: [this.idOf(name)] }] : [],
      );
      const kept = new KeptResults(this.#dataPlane);
      await kept.keep(await new ResultPromoter(this.#dataPlane, store).promote(persistent));
      await kept.end(true);
      store.close();
    }
  }

  #writer(edge: number): ExecutionVertexId {
    const { graph } = this.#ledger;
    return graph.vertexAt(
      graph.jobGraph.vertexIndexById.get(writerOf(this.#results[edge]?.name) as never) as number,
      0,
    );
  }
}

const writerOf = (name: string | undefined): string => `writer of ${name}`;
const readerOf = (name: string): string => `reader of ${name}`;

function trackedResult(step: ConformanceCase['when'][number]): TrackedResult {
  const { partition, type, taskManager, localResources } = step;
  const typeName = textOf(type);
  const exchange = Object.hasOwn(flinkExchangeTypes, typeName) ? flinkExchangeTypes[typeName] : undefined;
  if (exchange === undefined) throw new CannotRun(`result type ${typeName} is not known`);
  if (typeof localResources !== 'boolean') throw new CannotRun('step localResources is no boolean');
  return {
    name: textOf(partition),
    type: typeName,
    exchange,
    executor: textOf(taskManager) as ExecutorId,
    isLocal: localResources,
  };
}

/** The commands for the results of a job whose tracking stops, and their receivers. */
const tracker: Handler = async ({ when }) => {
  const results = when.filter(({ op }) => op === 'startTracking').map(trackedResult);
  if (new Set(results.map(({ name }) => name)).size !== results.length) {
    throw new CannotRun('a result that is tracked twice is not known');
  }
  if (results.length === 0) throw new CannotRun('a job without results is not known');
  const rig = new TrackerRig(results);
  const told = when.flatMap(({ op, taskManager }) =>
    op === 'stopTrackingFor' ? [textOf(taskManager) as ExecutorId] : [],
  );
  const executors = [...new Set([...results.map(({ executor }) => executor), ...told])];
  /** By executor: what it held before it was told to release something. */
  const held = new Map(executors.map((executor) => [executor, new Set<string>()]));
  const looks: { readonly tracked: readonly string[]; readonly tracksFor: ReadonlyMap<ExecutorId, boolean> }[] = [];
  for (const step of when) {
    if (step['op'] === 'startTracking') {
      rig.start(textOf(step['partition']));
      for (const [executor, names] of held) for (const name of rig.heldBy(executor)) names.add(name);
    } else if (step['op'] === 'stopTrackingFor') rig.forget(textOf(step['taskManager']) as ExecutorId);
    else {
      const names = listOf<string>(step['partitions'], 'partitions');
      if (step['op'] !== 'stopTrackingAndRelease') await rig.endJob(names);
      else for (const name of names) rig.storeOf(rig.placeOf(name)).release([rig.idOf(name)], []);
    }
    const tracksFor = new Map(executors.map((executor) => [executor, rig.heldBy(executor).length > 0]));
    looks.push({ tracked: rig.tracked, tracksFor });
  }
  const calls = [...held].map(([to, names]) => ({
    to,
    release: sorted(rig.released.filter((name) => names.has(name))),
    promote: sorted(rig.promoted.filter((name) => names.has(name))),
  }));
  const tracksFor = looks.map((look) => someFields(judgesOf(look.tracksFor)));
  const tracked = looks.map((look) => trackedAs(look.tracked, results));
  return {
    taskManagerCalls: equals(calls.filter(({ release, promote }) => release.length + promote.length > 0)),
    shuffleMasterReleases: equalsAs(sorted, rig.released),
    tracksFor: tracksFor.at(-1) as Judge,
    tracksForPerStep: perStep(tracksFor),
    tracked: tracked.at(-1) as Judge,
    trackedPerStep: perStep(tracked),
  };
};

function judgesOf(values: ReadonlyMap<string, unknown>): Record<string, Judge> {
  return Object.fromEntries([...values].map(([name, value]): [string, Judge] => [name, equals(value)]));
}

/** What is tracked: as a list of names, or by name whether it is. */
function trackedAs(tracked: readonly string[], results: readonly TrackedResult[]): Judge {
  return (expected) =>
    Array.isArray(expected)
      ? equalsAs(sorted, tracked)(expected)
      : someFields(judgesOf(new Map(results.map(({ name }) => [name, tracked.includes(name)]))))(expected);
}

/** Handlers of the kind `tracker` of the area `partition-release`. */
export const partitionTrackerHandlers: Readonly<Record<string, Handler>> = {
  tracker: knowing(
    {
      given: [],
      ops: {
        startTracking: ['partition', 'type', 'taskManager', 'localResources'],
        stopTrackingAndRelease: ['partitions'],
        stopTrackingAndReleaseOrPromote: ['partitions'],
        stopTrackingFor: ['taskManager'],
      },
    },
    tracker,
  ),
};
