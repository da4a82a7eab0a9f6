import type { AnyActorRef } from 'xstate';
import { messageChecks } from '../../actors/checked-port.ts';
import type { ExecutorPort } from '../../actors/protocol/messages.ts';
import { toError } from '../../errors/thrown-value.ts';
import { KeptResults } from '../../executors/kept-results.ts';
import { KeptPlaces } from '../../executors/workers/kept-places.ts';
import { LocalDataPlane } from '../../executors/local-data-plane.ts';
import type { Executors, ShownResult, StartedExecutor } from '../../executors/executors.ts';
import { RunServices } from '../../executors/shares/desks/run-services.ts';
import type { ExecutionVertexId, ExecutorId } from '../../ids.ts';
import type { MovingCounts } from '../../operators/task/task-parts.ts';
import type { SpillStore } from '../../partitions/storage/spill-store.ts';
import { type RunExecutorsParts, workerOptionsOf } from '../../run/executors/run-executors.ts';
import type { ExecutorDeath } from '../checkpoints/late-commits.ts';
import { SimulatedWorker, type WorkerLinks } from './simulated-worker.ts';

export interface SimulatedWorkersOptions {
  readonly count: number;
  readonly links: WorkerLinks;
  /** How long a worker takes to start, or to end, each time. Default: a turn. */
  readonly delayMs?: () => number;
  /** Where a worker spills. */
  readonly spillStoreOf: (executor: ExecutorId) => SpillStore;
  readonly maxSteps?: () => number;
  /** Called when a worker dies, which is before it is lost. */
  readonly died?: (death: ExecutorDeath) => void;
}

/**
 * Executors as in worker threads, on this thread and on the clock of the run: each with a data plane of its own, joined to
 * the master, to the services of the run and to each other by clones of messages alone. Only the functions of the job are
 * shared, and the fault points.
 */
export class SimulatedWorkers implements Executors {
  readonly shareResults = false;
  readonly kept: KeptResults;
  readonly #parts: RunExecutorsParts;
  readonly #given: SimulatedWorkersOptions;
  readonly #services: RunServices;
  /** That of this side, where nothing runs. */
  readonly #whole: LocalDataPlane;
  readonly #keptPlaces: KeptPlaces;
  readonly #workers = new Map<ExecutorId, SimulatedWorker>();
  readonly #alive = new Set<SimulatedWorker>();
  readonly #stores: SpillStore[] = [];
  #accept!: (executor: ExecutorId, port: ExecutorPort) => void;
  #connected: (() => void) | undefined;
  #count = 0;
  #isDisposed = false;

  constructor(parts: RunExecutorsParts, given: SimulatedWorkersOptions) {
    const { plan, options } = parts;
    this.#parts = parts;
    this.#given = given;
    this.#services = new RunServices(plan, options, {
      invalid: (_, { message, problem }) => {
        throw new TypeError(`${message}: ${problem}`);
      },
    });
    this.#whole = new LocalDataPlane(plan, { ...options, services: this.#services.local });
    this.kept = new KeptResults(this.#whole);
    this.#keptPlaces = new KeptPlaces(plan);
  }

  get slotLimit(): number {
    return this.#given.count * this.#parts.options.slots;
  }

  connect(accept: (executor: ExecutorId, port: ExecutorPort) => void, connected: () => void): void {
    this.#whole.begin();
    this.#accept = accept;
    this.#connected = connected;
    this.#keptPlaces.claim().then(
      () => {
        for (let index = 0; index < this.#given.count; index++) this.#start();
      },
      (error: unknown) => this.#parts.failed(toError(error)),
    );
  }

  get names(): readonly ExecutorId[] {
    return [...this.#workers.values()].filter(({ isJoined }) => isJoined).map(({ executor }) => executor);
  }

  *started(): Generator<StartedExecutor> {
    for (const { executor, incarnation, inside } of this.#workers.values()) {
      yield { executor, incarnation, ...inside.tasks.size() };
    }
  }

  get held(): ShownResult[] {
    return [...this.#workers.values()].flatMap(({ inside }) => inside.results.held);
  }

  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined {
    return [...this.#workers.values()].find(({ inside }) => inside.tasks.runs(vertex))?.executor;
  }

  *moving(): Generator<readonly [ExecutionVertexId, MovingCounts]> {
    for (const { inside } of this.#workers.values()) yield* inside.tasks.moving();
  }

  /** None: those of a worker are a system of their own. */
  actors(): Iterable<AnyActorRef> {
    return [];
  }

  observe(): () => void {
    return () => {};
  }

  kill(executor: ExecutorId, why: string): void {
    void this.#workers.get(executor)?.terminate(why);
  }

  giveUp(executor: ExecutorId, why: string): () => void {
    const worker = this.#workers.get(executor);
    this.#workers.delete(executor);
    return () => void worker?.terminate(why);
  }

  replace(): void {
    this.#start();
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await Promise.all([...this.#alive].map((worker) => worker.terminate('the run is over')));
    await Promise.all(this.#stores.map((store) => store.dispose()));
    await this.#keptPlaces.dispose();
    await this.#services.close();
    await this.#whole.dispose();
  }

  #start(): void {
    if (this.#isDisposed) return;
    const { plan, shape, options } = this.#parts;
    const { links, delayMs = () => 0, spillStoreOf, maxSteps, died = () => {} } = this.#given;
    const { slots, heartbeat, environment, checkpointStorage } = options;
    const incarnation = this.#count++;
    const executor = `worker-${incarnation}` as ExecutorId;
    const spillStore = spillStoreOf(executor);
    this.#stores.push(spillStore);
    const worker = new SimulatedWorker({
      ...{ executor, incarnation, slots, heartbeat, plan, environment, links, spillStore },
      options: structuredClone({ ...workerOptionsOf(options), keptDirectories: this.#keptPlaces.of(executor) }),
      checks: messageChecks(shape.graph),
      clock: environment.clock,
      // Others reach it, as a directory.
      ...(checkpointStorage?.address && { checkpointStorage }),
      ...(maxSteps && { maxSteps }),
      ...{ endsAfterMs: delayMs, died },
      stopping: (hasFinished) => this.#whole.end(hasFinished),
      ended: (one, why) => this.#ended(one, why),
    });
    this.#workers.set(executor, worker);
    this.#alive.add(worker);
    environment.clock.setTimeout(() => this.#join(worker), delayMs());
  }

  /** Joins a worker with all others, and then the master with it. */
  #join(worker: SimulatedWorker): void {
    if (!worker.isStarting) return;
    if (this.#isDisposed || !this.#parts.isNeeded()) return void worker.terminate('the run is over');
    for (const other of this.#workers.values()) if (other.isJoined) worker.connectPeer(other);
    this.#services.accept(worker.executor, worker.services);
    this.#accept(worker.executor, worker.port);
    worker.join();
    if ([...this.#workers.values()].every(({ isJoined }) => isJoined)) this.#allConnected();
  }

  /** Their first messages are on their way. */
  #allConnected(): void {
    if (this.#connected !== undefined) this.#parts.options.environment.clock.setImmediate(this.#connected);
    this.#connected = undefined;
  }

  /** WX1 of `WorkerExecutors`: first for the master, then for the others. */
  #ended(worker: SimulatedWorker, why: string): void {
    const { executor } = worker;
    this.#alive.delete(worker);
    const wasRelied = this.#workers.delete(executor);
    worker.port.close(why);
    this.#services.lost(executor);
    for (const other of this.#workers.values()) if (other.isJoined) other.losePeer(executor, why);
    if (wasRelied && !this.#isDisposed && this.#parts.isNeeded()) this.#start();
  }
}
