import type { ActorHost } from '../actors/actor-host.ts';
import type { VerifiedResults } from '../actors/executor-gateway.ts';
import type { FoundResult, KeptResult, PartitionRegistration } from '../actors/protocol/deployment.ts';
import type { ExecutorToMasterMessage } from '../actors/protocol/messages.ts';
import type { Clock } from '../environment.ts';
import { PartitionLostError } from '../errors/result-errors.ts';
import { toError } from '../errors/thrown-value.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, ResultPartitionId } from '../ids.ts';
import { type PartitionActorRef, partitionMachine } from '../machines/partition/partition-machine.ts';
import type { ByteBudget } from '../partitions/byte-budget.ts';
import { ChannelOrder } from '../partitions/channel-order.ts';
import { releaseKeptResult } from '../partitions/storage/kept-result.ts';
import { isResumable, isTraceable, type ResultPartition } from '../partitions/result-partition.ts';
import type { ResultTrace } from '../partitions/result-trace.ts';
import type { DataPlane } from './data-plane.ts';
import { ArrivalBoard } from './arrival-board.ts';

export interface ResultStoreOptions {
  readonly clock: Clock;
  readonly dataPlane: Pick<DataPlane, 'createPartition' | 'promote' | 'keptEdges'>;
}

/** What becomes of results by itself, as the master hears of it. */
export type ResultFact = Extract<ExecutorToMasterMessage, { type: `result.${string}` | 'results.reclaimed' }>;

/** Where a result is registered: the executor that its producer runs on, and how its facts reach the master. */
export interface ResultHost {
  readonly executor: ExecutorId;
  /** Where the actors of results that begin there are made. */
  readonly actors: ActorHost;
  readonly report: (fact: ResultFact) => void;
}

/** A result, from the attempt on that began it to the one that writes it now. */
interface HeldResult {
  partition: ResultPartition;
  readonly actor: PartitionActorRef;
  /** Where the actor was made. */
  readonly home: ActorHost;
  readonly producer: ExecutionVertexId;
  readonly edge: number;
  readonly sinceMs: number;
  /** Where its producer runs or ran. */
  host: ResultHost;
  startedMs: number;
  /** How long it took to produce: what it would cost to have it produced again. */
  producedMs: number;
}

/** Whoever registers results for a task that then cannot be registered. */
export interface FailedRegistration {
  readonly producer: ExecutionVertexId;
  readonly cause: Error;
}

/**
 * The results that the executors of this process hold, at most one for each partition, and the orders in which tasks read
 * their channels. It knows nothing of the master's books: what it is told and what it holds is all it goes by.
 */
export class ResultStore {
  readonly #options: ResultStoreOptions;
  readonly #results = new Map<PartitionId, HeldResult>();
  /** What is left of results that were given up, and that their producers may have to produce again. */
  readonly #traces = new Map<PartitionId, ResultTrace>();
  /** What was registered last of each partition, for whom writes it: it may be given up before that begins. */
  readonly #outputs = new Map<PartitionId, ResultPartition>();
  /** The attempt that began what is held, or is about to be: those after it produce the same. */
  readonly #firstAttempts = new Map<PartitionId, AttemptNumber>();
  /** Held results that may be given up for want of room, and whether they leave a trace then. */
  readonly #reclaimable = new Map<PartitionId, boolean>();
  readonly #orders = new Map<ExecutionVertexId, ChannelOrder>();
  readonly #arrivals = new ArrivalBoard();
  readonly #machine = partitionMachine.provide({ actions: { recordState: () => {} } });

  constructor(options: ResultStoreOptions) {
    this.#options = options;
  }

  /** The result that attempt holds or has handed on, if it is still there. */
  find(id: ResultPartitionId): ResultPartition | undefined {
    return this.#heldOf(id)?.partition;
  }

  /** What an attempt is to write, once it is registered. Given up, because every consumer has read it, it takes what is written. */
  outputOf(id: ResultPartitionId): ResultPartition | undefined {
    const output = this.#outputs.get(id.partition);
    return output?.id.attempt === id.attempt ? output : undefined;
  }

  /** What is held of a partition now. */
  resultOf(partition: PartitionId): ResultPartition | undefined {
    return this.#results.get(partition)?.partition;
  }

  /** Everything that is held, since when, and for whom. */
  get held(): Iterable<Pick<HeldResult, 'partition' | 'sinceMs' | 'host'>> {
    return this.#results.values();
  }

  /** Prepares what tasks on one executor will write, all or nothing. */
  register(registrations: readonly PartitionRegistration[], host: ResultHost): FailedRegistration | undefined {
    for (const { id, producer, origin } of registrations) {
      if (origin === 'again') continue;
      const before = this.#results.get(id.partition);
      // Its order to give up may still be on its way.
      if (before !== undefined) this.#giveUp(id.partition, before, origin === 'unread');
      if (origin !== 'new') continue;
      this.#firstAttempts.set(id.partition, id.attempt);
      this.#traces.delete(id.partition);
      this.#orders.delete(producer);
    }
    for (const registration of registrations) {
      try {
        this.#register(registration, host);
      } catch (cause) {
        for (const { id, origin } of registrations) if (origin !== 'again') this.#drop(id.partition);
        return { producer: registration.producer, cause: toError(cause) };
      }
    }
    for (const { id } of registrations) this.#arrivals.arrived(id.partition);
    return undefined;
  }

  /**
   * Settles when a result is registered, at once if it was and is gone; rejects when the signal is aborted before.
   */
  untilRegistered(id: ResultPartitionId, signal: AbortSignal): Promise<void> {
    if (!this.#isToBeRegistered(id)) return Promise.resolve();
    return this.#arrivals.until(id, signal);
  }

  /** The order in which a task is to take from its channels: a new one, or that of its last attempt. */
  orderOf(vertex: ExecutionVertexId, mode: 'new' | 'again'): ChannelOrder {
    const before = mode === 'again' ? this.#orders.get(vertex) : undefined;
    const order = before?.copy() ?? new ChannelOrder();
    this.#orders.set(vertex, order);
    return order;
  }

  noteRunning(ids: readonly ResultPartitionId[]): void {
    this.#forEachHeld(ids, (held) => {
      held.startedMs = this.#options.clock.now();
      held.actor.send({ type: 'partition.produce' });
    });
  }

  noteFinished(ids: readonly ResultPartitionId[]): void {
    this.#forEachHeld(ids, (held) => {
      held.producedMs = Math.max(held.producedMs, this.#options.clock.now() - held.startedMs);
      held.actor.send({ type: 'partition.finish' });
    });
  }

  /** Looks whether results can still be read. Calls `done` once, with what was found of them. */
  verify(ids: readonly ResultPartitionId[], done: (verified: VerifiedResults) => void): void {
    const lost: { id: ResultPartitionId; cause: Error }[] = [];
    const found: FoundResult[] = [];
    let open = ids.length;
    if (open === 0) done({ lost, found });
    for (const id of ids) {
      const held = this.find(id);
      const answered = (error?: Error): void => {
        if (error !== undefined) lost.push({ id, cause: error });
        else if (held !== undefined) found.push({ id, ...sizeOf(held) });
        if (--open === 0) done({ lost, found });
      };
      if (held !== undefined) held.verify(answered);
      else if (this.#isToBeRegistered(id)) answered();
      else answered(new PartitionLostError(id, 'it is no longer held'));
    }
  }

  lose(id: ResultPartitionId, cause: Error): void {
    this.#forEachHeld([id], (held) => held.actor.send({ type: 'partition.lose', cause }));
  }

  release(ids: readonly ResultPartitionId[]): void {
    this.#forEachHeld(ids, (held) => this.#drop(held.partition.id.partition));
  }

  /** Gives up what every consumer has read. Of those in `traced` a trace stays: their producers may write them again. */
  giveUp(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[]): void {
    const leavesTrace = new Set(traced.map(({ partition }) => partition));
    this.#forEachHeld(ids, (held) => {
      const { partition } = held.partition.id;
      this.#giveUp(partition, held, leavesTrace.has(partition));
    });
  }

  /** Results may be given up as above for want of room. */
  allowReclaim(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[]): void {
    const leavesTrace = new Set(traced.map(({ partition }) => partition));
    this.#forEachHeld(ids, (held) => {
      const { partition } = held.partition.id;
      this.#reclaimable.set(partition, leavesTrace.has(partition));
    });
  }

  forbidReclaim(ids: readonly ResultPartitionId[]): void {
    this.#forEachHeld(ids, (held) => this.#reclaimable.delete(held.partition.id.partition));
  }

  /** An executor is gone: what its tasks have written and noted is dropped. */
  dropOf(executor: ExecutorId): void {
    for (const [partition, held] of [...this.#results]) {
      if (held.host.executor !== executor) continue;
      this.#orders.delete(held.producer);
      this.#drop(partition);
    }
  }

  /**
   * Keeps results beyond the job, all of them or none.
   * @throws PartitionLostError (as a rejection) where some of them cannot be read any more
   */
  async promote(
    edges: readonly { readonly edge: number; readonly results: readonly ResultPartitionId[] }[],
  ): Promise<KeptResult[]> {
    const kept: KeptResult[] = [];
    try {
      for (const { edge, results } of edges) {
        const promoted = await this.#promote(edge, results);
        if (promoted !== undefined) kept.push(promoted);
      }
    } catch (error) {
      await this.demote(kept);
      throw error;
    }
    return kept;
  }

  /** Gives up what was kept. What cannot be deleted stays: the next run that keeps something there says so. */
  async demote(kept: readonly KeptResult[]): Promise<void> {
    await Promise.allSettled(kept.map(({ directory }) => releaseKeptResult(directory)));
  }

  releaseAll(): void {
    for (const partition of [...this.#results.keys()]) this.#drop(partition);
  }

  async #promote(edge: number, ids: readonly ResultPartitionId[]): Promise<KeptResult | undefined> {
    const { dataPlane } = this.#options;
    if (dataPlane.keptEdges?.includes(edge) !== true) return undefined;
    const held = ids.map((id) => this.#finished(id));
    await this.#assertReadable(ids);
    const results = held.map(({ partition }) => ({
      partition: partition.id.partition,
      records: partition.statistics().records,
    }));
    const promoted = await dataPlane.promote?.(edge, results);
    if (promoted !== undefined) for (const { actor } of held) actor.send({ type: 'partition.promote' });
    return promoted;
  }

  #finished(id: ResultPartitionId): HeldResult {
    const held = this.#results.get(id.partition);
    if (held?.actor.getSnapshot().matches('finished') === true) return held;
    throw new PartitionLostError(id, 'it is no longer held');
  }

  #assertReadable(ids: readonly ResultPartitionId[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.verify(ids, ({ lost: [lost] }) => {
        if (lost === undefined) resolve();
        else reject(lost.cause);
      });
    });
  }

  /** Whether a result is of an attempt that is about to begin: it is not there, and not lost. */
  #isToBeRegistered({ partition, attempt }: ResultPartitionId): boolean {
    return attempt > (this.#outputs.get(partition)?.id.attempt ?? -1);
  }

  /**
   * Gives up results that no consumer reads any more until `bytes` fit: those first that took the least time to produce.
   * None if all of them would not make room. O(results that may be given up).
   *
   * @param edge that of the exchange that needs room
   */
  #reclaim(bytes: number, budget: ByteBudget, edge: number): void {
    const isOwn = budget.isPart && budget.tooSmallFor(bytes) === budget;
    const candidates = [...this.#reclaimable]
      .map(([partition, isTraced]) => ({ partition, isTraced, held: this.#results.get(partition) as HeldResult }))
      .filter(({ held }) => !isOwn || held.edge === edge)
      .map((candidate) => ({ ...candidate, bytes: candidate.held.partition.statistics().spilledBytes }))
      .filter((candidate) => candidate.bytes > 0)
      .sort((a, b) => a.held.producedMs - b.held.producedMs);
    const most = candidates.reduce((sum, candidate) => sum + candidate.bytes, 0);
    if (!budget.hasRoomFor(bytes - most)) return;
    for (const { partition, held, isTraced } of candidates) {
      if (budget.hasRoomFor(bytes)) return;
      const { id } = held.partition;
      this.#giveUp(partition, held, isTraced);
      held.host.report({ type: 'results.reclaimed', ids: [id] });
    }
  }

  #register(registration: PartitionRegistration, host: ResultHost): void {
    const { dataPlane, clock } = this.#options;
    const { id, origin, edge, producer } = registration;
    const before = origin === 'again' ? this.#results.get(id.partition) : undefined;
    const previous =
      before !== undefined && isResumable(before.partition)
        ? { partition: before.partition, isLost: before.actor.getSnapshot().matches('lost') }
        : undefined;
    const partition = dataPlane.createPartition(registration, {
      truncated: () => this.#truncated(id),
      curtailed: () => this.#curtailed(id),
      reclaim: (bytes, budget) => this.#reclaim(bytes, budget, edge),
      previous,
      trace: previous === undefined && origin !== 'new' ? this.#traces.get(id.partition) : undefined,
    });
    this.#outputs.set(id.partition, partition);
    // What is kept again can be compared with itself; what no consumer reads is compared with its trace once more.
    if (isResumable(partition)) this.#traces.delete(id.partition);
    if (before !== undefined) {
      before.partition = partition;
      before.host = host;
      this.#reclaimable.delete(id.partition);
      before.actor.send({ type: 'partition.resume', id, storage: partition });
      return;
    }
    const name = `partition/${id.partition}#${id.attempt}`;
    const actor = host.actors.create(this.#machine, name, { id, storage: partition });
    const nowMs = clock.now();
    this.#results.set(id.partition, {
      partition,
      actor,
      home: host.actors,
      producer,
      edge,
      sinceMs: nowMs,
      host,
      startedMs: nowMs,
      producedMs: 0,
    });
    actor.start();
  }

  /**
   * Its beginning was dropped while it is read. Of a result that another has replaced meanwhile nobody wants to know.
   *
   * @param first as its first attempt registered it
   */
  #truncated(first: ResultPartitionId): void {
    const held = this.#heldOf(first);
    held?.host.report({ type: 'result.truncated', id: held.partition.id });
  }

  #curtailed(first: ResultPartitionId): void {
    this.#heldOf(first)?.actor.send({ type: 'partition.curtail' });
    this.#truncated(first);
  }

  #giveUp(partition: PartitionId, held: HeldResult, leavesTrace: boolean): void {
    if (leavesTrace) {
      const trace = isTraceable(held.partition) ? held.partition.trace() : undefined;
      if (trace === undefined) held.host.report({ type: 'result.traceless', id: held.partition.id });
      else this.#traces.set(partition, trace);
    }
    this.#drop(partition);
  }

  #drop(partition: PartitionId): void {
    const held = this.#results.get(partition);
    held?.actor.send({ type: 'partition.release' });
    held?.home.stop(held.actor);
    this.#results.delete(partition);
    this.#reclaimable.delete(partition);
  }

  #heldOf({ partition, attempt }: ResultPartitionId): HeldResult | undefined {
    const held = this.#results.get(partition);
    const first = this.#firstAttempts.get(partition) ?? 0;
    return held === undefined || attempt < first || attempt > held.partition.id.attempt ? undefined : held;
  }

  #forEachHeld(ids: readonly ResultPartitionId[], visit: (held: HeldResult) => void): void {
    for (const id of ids) {
      const held = this.#results.get(id.partition);
      if (held !== undefined && held.partition.id.attempt === id.attempt) visit(held);
    }
  }
}

function sizeOf(result: ResultPartition): Pick<FoundResult, 'records' | 'bytes'> {
  const { records, memoryBytes, spilledBytes } = result.statistics();
  return { records, bytes: memoryBytes + spilledBytes };
}
