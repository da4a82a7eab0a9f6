import { createActor, enqueueActions, type InspectionEvent } from 'xstate';
import type { ExecutorGateway } from '../actors/executor-gateway.ts';
import type { TaskDeployment, TaskReport, TaskStatistics } from '../actors/protocol.ts';
import { type RunningTask, type TaskActorRef, taskActor } from '../actors/task-actor.ts';
import type { Clock } from '../environment.ts';
import { ExecutorLostError, PartitionLostError, toError } from '../errors.ts';
import {
  type AttemptNumber,
  type ExecutionVertexId,
  type ExecutorId,
  type ResultPartitionId,
  resultPartitionKey,
} from '../ids.ts';
import type { JobLedger } from '../machines/job-ledger.ts';
import type { JobMasterActorRef } from '../machines/job-master-machine.ts';
import { type PartitionActorRef, partitionMachine } from '../machines/partition-machine.ts';
import { type TaskExecutorActorRef, taskExecutorMachine } from '../machines/task-executor-machine.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { DataPlane } from './data-plane.ts';

export interface LocalClusterOptions {
  readonly ledger: JobLedger;
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** Receives XState's inspection events of its actors. */
  readonly inspect: ((event: InspectionEvent) => void) | undefined;
  /** How many executors, and how many slots each offers; Infinity for no limit. */
  readonly executors: number;
  readonly slots: number;
  /** Hears what each attempt has moved, when it ends in whatever way. */
  readonly onTaskEnded: (vertex: ExecutionVertexId, statistics: TaskStatistics) => void;
}

/** What the results of one exchange take at a moment. */
export interface StorageUse {
  /** The job vertices at the ends of the exchange. */
  readonly source: string;
  readonly target: string;
  readonly exchange: string;
  /** Results of attempts that are held, one for each producing task. */
  readonly results: number;
  /** Records that were written to them. */
  readonly records: number;
  /** Estimated. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** An attempt that was deployed and has not ended. */
interface DeployedTask {
  readonly deployment: TaskDeployment;
  readonly executor: ExecutorId;
  readonly actor: TaskActorRef;
}

interface StoredPartition {
  readonly partition: ResultPartition;
  readonly actor: PartitionActorRef;
}

/**
 * Task executors in this process. Results belong to the run, not to an executor: when one is lost because a task on it
 * does not end, what finished tasks have written is still there and is re-used. A lost executor is replaced.
 */
export class LocalCluster implements ExecutorGateway {
  readonly #options: LocalClusterOptions;
  readonly #executors = new Map<ExecutorId, TaskExecutorActorRef>();
  readonly #tasks = new Map<string, DeployedTask>();
  readonly #partitions = new Map<string, StoredPartition>();
  /** Tasks that wait for a result to be registered, by its key. */
  readonly #awaited = new Map<string, Set<() => void>>();
  /** Commands of the master that are not yet carried out. */
  readonly #commands: (() => void)[] = [];
  readonly #inspected: { readonly inspect?: (event: InspectionEvent) => void };
  #master: JobMasterActorRef | undefined;
  #executorCount = 0;

  constructor(options: LocalClusterOptions) {
    this.#options = options;
    this.#inspected = options.inspect === undefined ? {} : { inspect: options.inspect };
  }

  /** Starts the executors; they register with the master. */
  connect(master: JobMasterActorRef): void {
    this.#master = master;
    for (let index = 0; index < this.#options.executors; index++) this.#startExecutor();
  }

  /** The result that `partition` holds now, if it is still there. */
  resultOf(partition: number): ResultPartition | undefined {
    const { ledger } = this.#options;
    const attempt = ledger.attemptOf(ledger.graph.producerOf(partition as never));
    return this.#partitions.get(resultPartitionKey({ partition: partition as never, attempt }))?.partition;
  }

  /** What is held for consumers now, by edge of the job graph. */
  storage(): StorageUse[] {
    const { graph } = this.#options.ledger;
    const byEdge = new Map<number, { -readonly [Key in keyof StorageUse]: StorageUse[Key] }>();
    for (const { partition } of this.#partitions.values()) {
      const edge = graph.edgeIndexOfPartition(partition.id.partition);
      const { source, target, exchange } = graph.edgeOfPartition(partition.id.partition);
      const use = byEdge.get(edge) ?? {
        source,
        target,
        exchange: exchange.name,
        results: 0,
        records: 0,
        memoryBytes: 0,
        diskBytes: 0,
      };
      byEdge.set(edge, use);
      const { records, memoryBytes, spilledBytes } = partition.statistics();
      use.results++;
      use.records += records;
      use.memoryBytes += memoryBytes;
      use.diskBytes += spilledBytes;
    }
    return [...byEdge].sort(([a], [b]) => a - b).map(([, use]) => use);
  }

  /** Gives up every task and every result. */
  async dispose(): Promise<void> {
    for (const executor of this.#executors.values()) executor.send({ type: 'executor.stop' });
    for (const { actor } of this.#partitions.values()) actor.send({ type: 'partition.release' });
    this.#partitions.clear();
    await this.#options.dataPlane.dispose();
  }

  // The gateway

  deploy(executor: ExecutorId, deployment: TaskDeployment): void {
    this.#post(() => this.#deploy(executor, deployment));
  }

  cancel(_executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void {
    this.#post(() => this.#tasks.get(taskKey(vertex, attempt))?.actor.send({ type: 'task.cancel' }));
  }

  registerPartitions(...[registrations, done]: Parameters<ExecutorGateway['registerPartitions']>): void {
    this.#post(() => this.#registerPartitions(registrations, done));
  }

  verifyResults(...[ids, done]: Parameters<ExecutorGateway['verifyResults']>): void {
    const lost: { id: ResultPartitionId; cause: Error }[] = [];
    let open = ids.length;
    if (open === 0) done(lost);
    for (const id of ids) {
      const answered = (error?: Error): void => {
        if (error !== undefined) lost.push({ id, cause: error });
        if (--open === 0) done(lost);
      };
      const held = this.#partitions.get(resultPartitionKey(id));
      if (held === undefined) answered(new PartitionLostError(id, 'it is no longer held'));
      else held.partition.verify(answered);
    }
  }

  releasePartitions(ids: Parameters<ExecutorGateway['releasePartitions']>[0]): void {
    if (ids.length > 0) this.#post(() => this.#releasePartitions(ids));
  }

  declareLost(executor: ExecutorId, why: string): void {
    this.#post(() => this.#declareLost(executor, why));
  }

  /**
   * Commands are messages, here as between machines: they are carried out in their order, and never inside the
   * transition of the chart that sends them.
   */
  #post(command: () => void): void {
    this.#commands.push(command);
    if (this.#commands.length > 1) return;
    this.#options.clock.setImmediate(() => {
      // What a command gives rise to is posted while this list is walked, and carried out in the same turn.
      for (const next of this.#commands) next();
      this.#commands.length = 0;
    });
  }

  #deploy(executor: ExecutorId, deployment: TaskDeployment): void {
    const { vertex, attempt } = deployment;
    const key = taskKey(vertex, attempt);
    const actor = createActor(taskActor, {
      ...this.#inspected,
      id: `task/${this.#options.ledger.graph.nameOf(vertex)}#${attempt}`,
      input: {
        createTask: () => this.#createTask(key, deployment),
        failed: (cause) => {
          this.#end(key, { recordsIn: 0, recordsOut: 0 });
          this.#report({ type: 'task.failed', vertex, attempt, cause: toError(cause) });
        },
      },
    });
    this.#tasks.set(key, { deployment, executor, actor });
    actor.start();
  }

  #registerPartitions(...[registrations, done]: Parameters<ExecutorGateway['registerPartitions']>): void {
    for (const registration of registrations) {
      try {
        const partition = this.#options.dataPlane.createPartition(registration, () =>
          this.#options.ledger.truncatePartition(registration.id),
        );
        const actor = createActor(storedPartition(partition), {
          ...this.#inspected,
          id: `partition/${resultPartitionKey(registration.id)}`,
          input: { id: registration.id },
        });
        actor.start();
        const key = resultPartitionKey(registration.id);
        this.#partitions.set(key, { partition, actor });
        for (const arrived of this.#awaited.get(key) ?? []) arrived();
        this.#awaited.delete(key);
      } catch (cause) {
        this.#releasePartitions(registrations.map(({ id }) => id));
        done({ producer: registration.producer, cause: toError(cause) });
        return;
      }
    }
    done();
  }

  #releasePartitions(ids: Parameters<ExecutorGateway['releasePartitions']>[0]): void {
    for (const id of ids) {
      const key = resultPartitionKey(id);
      this.#partitions.get(key)?.actor.send({ type: 'partition.release' });
      this.#partitions.delete(key);
    }
  }

  #declareLost(executor: ExecutorId, why: string): void {
    if (!this.#executors.has(executor)) return;
    this.#executors.get(executor)?.send({ type: 'executor.declareLost', why });
    this.#executors.delete(executor);
    this.#startExecutor();
  }

  #startExecutor(): void {
    const executor = `local-${this.#executorCount++}` as ExecutorId;
    const actor = createActor(this.#executorMachine(), {
      ...this.#inspected,
      id: `executor/${executor}`,
      input: { executor, slots: this.#options.slots, master: this.#master as JobMasterActorRef },
    });
    this.#executors.set(executor, actor);
    actor.start();
    actor.send({ type: 'executor.connected' });
  }

  #executorMachine() {
    return taskExecutorMachine.provide({
      actions: {
        recordState: () => {},
        failTasks: enqueueActions(({ context, event, enqueue }) => {
          const why = event.type === 'executor.declareLost' ? event.why : 'it stopped answering';
          const cause = new ExecutorLostError(context.executor, why);
          for (const [key, { executor, deployment }] of this.#tasks) {
            if (executor !== context.executor) continue;
            this.#tasks.delete(key);
            const execution = this.#options.ledger.executions[deployment.vertex];
            if (execution !== undefined) enqueue.sendTo(execution, { type: 'execution.fail', cause });
          }
        }),
        stopTasks: ({ context }) => {
          for (const { executor, actor } of [...this.#tasks.values()]) {
            if (executor === context.executor) actor.send({ type: 'task.cancel' });
          }
        },
      },
    });
  }

  #createTask(key: string, deployment: TaskDeployment): RunningTask {
    const { vertex, attempt } = deployment;
    const outputs = deployment.outputs.map(({ partition }) => this.#partitions.get(resultPartitionKey(partition)));
    return this.#options.dataPlane.createTask(deployment, {
      partition: (id) => this.#partitions.get(resultPartitionKey(id))?.partition,
      registered: (id, signal) => this.#untilRegistered(resultPartitionKey(id), signal),
      initializing: () => this.#report({ type: 'task.initializing', vertex, attempt }),
      running: () => {
        for (const output of outputs) output?.actor.send({ type: 'partition.produce' });
        this.#report({ type: 'task.running', vertex, attempt });
      },
      finished: (statistics) => {
        for (const output of outputs) output?.actor.send({ type: 'partition.finish' });
        this.#end(key, statistics);
        this.#report({ type: 'task.finished', vertex, attempt, statistics });
      },
      failed: (cause, statistics) => {
        this.#end(key, statistics);
        this.#report({ type: 'task.failed', vertex, attempt, cause });
      },
      canceled: (statistics) => {
        this.#end(key, statistics);
        this.#report({ type: 'task.canceled', vertex, attempt });
      },
    });
  }

  #untilRegistered(key: string, signal: AbortSignal): Promise<void> {
    if (this.#partitions.has(key)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(new Error('The task has ended'));
      const waiting = this.#awaited.get(key) ?? new Set();
      this.#awaited.set(key, waiting);
      const giveUp = (): void => {
        waiting.delete(arrived);
        reject(new Error(`The task ended before result ${key} was registered`));
      };
      const arrived = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      waiting.add(arrived);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #end(key: string, statistics: TaskStatistics): void {
    const task = this.#tasks.get(key);
    this.#tasks.delete(key);
    if (task !== undefined) this.#options.onTaskEnded(task.deployment.vertex, statistics);
  }

  /** To the present attempt of the vertex, which drops what another attempt reports. */
  #report(report: TaskReport): void {
    this.#options.ledger.executions[report.vertex]?.send(report);
  }
}

function taskKey(vertex: ExecutionVertexId, attempt: AttemptNumber): string {
  return `${vertex}#${attempt}`;
}

function storedPartition(partition: ResultPartition) {
  return partitionMachine.provide({
    actions: { recordState: () => {}, freeStorage: () => partition.release() },
  });
}
