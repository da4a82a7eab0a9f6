import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { ExecutionVertexId, ExecutorId, RegionId } from '../ids.ts';
import { mostLocalTo } from './local-inputs.ts';
import { type Slot, SlotOffers, type SlotUsage, type UsedSlot } from './slot-offers.ts';
import { type SharingGroup, SlotSharing } from './slot-sharing.ts';

export interface SlotPoolOptions {
  readonly graph: ExecutionGraph;
  /** Whether a waiting region could run if it had its slots; not while its inputs are being recomputed. Default: always. */
  readonly isReady?: (region: RegionId) => boolean;
  /** The position of a region in the dataflow, producers before consumers. Default: its number. */
  readonly placeOf?: (region: RegionId) => number;
  /** The executor that has the results of a task's last attempt; undefined if none has. Default: none has any. */
  readonly resultsOf?: (task: ExecutionVertexId) => ExecutorId | undefined;
}

/** A region that waits for slots. */
interface Waiting {
  readonly region: RegionId;
  readonly tasks: ArrayLike<number>;
  /** The shared slots of its tasks. */
  readonly shared: ReadonlySet<number>;
  /** Number of these that are not in use, so that it needs as many free slots. */
  missing: number;
}

/**
 * The slots of all executors, granted to regions all or none, because two regions with half of their slots each could
 * block each other. Tasks that share a slot hold the same one while any of them runs (see {@link SlotSharing}): a region
 * whose slots are all in use by tasks of other regions joins them at once. Requests that cannot be met wait in a queue in
 * dataflow order: a restarted producer comes before its waiting consumers. A region that needs free slots overtakes the
 * head of the queue only if that one needs more slots than all executors offer, with those that will replace lost ones, or
 * is not ready: a consumer that overtakes its producer waits for it, and would keep the slots that this one needs.
 *
 * A slot is taken on the executor that has the results of the task's last attempt, or else on the one where the slot was
 * before; or else on that which has most of the task's inputs, unless it has its share of the slots in use already; or
 * else on the one with the fewest used slots.
 *
 * A second attempt of a running task gets a slot of its own, while no region waits.
 *
 * A request costs O(its tasks), beside what {@link mostLocalTo} says of inputs.
 */
export class SlotPool {
  readonly sharing: SlotSharing;
  readonly #graph: ExecutionGraph;
  readonly #offers = new SlotOffers();
  /** By shared slot: the slot in use for it. */
  readonly #used: (UsedSlot | undefined)[];
  /** By shared slot: the slot that it had last. */
  readonly #former: (Slot | undefined)[];
  /** By shared slot: the round of counting in which it was counted last. */
  readonly #counted: Int32Array;
  #round = 0;
  /** By slot sharing group, and by vertex in none: the number of slots in use. */
  readonly #usedOf = new Map<SharingGroup, number>();
  /** Slots of all executors, once lost ones are replaced. */
  #expected = 0;
  readonly #queue = new Map<RegionId, Waiting>();
  /** The queued regions, in order. */
  readonly #line: Waiting[] = [];
  /** By shared slot of several tasks: the queued regions that need it. */
  readonly #waiters = new Map<number, Set<Waiting>>();
  readonly #isReady: (region: RegionId) => boolean;
  readonly #placeOf: (region: RegionId) => number;
  readonly #resultsOf: (task: ExecutionVertexId) => ExecutorId | undefined;

  constructor({
    graph,
    isReady = () => true,
    placeOf = (region) => region,
    resultsOf = () => undefined,
  }: SlotPoolOptions) {
    this.#graph = graph;
    this.sharing = new SlotSharing(graph);
    this.#used = Array.from({ length: this.sharing.count });
    this.#former = Array.from({ length: this.sharing.count });
    this.#counted = new Int32Array(this.sharing.count);
    this.#isReady = isReady;
    this.#placeOf = placeOf;
    this.#resultsOf = resultsOf;
  }

  addExecutor(executor: ExecutorId, slots: number): void {
    this.#offers.add(executor, slots);
    this.#expected = Math.max(this.#expected, this.#offers.total);
  }

  /**
   * Removes an executor with all its slots. Used slots may still be released, but need not be.
   * @param isReplaced whether as many slots will be offered again
   */
  removeExecutor(executor: ExecutorId, isReplaced = true): void {
    for (const { shared } of this.#offers.remove(executor)) if (shared !== undefined) this.#becomeFree(shared);
    if (!isReplaced) this.#expected = this.#offers.total;
  }

  /** An executor for results that need no slot, by turns; undefined if there is none. */
  executorFor(index: number): ExecutorId | undefined {
    return this.#offers.at(index);
  }

  /**
   * Returns the slots of a region's tasks, in their order, or queues it and returns undefined; {@link grants} will name it
   * later.
   * @throws IllegalStateError if the region is already waiting
   */
  request(region: RegionId, tasks: ArrayLike<number>): readonly Slot[] | undefined {
    if (this.#queue.has(region)) throw new IllegalStateError(`Region ${region} is already waiting for slots`);
    const missing = this.#countMissing(tasks);
    const isServed = missing <= this.#offers.free && !this.#isAnyoneServableBefore(region);
    if (isServed) return this.#take(tasks);
    this.#enqueue({ region, tasks, shared: this.sharing.slotsOf(tasks), missing });
    return undefined;
  }

  /**
   * A slot for one more attempt of a task that runs, on another executor than these; undefined if none has a free one,
   * while regions wait for slots, and for a co-located task, which must stay in its slot. Nobody shares it.
   */
  requestExtra(task: ExecutionVertexId, notOn: ReadonlySet<ExecutorId>): Slot | undefined {
    if (this.#line.length > 0 || this.sharing.isCoLocated(task)) return undefined;
    const candidates = this.usage().filter(({ executor, slots, used }) => used < slots && !notOn.has(executor));
    const [first, ...others] = candidates;
    if (first === undefined) return undefined;
    const { executor } = others.reduce((best, one) => (one.used < best.used ? one : best), first);
    return this.#offers.take(undefined, executor).slot;
  }

  /**
   * Removes a region from the queue and returns whether it was queued. Regions behind it may be served now: see
   * {@link grants}.
   */
  cancelRequest(region: RegionId): boolean {
    const waiting = this.#queue.get(region);
    if (waiting === undefined) return false;
    this.#line.splice(this.#placeInLine(region), 1);
    this.#queue.delete(region);
    for (const shared of waiting.shared) this.#waiters.get(shared)?.delete(waiting);
    return true;
  }

  /** Removes every region from the queue: the job ends. */
  cancelRequests(): void {
    this.#line.length = 0;
    for (const index of [this.#queue, this.#waiters]) index.clear();
  }

  /**
   * Releases slots, each by one attempt that held it. Slots of a removed executor are ignored.
   * @throws IllegalStateError for a slot that is already free
   */
  release(slots: readonly Slot[]): void {
    for (const slot of slots) {
      const released = this.#offers.release(slot);
      if (released?.shared !== undefined) this.#becomeFree(released.shared);
    }
  }

  /**
   * Serves the queue as far as possible. The returned regions have their slots. A consumer that could join a slot in use
   * does not overtake its producers either: it would keep the slot and wait for them.
   */
  grants(): { readonly region: RegionId; readonly slots: readonly Slot[] }[] {
    const granted: { region: RegionId; slots: readonly Slot[] }[] = [];
    const grant = ({ region, tasks }: Waiting): void => {
      granted.push({ region, slots: this.#take(tasks) });
    };
    for (const waiting of this.#line) {
      if (!this.#isServable(waiting)) continue;
      if (waiting.missing > this.#offers.free) break;
      grant(waiting);
    }
    for (const { region } of granted) this.cancelRequest(region);
    return granted;
  }

  get totalSlots(): number {
    return this.#offers.total;
  }

  get freeSlots(): number {
    return this.#offers.free;
  }

  get pendingRequests(): number {
    return this.#queue.size;
  }

  /** What each executor offers, and has in use. O(executors) */
  usage(): SlotUsage[] {
    return this.#offers.usage();
  }

  #enqueue(waiting: Waiting): void {
    this.#line.splice(this.#placeInLine(waiting.region), 0, waiting);
    this.#queue.set(waiting.region, waiting);
    for (const shared of waiting.shared) {
      if (this.sharing.sizeOf(shared) === 1) continue;
      const waiters = this.#waiters.get(shared) ?? new Set();
      this.#waiters.set(shared, waiters.add(waiting));
    }
  }

  /**
   * Whether a region queued before `region` could be served, now or once slots are released or offered again.
   */
  #isAnyoneServableBefore(region: RegionId): boolean {
    for (const waiting of this.#line) {
      if (this.#placeOf(waiting.region) > this.#placeOf(region)) return false;
      if (this.#isServable(waiting)) return true;
    }
    return false;
  }

  #isServable({ region, shared }: Waiting): boolean {
    return shared.size <= this.#expected && this.#isReady(region);
  }

  /** The queue position of a region, actual or hypothetical. */
  #placeInLine(region: RegionId): number {
    let [low, high] = [0, this.#line.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#placeOf((this.#line[middle] as Waiting).region) < this.#placeOf(region)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #countMissing(tasks: ArrayLike<number>): number {
    let missing = 0;
    this.#round++;
    for (let index = 0; index < tasks.length; index++) {
      const shared = this.sharing.of(tasks[index] as ExecutionVertexId);
      if (this.#used[shared] !== undefined || this.#counted[shared] === this.#round) continue;
      this.#counted[shared] = this.#round;
      missing++;
    }
    return missing;
  }

  /** Joins the slots that are in use, and takes the others. */
  #take(tasks: ArrayLike<number>): Slot[] {
    if (this.#offers.executorCount > 1) this.#takePreferred(tasks);
    return Array.from(tasks, (task) => {
      const shared = this.sharing.of(task as ExecutionVertexId);
      const used = this.#used[shared] ?? this.#becomeUsed(shared);
      used.holders++;
      return used.slot;
    });
  }

  #takePreferred(tasks: ArrayLike<number>): void {
    const missing = this.#missingOf(tasks);
    for (const [shared, members] of missing) {
      const executor = this.#formerExecutor(shared, members);
      if (executor === undefined) continue;
      this.#becomeUsed(shared, executor);
      missing.delete(shared);
    }
    let toTake = missing.size;
    for (const [shared, members] of missing) this.#becomeUsed(shared, this.#localExecutor(shared, members, toTake--));
  }

  /** The tasks of a region by shared slot, of those that are not in use. */
  #missingOf(tasks: ArrayLike<number>): Map<number, ExecutionVertexId[]> {
    const missing = new Map<number, ExecutionVertexId[]>();
    for (let index = 0; index < tasks.length; index++) {
      const task = tasks[index] as ExecutionVertexId;
      const shared = this.sharing.of(task);
      if (this.#used[shared] !== undefined) continue;
      const others = missing.get(shared);
      if (others === undefined) missing.set(shared, [task]);
      else others.push(task);
    }
    return missing;
  }

  /** The executor of the last attempts, if their results or the slot are still there, and if it has a free slot. */
  #formerExecutor(shared: number, tasks: readonly ExecutionVertexId[]): ExecutorId | undefined {
    for (const task of tasks) {
      const executor = this.#resultsOf(task);
      if (executor !== undefined && this.#offers.hasFree(executor)) return executor;
    }
    const former = this.#former[shared];
    return former !== undefined && this.#offers.isCurrent(former) && this.#offers.hasFree(former.executor)
      ? former.executor
      : undefined;
  }

  /**
   * The executor of most inputs, unless it has its share already of the slots in use and of those that will be soon: that
   * are to be taken, for this region or for others of the group.
   */
  #localExecutor(shared: number, tasks: readonly ExecutionVertexId[], toTake: number): ExecutorId | undefined {
    const executor = mostLocalTo(tasks, this.#graph, {
      resultsOf: this.#resultsOf,
      slotOf: (task) => this.#used[this.sharing.of(task)]?.slot.executor,
    });
    if (executor === undefined || !this.#offers.hasFree(executor)) return undefined;
    const group = this.sharing.groupOf(shared);
    const toCome = Math.max(toTake, group.slots.length - (this.#usedOf.get(group) ?? 0));
    const share = Math.ceil((this.#offers.used + toCome) / this.#offers.executorCount);
    return this.#offers.usedOf(executor) < share ? executor : undefined;
  }

  #becomeUsed(shared: number, executor?: ExecutorId): UsedSlot {
    const used = this.#offers.take(shared, executor);
    this.#used[shared] = used;
    this.#former[shared] = used.slot;
    this.#count(shared, 1);
    for (const waiting of this.#waiters.get(shared) ?? []) waiting.missing--;
    return used;
  }

  #becomeFree(shared: number): void {
    this.#used[shared] = undefined;
    this.#count(shared, -1);
    for (const waiting of this.#waiters.get(shared) ?? []) waiting.missing++;
  }

  #count(shared: number, change: 1 | -1): void {
    const group = this.sharing.groupOf(shared);
    this.#usedOf.set(group, (this.#usedOf.get(group) ?? 0) + change);
  }
}
