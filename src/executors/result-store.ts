import type { AnyActorRef } from 'xstate';
import type { ActorHost } from '../actors/actor-host.ts';
import type { VerifiedResults } from '../actors/executor-gateway.ts';
import type { PassedRecords } from '../actors/protocol/checkpoint-messages.ts';
import type { FoundResult, PartitionRegistration } from '../actors/protocol/deployment.ts';
import type { ReportedResult } from '../actors/protocol/heartbeat.ts';
import { storageActor, type ResultSource } from '../actors/storage-actor.ts';
import type { Clock } from '../environment.ts';
import { PartitionLostError } from '../errors/result-errors.ts';
import { toError } from '../errors/thrown-value.ts';
import type { CheckpointId, ExecutionVertexId, PartitionId, ResultPartitionId } from '../ids.ts';
import { engineChart } from '../machines/engine-chart.ts';
import {
  type PartitionEvent,
  type PartitionExecutor,
  partitionMachine,
} from '../machines/partition/partition-machine.ts';
import { ChannelOrder } from '../partitions/channel-order.ts';
import { isResumable, isStorable, type ResultPartition } from '../partitions/result-partition.ts';
import type { DataPlane, PartitionSurroundings } from './data-plane.ts';
import { type HeldResult, OwnedResult, PassingResult } from './held-result.ts';
import type { ResultDirectory, ResultShelf } from './result-directory.ts';

export interface ResultStoreOptions {
  readonly clock: Clock;
  readonly dataPlane: Pick<DataPlane, 'createPartition'>;
  /** The results of all executors of this process. */
  readonly directory: ResultDirectory;
  /** The executor that owns the results. */
  readonly executor: PartitionExecutor;
  /** Host of the actors of results that begin here. */
  readonly actors: ActorHost;
}

/** The task whose results could not be registered, and why. */
export interface FailedRegistration {
  readonly producer: ExecutionVertexId;
  readonly cause: Error;
}

const beginningLost = 'its beginning was lost, and its producer continued from a checkpoint';

const machine = engineChart(partitionMachine).provide({ actors: { storage: storageActor } });

/**
 * The results of one executor, and the orders in which its tasks read their channels. It routes messages to results;
 * the partition chart of each result decides.
 *
 * RS1 The executors of a process hold one result of a partition at most: that of the latest registered attempt. Only a
 *   second attempt writes its own beside that of the first; what they leave is not reproduced.
 * RS2 A registration that was overtaken has no effect: its attempt ended before it began, and a later one is registered
 *   on another executor (W3).
 */
export class ResultStore implements ResultShelf {
  readonly #options: ResultStoreOptions;
  readonly #results = new Map<PartitionId, HeldResult>();
  /** Candidates for reclaiming. */
  readonly #reclaimable = new Set<OwnedResult>();
  readonly #orders = new Map<ExecutionVertexId, ChannelOrder>();

  constructor(options: ResultStoreOptions) {
    this.#options = options;
    options.directory.add(this);
  }

  get held(): HeldResult[] {
    return [...this.#results.values()].filter(({ isHeld }) => isHeld);
  }

  /** Bytes that its results take. O(results) */
  size(): { readonly memoryBytes: number; readonly diskBytes: number } {
    const size = { memoryBytes: 0, diskBytes: 0 };
    for (const { output } of this.held) {
      const { memoryBytes, spilledBytes } = output.statistics();
      size.memoryBytes += memoryBytes;
      size.diskBytes += spilledBytes;
    }
    return size;
  }

  /** Its results one by one, for observers. O(results) */
  described(): ReportedResult[] {
    const nowMs = this.#options.clock.now();
    return this.held.map(({ output, sinceMs }) => {
      const { records, batches, memoryBytes, spilledBytes } = output.statistics();
      return { id: output.id, ageMs: nowMs - sinceMs, records, batches, memoryBytes, spilledBytes };
    });
  }

  /** Others of this process do not find its results any more. */
  isolate(): void {
    this.#options.directory.remove(this);
  }

  /** The charts of the results. */
  *actorRefs(): Generator<AnyActorRef> {
    for (const result of this.#results.values()) if (result instanceof OwnedResult) yield result.actor;
  }

  get reclaimable(): OwnedResult[] {
    for (const result of this.#reclaimable) if (!result.isReclaimable) this.#reclaimable.delete(result);
    return [...this.#reclaimable];
  }

  find({ partition, attempt }: ResultPartitionId): ResultSource | undefined {
    return this.#results.get(partition)?.sourceOf(attempt);
  }

  /** The registered partition that an attempt writes. A released one discards its records. */
  readonly outputOf = (id: ResultPartitionId): ResultPartition | undefined => this.#present(id)?.output;

  /** Whether a consumer can read a result again. */
  isRetained(id: ResultPartitionId): boolean {
    return this.#present(id)?.output.exchange.reconsumable === true;
  }

  /** Every retained checkpoint has passed these records: no restore reads them again. */
  forget({ result, records }: PassedRecords): void {
    const output = this.#present(result)?.output;
    if (output !== undefined && isResumable(output)) output.forget(records);
  }

  take(partition: PartitionId): HeldResult | undefined {
    const taken = this.#results.get(partition);
    this.#results.delete(partition);
    if (taken instanceof OwnedResult) this.#reclaimable.delete(taken);
    return taken;
  }

  takeOrder(vertex: ExecutionVertexId): ChannelOrder | undefined {
    const order = this.#orders.get(vertex);
    this.#orders.delete(vertex);
    return order;
  }

  /** Prepares the results of tasks, all or none, without those of overtaken attempts. RS2 */
  register(requested: readonly PartitionRegistration[]): FailedRegistration | undefined {
    const { directory } = this.#options;
    const registrations = requested.filter(({ id }) => directory.arrivals.isToCome(id));
    for (const { id, producer, origin } of registrations) {
      if (origin === 'beside') this.#drop(id.partition);
      if (origin !== 'new') continue;
      directory.drop(id.partition);
      directory.takeOrder(producer);
    }
    for (const registration of registrations) {
      try {
        this.#register(registration);
      } catch (cause) {
        for (const { id, origin } of registrations) if (origin !== 'again') this.#release(id.partition, false);
        return { producer: registration.producer, cause: toError(cause) };
      }
    }
    for (const { id } of registrations) directory.arrivals.arrived(id);
    return undefined;
  }

  /** The order in which a task must read its channels: a new one, or that of its last attempt. */
  orderOf(vertex: ExecutionVertexId, mode: 'new' | 'again'): ChannelOrder {
    const before = this.#options.directory.takeOrder(vertex);
    const order = (mode === 'again' ? before?.copy() : undefined) ?? new ChannelOrder();
    this.#orders.set(vertex, order);
    return order;
  }

  /** No restore of a task goes back behind the barrier of this checkpoint. */
  forgetOrder(vertex: ExecutionVertexId, before: CheckpointId): void {
    this.#orders.get(vertex)?.forget(before);
  }

  noteRunning(ids: readonly ResultPartitionId[]): void {
    this.#tell(ids, { type: 'partition.produce', atMs: this.#options.clock.now() });
  }

  noteFinished(ids: readonly ResultPartitionId[]): void {
    this.#tell(ids, { type: 'partition.finish', atMs: this.#options.clock.now() });
  }

  /** Verifies that results are still readable. Calls `done` once with the outcome. */
  verify(ids: readonly ResultPartitionId[], done: (verified: VerifiedResults) => void): void {
    const lost: { id: ResultPartitionId; cause: Error }[] = [];
    const found: FoundResult[] = [];
    let open = ids.length;
    if (open === 0) done({ lost, found });
    for (const id of ids) {
      const held = this.#results.get(id.partition);
      // What an earlier attempt wrote is another result.
      const result = held?.sourceOf(id.attempt) === undefined ? undefined : held;
      const answered = (error?: Error): void => {
        if (error !== undefined) lost.push({ id, cause: error });
        else if (result !== undefined) found.push({ id, ...sizeOf(result.output) });
        if (--open === 0) done({ lost, found });
      };
      if (result !== undefined) result.verify(answered);
      else if (this.#options.directory.arrivals.isToCome(id)) answered();
      else answered(new PartitionLostError(id, 'it is no longer available'));
    }
  }

  lose(id: ResultPartitionId, cause: Error): void {
    this.#tell([id], { type: 'partition.lose', cause });
  }

  /**
   * Releases results that no consumer needs. Results in `traced` leave a trace, because their producers may reproduce
   * them.
   */
  release(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[]): void {
    const leavesTrace = new Set(traced.map(({ partition }) => partition));
    for (const id of ids) this.#tell([id], { type: 'partition.release', traced: leavesTrace.has(id.partition) });
  }

  /** Allows the release of results, as above, when space is needed. */
  allowReclaim(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[]): void {
    const leavesTrace = new Set(traced.map(({ partition }) => partition));
    for (const id of ids) {
      const result = this.#present(id);
      if (!(result instanceof OwnedResult)) continue;
      result.tell({ type: 'partition.allowReclaim', traced: leavesTrace.has(id.partition) });
      this.#reclaimable.add(result);
    }
  }

  forbidReclaim(ids: readonly ResultPartitionId[]): void {
    this.#tell(ids, { type: 'partition.forbidReclaim' });
  }

  /**
   * Promotes results, which then outlive the job.
   * @throws PartitionLostError (as a rejection) if one is incomplete, no longer readable, or only the rest since a checkpoint;
   * none is promoted then
   */
  async promote(ids: readonly ResultPartitionId[]): Promise<readonly ResultPartition[]> {
    const results = ids.map((id) => {
      const result = this.#present(id);
      if (!(result instanceof OwnedResult && result.isFinished)) {
        throw new PartitionLostError(id, 'it is no longer available');
      }
      if (isStorable(result.output) && result.output.isRest) throw new PartitionLostError(id, beginningLost);
      return result;
    });
    await new Promise<void>((resolve, reject) => {
      this.verify(ids, ({ lost: [lost] }) => {
        if (lost === undefined) resolve();
        else reject(lost.cause);
      });
    });
    for (const result of results) result.tell({ type: 'partition.promote' });
    return results.map(({ output }) => output);
  }

  /** Ends the store of a stopped or lost executor, with all results and recorded orders. */
  close(): void {
    this.#options.directory.remove(this);
    for (const partition of [...this.#results.keys()]) this.#drop(partition);
    this.#reclaimable.clear();
    this.#orders.clear();
  }

  #register(registration: PartitionRegistration): void {
    const { dataPlane, directory, executor } = this.#options;
    const { id, origin, edge } = registration;
    const mayTakeOver = origin === 'again' || origin === 'unread';
    const before = mayTakeOver ? directory.take(id.partition) : undefined;
    if (before !== undefined) this.#results.set(id.partition, before);
    // Its release message may still be in transit to the executor it was taken from.
    if (origin === 'unread') this.#release(id.partition, true);
    const known = before instanceof OwnedResult ? before : undefined;
    const previous = known?.isHeld === true ? resumable(known) : undefined;
    let result: HeldResult | undefined = known;
    const truncated = (): void => result?.tell({ type: 'partition.truncate' });
    const partition = dataPlane.createPartition(registration, {
      truncated,
      curtailed: truncated,
      reclaim: (bytes, budget) => directory.reclaim(bytes, budget, edge),
      previous,
      trace: previous === undefined ? known?.trace : undefined,
    });
    if (known === undefined) {
      before?.drop();
      result = this.#create(registration, partition);
      this.#results.set(id.partition, result);
      // Its executor is lost, with its trace: discard the records.
      if (origin === 'unread') this.#release(id.partition, false);
      if (origin === 'restored') {
        this.noteRunning([id]);
        this.noteFinished([id]);
      }
    } else {
      const type = origin === 'unread' ? 'partition.repeat' : 'partition.resume';
      known.tell({ type, id, storage: partition, executor });
    }
  }

  #create(registration: PartitionRegistration, storage: ResultPartition): HeldResult {
    const { actors, clock, directory, executor } = this.#options;
    const { id, producer, edge, origin } = registration;
    const registered = { producer, edge, sinceMs: clock.now() };
    if (storage.exchange.joinsRegions) return new PassingResult(registered, storage);
    // Attempts whose registrations were lost or overtaken wrote nothing: their consumers read what this one writes.
    const isNew = origin === 'new' || origin === 'beside';
    const firstAttempt = isNew ? id.attempt : directory.arrivals.firstToCome(id.partition);
    const input = { id, firstAttempt, storage, executor };
    const actor = actors.create(machine, `partition/${id.partition}#${id.attempt}`, input);
    actor.start();
    return new OwnedResult(registered, actor, actors);
  }

  #release(partition: PartitionId, traced: boolean): void {
    this.#results.get(partition)?.tell({ type: 'partition.release', traced });
  }

  #drop(partition: PartitionId): void {
    this.#results.get(partition)?.drop();
    this.#results.delete(partition);
  }

  /** W3: only the result of the current attempt. */
  #present(id: ResultPartitionId): HeldResult | undefined {
    const result = this.#results.get(id.partition);
    return result?.output.id.attempt === id.attempt ? result : undefined;
  }

  #tell(ids: readonly ResultPartitionId[], event: PartitionEvent): void {
    for (const id of ids) this.#present(id)?.tell(event);
  }
}

/** The parts that the next attempt takes over. */
function resumable(result: OwnedResult): PartitionSurroundings['previous'] {
  return isResumable(result.output) ? { partition: result.output, isLost: result.isLost } : undefined;
}

function sizeOf(storage: ResultPartition): Pick<FoundResult, 'records' | 'bytes'> {
  const { records, memoryBytes, spilledBytes } = storage.statistics();
  return { records, bytes: memoryBytes + spilledBytes };
}
