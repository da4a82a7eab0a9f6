import { createActor, type InspectionEvent } from 'xstate';
import type { ExecutorGateway } from '../actors/executor-gateway.ts';
import type { KeptResult, PartitionRegistration } from '../actors/protocol.ts';
import type { Clock } from '../environment.ts';
import { PartitionLostError, toError } from '../errors.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, ResultPartitionId } from '../ids.ts';
import type { JobLedger } from '../machines/job-ledger.ts';
import { type PartitionActorRef, partitionMachine } from '../machines/partition-machine.ts';
import type { ByteBudget } from '../partitions/byte-budget.ts';
import { ChannelOrder } from '../partitions/channel-order.ts';
import { releaseKeptResult } from '../partitions/kept-result.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { ResultTrace } from '../partitions/result-trace.ts';
import type { DataPlane } from './data-plane.ts';
import { type StorageUse, storageUse } from './storage-use.ts';

export interface ResultStoreOptions {
  readonly ledger: JobLedger;
  readonly clock: Clock;
  readonly dataPlane: Pick<DataPlane, 'createPartition' | 'promote' | 'keptEdges'>;
  /** Receives XState's inspection events of the partition charts. */
  readonly inspect: ((event: InspectionEvent) => void) | undefined;
}

/** A result, from the attempt on that began it to the one that writes it now. */
interface HeldResult {
  partition: ResultPartition;
  readonly actor: PartitionActorRef;
  readonly sinceMs: number;
  /** Where its producer runs or ran. */
  executor: ExecutorId | undefined;
  startedMs: number;
  /** How long it took to produce: what it would cost to have it produced again. */
  producedMs: number;
}

/** Whoever registers results for a task that then cannot be registered. */
export interface FailedRegistration {
  readonly producer: ExecutionVertexId;
  readonly cause: Error;
}

/** The results of one run in this process, at most one for each partition, and the orders in which tasks read them. */
export class ResultStore {
  readonly #options: ResultStoreOptions;
  readonly #results = new Map<PartitionId, HeldResult>();
  /** What is left of results that were given up, and that their producers may have to produce again. */
  readonly #traces = new Map<PartitionId, ResultTrace>();
  /** What was registered last of each partition, for whom writes it: it may be given up before that begins. */
  readonly #outputs = new Map<PartitionId, ResultPartition>();
  /** The attempt that began what is held, or is about to be: those after it produce the same. */
  readonly #firstAttempts = new Map<PartitionId, AttemptNumber>();
  readonly #orders = new Map<ExecutionVertexId, ChannelOrder>();
  /** Tasks that wait for a result to be registered. */
  readonly #awaited = new Map<PartitionId, Set<() => void>>();
  readonly #machine = partitionMachine.provide({ actions: { recordState: () => {} } });

  constructor(options: ResultStoreOptions) {
    this.#options = options;
  }

  /** The result that attempt holds or has handed on, if it is still there. */
  find({ partition, attempt }: ResultPartitionId): ResultPartition | undefined {
    const held = this.#results.get(partition);
    const first = this.#firstAttempts.get(partition) ?? 0;
    if (held === undefined || attempt < first || attempt > held.partition.id.attempt) return undefined;
    return held.partition;
  }

  /** What an attempt is to write, once it is registered. Given up, because everybody has read it, it takes what is written. */
  outputOf(id: ResultPartitionId): ResultPartition | undefined {
    const output = this.#outputs.get(id.partition);
    return output?.id.attempt === id.attempt ? output : undefined;
  }

  /** What is held of a partition now. */
  resultOf(partition: PartitionId): ResultPartition | undefined {
    return this.#results.get(partition)?.partition;
  }

  /** Prepares what tasks will write, all or nothing. */
  register(registrations: readonly PartitionRegistration[]): FailedRegistration | undefined {
    for (const { id, producer, origin } of registrations) {
      if (origin === 'again') continue;
      this.#drop(id.partition);
      if (origin !== 'new') continue;
      this.#firstAttempts.set(id.partition, id.attempt);
      this.#traces.delete(id.partition);
      this.#orders.delete(producer);
    }
    for (const registration of registrations) {
      try {
        this.#register(registration);
      } catch (cause) {
        for (const { id, origin } of registrations) if (origin !== 'again') this.#drop(id.partition);
        return { producer: registration.producer, cause: toError(cause) };
      }
    }
    for (const { id } of registrations) {
      for (const arrived of this.#awaited.get(id.partition) ?? []) arrived();
      this.#awaited.delete(id.partition);
    }
    return undefined;
  }

  /**
   * Settles when a result is registered, at once if it is known to be gone; rejects when the signal is aborted before.
   */
  untilRegistered(id: ResultPartitionId, signal: AbortSignal): Promise<void> {
    const { ledger } = this.#options;
    const isToCome = ledger.isPresent(id) && ledger.isPartitionAvailable(id.partition);
    if (!isToCome || this.find(id) !== undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(new Error('The task has ended'));
        return;
      }
      const waiting = this.#awaited.get(id.partition) ?? new Set();
      this.#awaited.set(id.partition, waiting);
      const giveUp = (): void => {
        waiting.delete(arrived);
        if (waiting.size === 0 && this.#awaited.get(id.partition) === waiting) this.#awaited.delete(id.partition);
        reject(new Error(`The task ended before result ${id.partition}#${id.attempt} was registered`));
      };
      const arrived = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      waiting.add(arrived);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** The order in which a task is to take from its channels: a new one, or that of its last attempt. */
  orderOf(vertex: ExecutionVertexId, mode: 'new' | 'again'): ChannelOrder {
    const before = mode === 'again' ? this.#orders.get(vertex) : undefined;
    const order = before?.copy() ?? new ChannelOrder();
    this.#orders.set(vertex, order);
    return order;
  }

  noteDeployed(ids: readonly ResultPartitionId[], executor: ExecutorId): void {
    this.#forEachHeld(ids, (held) => {
      held.executor = executor;
    });
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

  /** Looks whether results can still be read. Calls `done` once with those that cannot, and why. */
  verify(...[ids, done]: Parameters<ExecutorGateway['verifyResults']>): void {
    const lost: { id: ResultPartitionId; cause: Error }[] = [];
    let open = ids.length;
    if (open === 0) done(lost);
    for (const id of ids) {
      const answered = (error?: Error): void => {
        if (error !== undefined) lost.push({ id, cause: error });
        if (--open === 0) done(lost);
      };
      const held = this.find(id);
      if (held !== undefined) held.verify(answered);
      else if (this.#isToBeRegistered(id)) answered();
      else answered(new PartitionLostError(id, 'it is no longer held'));
    }
  }

  /** Whether a result is of an attempt that is about to begin: it is not there, and not lost. */
  #isToBeRegistered({ partition, attempt }: ResultPartitionId): boolean {
    return attempt > (this.#outputs.get(partition)?.id.attempt ?? -1);
  }

  lose(id: ResultPartitionId, cause: Error): void {
    this.#forEachHeld([id], (held) => held.actor.send({ type: 'partition.lose', cause }));
  }

  release(ids: readonly ResultPartitionId[]): void {
    for (const id of ids) if (this.find(id) !== undefined) this.#drop(id.partition);
  }

  /** Gives up what everybody has read. Its producer may have to produce it again: then it must be the same. */
  giveUp(ids: readonly ResultPartitionId[]): void {
    const { ledger } = this.#options;
    for (const id of ids) {
      const held = this.find(id);
      if (held === undefined) continue;
      if (ledger.mayProduceAgain(ledger.graph.producerOf(id.partition))) this.#leaveTrace(id.partition, held);
      this.#drop(id.partition);
    }
  }

  /** The results on an executor that outlive the tasks which wrote them. */
  heldBy(executor: ExecutorId): ResultPartitionId[] {
    const { graph } = this.#options.ledger;
    return [...this.#results.values()]
      .filter((held) => held.executor === executor)
      .map(({ partition }) => partition.id)
      .filter(({ partition }) => !graph.exchangeOfPartition(partition).joinsRegions);
  }

  /**
   * Everything that tasks on an executor have written is gone, and what they noted. Returns the results that somebody may
   * miss.
   */
  loseExecutor(executor: ExecutorId): ResultPartitionId[] {
    const { ledger } = this.#options;
    const missed = this.heldBy(executor).filter(({ partition }) => ledger.isPartitionReadable(partition));
    for (const [partition, held] of [...this.#results]) {
      if (held.executor !== executor) continue;
      const producer = ledger.graph.producerOf(partition);
      if (this.#orders.delete(producer)) ledger.loseOrder(producer);
      ledger.loseTrace(partition);
      this.#drop(partition);
    }
    return missed;
  }

  /**
   * Keeps the results of exchanges that say so beyond the job, all of them or none.
   * @throws PartitionLostError (as a rejection) where some of them cannot be read any more
   */
  async promote(): Promise<KeptResult[]> {
    const kept: KeptResult[] = [];
    try {
      await this.#promote(kept);
    } catch (error) {
      await this.releaseKept(kept);
      throw error;
    }
    return kept;
  }

  /** Gives up what was kept. What cannot be deleted stays: the next run that keeps something there says so. */
  async releaseKept(kept: readonly KeptResult[]): Promise<void> {
    await Promise.allSettled(kept.map(({ directory }) => releaseKeptResult(directory)));
  }

  async #promote(kept: KeptResult[]): Promise<void> {
    const { dataPlane } = this.#options;
    for (const edge of dataPlane.keptEdges ?? []) {
      const held = this.#heldOf(edge);
      await this.#assertReadable(held.map(({ partition }) => partition.id));
      const results = held.map(({ partition }) => ({
        partition: partition.id.partition,
        records: partition.statistics().records,
      }));
      const promoted = await dataPlane.promote?.(edge, results);
      if (promoted === undefined) continue;
      kept.push(promoted);
      for (const { actor } of held) actor.send({ type: 'partition.promote' });
    }
  }

  releaseAll(): void {
    for (const partition of [...this.#results.keys()]) this.#drop(partition);
  }

  /** What is held for consumers now, by edge of the job graph. */
  use(): StorageUse[] {
    return storageUse(this.#results.values(), this.#options.ledger, this.#options.clock.now());
  }

  /** What is held of every partition of an edge. */
  #heldOf(edge: number): HeldResult[] {
    return this.#options.ledger.graph.partitionsOfEdge(edge).map((partition) => {
      const held = this.#results.get(partition);
      if (held?.actor.getSnapshot().matches('finished') === true) return held;
      throw new PartitionLostError(this.#options.ledger.presentResult(partition), 'it is no longer held');
    });
  }

  #assertReadable(ids: readonly ResultPartitionId[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.verify(ids, ([lost]) => {
        if (lost === undefined) resolve();
        else reject(lost.cause);
      });
    });
  }

  /**
   * Gives up results that nobody reads any more until `bytes` fit: those first that took the least time to produce. None
   * if all of them would not make room.
   *
   * @param edge that of the exchange that needs room
   */
  #reclaim(bytes: number, budget: ByteBudget, edge: number): void {
    const { ledger } = this.#options;
    const isOwn = budget.isPart && budget.tooSmallFor(bytes) === budget;
    const candidates = ledger.releasable
      .filter((partition) => !isOwn || ledger.graph.edgeIndexOfPartition(partition) === edge)
      .map((partition) => ({ partition, held: this.#results.get(partition) }))
      .map(({ partition, held }) => ({
        partition,
        bytes: held?.partition.statistics().spilledBytes ?? 0,
        producedMs: held?.producedMs ?? 0,
      }))
      .filter((candidate) => candidate.bytes > 0)
      .sort((a, b) => a.producedMs - b.producedMs);
    const most = candidates.reduce((sum, candidate) => sum + candidate.bytes, 0);
    if (!budget.hasRoomFor(bytes - most)) return;
    for (const { partition } of candidates) {
      if (budget.hasRoomFor(bytes)) return;
      this.giveUp(ledger.giveUp([partition]));
    }
  }

  #register(registration: PartitionRegistration): void {
    const { ledger, dataPlane, inspect, clock } = this.#options;
    const { id, origin, edge } = registration;
    const before = origin === 'again' ? this.#results.get(id.partition) : undefined;
    const previous =
      before?.partition.resume === undefined
        ? undefined
        : { partition: before.partition, isLost: before.actor.getSnapshot().matches('lost') };
    const partition = dataPlane.createPartition(registration, {
      truncated: () => ledger.truncatePartition(id.partition),
      curtailed: () => this.#curtailed(id.partition),
      reclaim: (bytes, budget) => this.#reclaim(bytes, budget, edge),
      previous,
      trace: previous === undefined && origin !== 'new' ? this.#traces.get(id.partition) : undefined,
    });
    this.#outputs.set(id.partition, partition);
    // What is kept again can be compared with itself; what nobody reads is compared with its trace once more.
    if (partition.resume !== undefined) this.#traces.delete(id.partition);
    if (before !== undefined) {
      before.partition = partition;
      before.actor.send({ type: 'partition.resume', id, storage: partition });
      return;
    }
    const actor = createActor(this.#machine, {
      ...(inspect === undefined ? {} : { inspect }),
      id: `partition/${id.partition}#${id.attempt}`,
      input: { id, storage: partition },
    });
    const held: HeldResult = {
      partition,
      actor,
      sinceMs: clock.now(),
      executor: undefined,
      startedMs: clock.now(),
      producedMs: 0,
    };
    this.#results.set(id.partition, held);
    actor.start();
  }

  /** A fact of the data: the chart of the result and the master's books follow it. */
  #curtailed(partition: PartitionId): void {
    this.#results.get(partition)?.actor.send({ type: 'partition.curtail' });
    this.#options.ledger.truncatePartition(partition);
  }

  #leaveTrace(partition: PartitionId, held: ResultPartition): void {
    const trace = held.trace?.();
    if (trace === undefined) this.#options.ledger.loseTrace(partition);
    else this.#traces.set(partition, trace);
  }

  #drop(partition: PartitionId): void {
    this.#results.get(partition)?.actor.send({ type: 'partition.release' });
    this.#results.delete(partition);
  }

  #forEachHeld(ids: readonly ResultPartitionId[], visit: (held: HeldResult) => void): void {
    for (const id of ids) {
      const held = this.#results.get(id.partition);
      if (held !== undefined && held.partition.id.attempt === id.attempt) visit(held);
    }
  }
}
