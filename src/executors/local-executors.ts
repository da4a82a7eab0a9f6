import type { ActorHost } from '../actors/actor-host.ts';
import { type LinkPorts, LocalLink } from '../actors/local-link.ts';
import type { ExecutorPort, ExecutorToMasterMessage, MasterToExecutorMessage } from '../actors/protocol/messages.ts';
import type { Clock } from '../environment.ts';
import type { ExecutionVertexId, ExecutorId, PartitionId } from '../ids.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { DataPlane } from './data-plane.ts';
import { ResultStore } from './result-store.ts';
import { type MovedRecords, TaskExecutor } from './task-executor.ts';

export interface LocalExecutorsOptions {
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** Where each of them has a host of its own for its actors. */
  readonly actors: ActorHost;
  /** How many executors, and how many slots each offers; Infinity for no limit. */
  readonly executors: number;
  readonly slots: number;
  /** Makes the ways between the master and the executors; default: a queue in this thread. */
  readonly link?: LinkPorts;
}

/** One of them, and its end of the way to the master. */
interface LocalExecutor {
  readonly executor: TaskExecutor;
  readonly close: (why: string) => void;
}

/**
 * The task executors of this process: one thread, one store of results, and a data plane that they share. One that is
 * quarantined or gone is replaced.
 */
export class LocalExecutors {
  readonly #options: LocalExecutorsOptions;
  readonly #results: ResultStore;
  readonly #link: LinkPorts;
  readonly #executors = new Map<ExecutorId, LocalExecutor>();
  readonly #killed: TaskExecutor[] = [];
  #accept: ((executor: ExecutorId, port: ExecutorPort) => void) | undefined;
  #count = 0;

  constructor(options: LocalExecutorsOptions) {
    this.#options = options;
    this.#results = new ResultStore(options);
    this.#link = options.link ?? new LocalLink(options.clock).link;
  }

  /** Slots that there will be at the most: those that are lost are replaced. */
  get slotLimit(): number {
    return this.#options.executors * this.#options.slots;
  }

  /** Starts the executors. `accept` gets the port to each of them, also to those that come later. */
  connect(accept: (executor: ExecutorId, port: ExecutorPort) => void): void {
    this.#accept = accept;
    for (let index = 0; index < this.#options.executors; index++) this.#start();
  }

  /** The result that `partition` holds now, if it is still there. */
  resultOf(partition: PartitionId): ResultPartition | undefined {
    return this.#results.resultOf(partition);
  }

  /** The results that are held, and since when. */
  get held(): ResultStore['held'] {
    return this.#results.held;
  }

  /** The executor that a task runs on. */
  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined {
    for (const [name, { executor }] of this.#executors) if (executor.runs(vertex)) return name;
    return undefined;
  }

  /** What the attempts that run have moved so far, by vertex. */
  *moving(): Generator<readonly [ExecutionVertexId, MovedRecords]> {
    for (const { executor } of this.#executors.values()) yield* executor.moving();
  }

  /** An executor is gone at once, with its tasks and results, as if it were a machine that was switched off. */
  kill(executor: ExecutorId, why: string): void {
    const killed = this.#executors.get(executor);
    if (killed === undefined) return;
    this.#executors.delete(executor);
    this.#killed.push(killed.executor);
    killed.executor.stop();
    this.#results.dropOf(executor);
    killed.close(why);
    this.#start();
  }

  /** Gives up every task and every result. */
  async dispose(): Promise<void> {
    const executors = [...this.#executors.values()].map(({ executor }) => executor);
    for (const executor of executors) executor.stop();
    // What the master said last arrives before.
    await new Promise<void>((resolve) => this.#options.clock.setImmediate(resolve));
    await Promise.all([...executors, ...this.#killed].map((executor) => executor.untilKept()));
    this.#results.releaseAll();
    await this.#options.dataPlane.dispose();
  }

  #start(): void {
    const name = `local-${this.#count++}` as ExecutorId;
    const { dataPlane, actors, slots } = this.#options;
    const [executorPort, masterPort] = this.#link<MasterToExecutorMessage, ExecutorToMasterMessage>();
    const executor = new TaskExecutor({
      executor: name,
      slots,
      port: masterPort,
      dataPlane,
      results: this.#results,
      actors: actors.within(name),
      // Its results stay, and its port: the master goes on to ask for them.
      quarantined: () => this.#start(),
    });
    const close = (why: string): void => {
      masterPort.close(why);
      // What it has said before arrives before.
      this.#options.clock.setImmediate(() => executorPort.close(why));
    };
    this.#executors.set(name, { executor, close });
    this.#accept?.(name, executorPort);
    executor.connect();
  }
}
