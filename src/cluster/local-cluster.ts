import { createActor, enqueueActions, type InspectionEvent } from 'xstate';
import type { ExecutorGateway } from '../actors/executor-gateway.ts';
import type { KeptResult, TaskDeployment, TaskReport, TaskStatistics } from '../actors/protocol.ts';
import { type RunningTask, type TaskActorRef, taskActor } from '../actors/task-actor.ts';
import type { Clock } from '../environment.ts';
import { ExecutorLostError, PartitionLostError, toError } from '../errors.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, ResultPartitionId } from '../ids.ts';
import type { JobLedger } from '../machines/job-ledger.ts';
import type { JobMasterActorRef } from '../machines/job-master-machine.ts';
import { type TaskExecutorActorRef, taskExecutorMachine } from '../machines/task-executor-machine.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { DataPlane } from './data-plane.ts';
import { ResultStore } from './result-store.ts';
import type { StorageUse } from './storage-use.ts';

export interface LocalClusterOptions {
  readonly ledger: JobLedger;
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** Receives XState's inspection events of its actors. */
  readonly inspect: ((event: InspectionEvent) => void) | undefined;
  /** How many executors, and how many slots each offers; Infinity for no limit. */
  readonly executors: number;
  readonly slots: number;
  /**
   * Whether what an executor has written outlasts it (the default: it is all in one process), or is lost with it, as if it
   * were another machine.
   */
  readonly resultsOfLostExecutors?: 'kept' | 'lost';
  /** Hears of what a task could not close in its time. */
  readonly onLeftOpen: (vertex: ExecutionVertexId, what: string) => void;
  /** Hears what each attempt has moved, when it ends in whatever way. */
  readonly onTaskEnded: (vertex: ExecutionVertexId, statistics: TaskStatistics) => void;
}

type MovedRecords = NonNullable<RunningTask['counts']>;

/** An attempt that was deployed and has not ended. */
interface DeployedTask {
  readonly deployment: TaskDeployment;
  readonly executor: ExecutorId;
  readonly actor: TaskActorRef;
  /** Once it was started. */
  task: RunningTask | undefined;
}

/**
 * Task executors in this process. Results belong to the run, not to an executor (unless told otherwise): when one is lost
 * because a task on it does not end, what finished tasks have written is still there and is re-used. A lost executor is
 * replaced.
 */
export class LocalCluster implements ExecutorGateway {
  readonly #options: LocalClusterOptions;
  readonly #executors = new Map<ExecutorId, TaskExecutorActorRef>();
  readonly #tasks = new Map<string, DeployedTask>();
  readonly #results: ResultStore;
  /** Commands of the master that are not yet carried out. */
  readonly #commands: (() => void)[] = [];
  readonly #inspected: { readonly inspect?: (event: InspectionEvent) => void };
  #master: JobMasterActorRef | undefined;
  /** Settles when nothing is being kept beyond the job, or given up again. */
  #keeping: Promise<void> = Promise.resolve();
  #executorCount = 0;

  constructor(options: LocalClusterOptions) {
    this.#options = options;
    this.#results = new ResultStore(options);
    this.#inspected = options.inspect === undefined ? {} : { inspect: options.inspect };
  }

  /** Those that are lost are replaced. */
  get slotLimit(): number {
    return this.#options.executors * this.#options.slots;
  }

  /** Starts the executors; they register with the master. */
  connect(master: JobMasterActorRef): void {
    this.#master = master;
    for (let index = 0; index < this.#options.executors; index++) this.#startExecutor();
  }

  /** The result that `partition` holds now, if it is still there. */
  resultOf(partition: PartitionId): ResultPartition | undefined {
    return this.#results.resultOf(partition);
  }

  /** What is held for consumers now, by edge of the job graph. */
  storage(): StorageUse[] {
    return this.#results.use();
  }

  /** The executor that a task runs on. */
  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined {
    for (const { deployment, executor } of this.#tasks.values()) if (deployment.vertex === vertex) return executor;
    return undefined;
  }

  /** What the attempts that run have moved so far, by vertex. */
  *moving(): Generator<readonly [ExecutionVertexId, MovedRecords]> {
    for (const { deployment, task } of this.#tasks.values()) {
      if (task?.counts !== undefined) yield [deployment.vertex, task.counts];
    }
  }

  /** Gives up every task and every result. */
  async dispose(): Promise<void> {
    for (const executor of this.#executors.values()) executor.send({ type: 'executor.stop' });
    await this.#untilKept();
    this.#results.releaseAll();
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
    this.#post(() => done(this.#results.register(registrations)));
  }

  verifyResults(...[ids, done]: Parameters<ExecutorGateway['verifyResults']>): void {
    this.#results.verify(ids, done);
  }

  losePartition(id: ResultPartitionId, cause: Error): void {
    this.#post(() => this.#results.lose(id, cause));
  }

  releasePartitions(ids: Parameters<ExecutorGateway['releasePartitions']>[0]): void {
    if (ids.length > 0) this.#post(() => this.#results.release(ids));
  }

  giveUpPartitions(ids: readonly ResultPartitionId[]): void {
    if (ids.length > 0) this.#post(() => this.#results.giveUp(ids));
  }

  keepResults(done: Parameters<ExecutorGateway['keepResults']>[0]): void {
    this.#post(() =>
      this.#keep(() =>
        this.#results.promote().then(
          (kept) => done({ type: 'results.kept', kept }),
          (error: unknown) => done({ type: 'results.keepFailed', cause: toError(error) }),
        ),
      ),
    );
  }

  releaseKeptResults(kept: readonly KeptResult[]): void {
    this.#keep(() => this.#results.releaseKept(kept));
  }

  declareLost(executor: ExecutorId, why: string): void {
    this.#post(() => this.loseExecutor(executor, why));
  }

  /** Keeping and giving up again, one after the other; neither fails. */
  #keep(next: () => Promise<void>): void {
    this.#keeping = this.#keeping.then(next);
  }

  /** What ends well may be given up at once, if its job has ended meanwhile. */
  async #untilKept(): Promise<void> {
    let keeping: Promise<void>;
    do {
      keeping = this.#keeping;
      await keeping;
    } while (keeping !== this.#keeping);
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
        createTask: () => {
          deployed.task = this.#createTask(key, deployment);
          return deployed.task;
        },
        failed: (cause) => {
          this.#end(key, { recordsIn: 0, recordsOut: 0, isCurtailed: false });
          this.#report({ type: 'task.failed', vertex, attempt, cause: toError(cause) });
        },
      },
    });
    const deployed: DeployedTask = { deployment, executor, actor, task: undefined };
    this.#tasks.set(key, deployed);
    this.#results.noteDeployed(
      deployment.outputs.map(({ partition }) => partition),
      executor,
    );
    actor.start();
  }

  /** An executor is gone, at once: a machine that is switched off waits for nobody. */
  loseExecutor(executor: ExecutorId, why: string): void {
    if (!this.#executors.has(executor)) return;
    if (this.#options.resultsOfLostExecutors === 'lost') {
      for (const id of this.#results.loseExecutor(executor)) {
        const cause = new PartitionLostError(id, `executor ${executor} is lost, and its files with it`);
        this.#master?.send({ type: 'partition.lost', id, cause });
      }
    }
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
          for (const [key, { executor, deployment, actor }] of [...this.#tasks]) {
            if (executor !== context.executor) continue;
            this.#tasks.delete(key);
            actor.send({ type: 'task.cancel' });
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
    const outputs = deployment.outputs.map(({ partition }) => partition);
    const { channelOrder } = deployment;
    return this.#options.dataPlane.createTask(deployment, {
      partition: (id) => this.#results.find(id),
      output: (id) => this.#results.outputOf(id),
      registered: (id, signal) => this.#results.untilRegistered(id, signal),
      channelOrder: channelOrder === 'any' ? undefined : this.#results.orderOf(vertex, channelOrder),
      leftOpen: (what) => this.#options.onLeftOpen(vertex, what),
      initializing: () => this.#report({ type: 'task.initializing', vertex, attempt }),
      running: () => {
        this.#results.noteRunning(outputs);
        this.#report({ type: 'task.running', vertex, attempt });
      },
      finished: (statistics) => {
        this.#results.noteFinished(outputs);
        this.#end(key, statistics);
        this.#report({ type: 'task.finished', vertex, attempt, statistics });
      },
      failed: (cause, statistics, place) => {
        this.#end(key, statistics);
        this.#report({ type: 'task.failed', vertex, attempt, cause, place });
      },
      canceled: (statistics) => {
        this.#end(key, statistics);
        this.#report({ type: 'task.canceled', vertex, attempt });
      },
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
