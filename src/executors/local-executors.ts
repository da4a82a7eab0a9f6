import type { AnyActorRef } from 'xstate';
import type { ActorHost } from '../actors/actor-host.ts';
import { checkedExecutorPort, checkedMasterPort, type MessageChecks } from '../actors/checked-port.ts';
import { type LinkPorts, LocalLink } from '../actors/local-link.ts';
import type { HeartbeatSettings } from '../actors/protocol/heartbeat.ts';
import type {
  ExecutorPort,
  ExecutorToMasterMessage,
  MasterPort,
  MasterToExecutorMessage,
} from '../actors/protocol/messages.ts';
import type { Clock } from '../environment.ts';
import type { ExecutionVertexId, ExecutorId } from '../ids.ts';
import type { MovingCounts } from '../operators/task/task-parts.ts';
import type { DataPlane } from './data-plane.ts';
import type { Executors, StartedExecutor } from './executors.ts';
import type { HeldResult } from './held-result.ts';
import { KeptResults } from './kept-results.ts';
import { ResultDirectory } from './result-directory.ts';
import { TaskExecutor } from './task-executor.ts';

export interface LocalExecutorsOptions {
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** Parent of the executors' actor hosts. */
  readonly actors: ActorHost;
  /** Number of executors, and of slots per executor; Infinity for no limit. */
  readonly executors: number;
  readonly slots: number;
  /** How the master and the executors watch each other. Default: they do not, as they share a thread. */
  readonly heartbeat?: HeartbeatSettings | undefined;
  /** Creates the connections between the master and the executors. Default: a queue on this thread. */
  readonly link?: LinkPorts;
  /** Checks what arrives over the connections. Default: none, for messages that never leave this thread. */
  readonly checks?: MessageChecks;
}

/** An executor, and its end of the connection to the master. */
interface LocalExecutor {
  readonly incarnation: number;
  readonly executor: TaskExecutor;
  readonly close: (why: string) => void;
}

/**
 * The task executors of this process. They share one thread, a data plane, and a directory by which their tasks find
 * each other's results. A quarantined or lost executor is replaced.
 */
export class LocalExecutors implements Executors {
  readonly shareResults = true;
  readonly kept: KeptResults;
  readonly #options: LocalExecutorsOptions;
  readonly #directory = new ResultDirectory();
  readonly #link: LinkPorts;
  readonly #executors = new Map<ExecutorId, LocalExecutor>();
  /** What ends executors that were given up and may live on. */
  readonly #givenUp = new Set<() => void>();
  /** Killed executors, until they have stopped completely. */
  readonly #killed: Promise<void>[] = [];
  #accept: ((executor: ExecutorId, port: ExecutorPort) => void) | undefined;
  #count = 0;

  constructor(options: LocalExecutorsOptions) {
    this.#options = options;
    this.kept = new KeptResults(options.dataPlane);
    this.#link = options.link ?? new LocalLink(options.clock).link;
  }

  get slotLimit(): number {
    return this.#options.executors * this.#options.slots;
  }

  connect(accept: (executor: ExecutorId, port: ExecutorPort) => void, connected: () => void): void {
    this.#options.dataPlane.begin?.();
    this.#accept = accept;
    for (let index = 0; index < this.#options.executors; index++) this.#start();
    // Their first messages are on their way.
    this.#options.clock.setImmediate(connected);
  }

  get names(): readonly ExecutorId[] {
    return [...this.#executors.keys()];
  }

  *started(): Generator<StartedExecutor> {
    for (const [name, { executor, incarnation }] of this.#executors) {
      yield { executor: name, incarnation, ...executor.size() };
    }
  }

  get held(): readonly HeldResult[] {
    return this.#directory.held;
  }

  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined {
    for (const [name, { executor }] of this.#executors) if (executor.runs(vertex)) return name;
    return undefined;
  }

  *moving(): Generator<readonly [ExecutionVertexId, MovingCounts]> {
    for (const { executor } of this.#executors.values()) yield* executor.moving();
  }

  *actors(): Generator<AnyActorRef> {
    for (const { executor } of this.#executors.values()) yield* executor.actorRefs();
  }

  /** All are in this thread. */
  observe(): () => void {
    return () => {};
  }

  kill(executor: ExecutorId, why: string): void {
    this.giveUp(executor, why)();
    this.#start();
  }

  giveUp(executor: ExecutorId, why: string): () => void {
    const lost = this.#executors.get(executor);
    if (lost === undefined) return () => {};
    this.#executors.delete(executor);
    lost.executor.isolate();
    const end = (): void => {
      if (!this.#givenUp.delete(end)) return;
      this.#killed.push(lost.executor.stop());
      lost.close(why);
    };
    this.#givenUp.add(end);
    return end;
  }

  replace(): void {
    this.#start();
  }

  async dispose(): Promise<void> {
    for (const end of [...this.#givenUp]) end();
    await Promise.all(this.#killed);
    await this.#options.dataPlane.dispose();
  }

  /** The two ends of a new connection. */
  #ports(): readonly [ExecutorPort, MasterPort] {
    const { checks } = this.#options;
    const [executorPort, masterPort] = this.#link<MasterToExecutorMessage, ExecutorToMasterMessage>();
    if (checks === undefined) return [executorPort, masterPort];
    return [checkedExecutorPort(executorPort, checks), checkedMasterPort(masterPort, checks)];
  }

  #start(): void {
    const incarnation = this.#count++;
    const name = `local-${incarnation}` as ExecutorId;
    const { clock, dataPlane, actors, slots, heartbeat } = this.#options;
    const [executorPort, masterPort] = this.#ports();
    const executor = new TaskExecutor({
      executor: name,
      incarnation,
      slots,
      heartbeat,
      port: masterPort,
      dataPlane,
      directory: this.#directory,
      clock,
      actors: actors.within(name),
      // Its results and its port stay, because the master still asks for them.
      quarantined: () => this.#start(),
    });
    const close = (why: string): void => {
      masterPort.close(why);
      // Its earlier messages arrive first.
      clock.setImmediate(() => executorPort.close(why));
    };
    this.#executors.set(name, { executor, incarnation, close });
    this.#accept?.(name, executorPort);
    executor.connect();
  }
}
