import type { ActorHost } from '../actors/actor-host.ts';
import { type LinkPorts, LocalLink } from '../actors/local-link.ts';
import type { ExecutorPort, ExecutorToMasterMessage, MasterToExecutorMessage } from '../actors/protocol/messages.ts';
import type { Clock } from '../environment.ts';
import type { ExecutionVertexId, ExecutorId } from '../ids.ts';
import type { DataPlane } from './data-plane.ts';
import type { HeldResult } from './held-result.ts';
import { ResultDirectory } from './result-directory.ts';
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
 * The task executors of this process: one thread, and a data plane that they share, with a directory by which their tasks
 * find each other's results. One that is quarantined or gone is replaced.
 */
export class LocalExecutors {
  readonly #options: LocalExecutorsOptions;
  readonly #directory = new ResultDirectory();
  readonly #link: LinkPorts;
  readonly #executors = new Map<ExecutorId, LocalExecutor>();
  /** Executors that were killed, until nothing of them is under way. */
  readonly #killed: Promise<void>[] = [];
  #accept: ((executor: ExecutorId, port: ExecutorPort) => void) | undefined;
  #count = 0;

  constructor(options: LocalExecutorsOptions) {
    this.#options = options;
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

  /** The results that are held, and since when. */
  get held(): readonly HeldResult[] {
    return this.#directory.held;
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
    this.#killed.push(killed.executor.stop(false));
    killed.close(why);
    this.#start();
  }

  /** Frees what they shared, once the master has heard that each of them has stopped. */
  async dispose(): Promise<void> {
    await Promise.all(this.#killed);
    await this.#options.dataPlane.dispose();
  }

  #start(): void {
    const name = `local-${this.#count++}` as ExecutorId;
    const { clock, dataPlane, actors, slots } = this.#options;
    const [executorPort, masterPort] = this.#link<MasterToExecutorMessage, ExecutorToMasterMessage>();
    const executor = new TaskExecutor({
      executor: name,
      slots,
      port: masterPort,
      dataPlane,
      directory: this.#directory,
      clock,
      actors: actors.within(name),
      // Its results stay, and its port: the master goes on to ask for them.
      quarantined: () => this.#start(),
    });
    const close = (why: string): void => {
      masterPort.close(why);
      // What it has said before arrives before.
      clock.setImmediate(() => executorPort.close(why));
    };
    this.#executors.set(name, { executor, close });
    this.#accept?.(name, executorPort);
    executor.connect();
  }
}
