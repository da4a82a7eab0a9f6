import type { ActorHost } from '../actors/actor-host.ts';
import type { TaskDeployment, TaskStatistics } from '../actors/protocol/deployment.ts';
import type { ExecutorToMasterMessage, MasterPort, MasterToExecutorMessage } from '../actors/protocol/messages.ts';
import { type RunningTask, type TaskActorRef, taskActor } from '../actors/task-actor.ts';
import type { Clock } from '../environment.ts';
import { toError } from '../errors/thrown-value.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../ids.ts';
import { fromPlainError, toPlainError } from '../plain-error.ts';
import type { DataPlane } from './data-plane.ts';
import type { ResultDirectory } from './result-directory.ts';
import { ResultKeeping } from './result-keeping.ts';
import { ResultStore } from './result-store.ts';

export interface TaskExecutorOptions {
  readonly executor: ExecutorId;
  /** How many tasks it runs at once; Infinity for no limit. */
  readonly slots: number;
  readonly port: MasterPort;
  readonly dataPlane: DataPlane;
  /** Where its tasks find the results of the other executors of its process. */
  readonly directory: ResultDirectory;
  readonly clock: Clock;
  /** Where its actors are made. */
  readonly actors: ActorHost;
  /** The master will give it no more tasks. */
  readonly quarantined: () => void;
}

/** What a task that runs has moved so far. */
export type MovedRecords = NonNullable<RunningTask['counts']>;

/** An attempt that was deployed and has not ended. */
interface DeployedTask {
  readonly deployment: TaskDeployment;
  readonly actor: TaskActorRef;
  /** Once it was started. */
  task: RunningTask | undefined;
}

const nothingMoved: TaskStatistics = { recordsIn: 0, recordsOut: 0, isCurtailed: false };

/**
 * A place that runs tasks and holds what they write. It is told what to do by messages of the job master and reports by
 * messages; of the job it knows its deployments, and of the user's code what its registry holds under their names.
 *
 * TE1 Of an attempt that was deployed it reports one end, unless it is stopped or quarantined: then nothing.
 * TE2 It holds what its tasks have written until it is told to release it, or is stopped.
 */
export class TaskExecutor {
  readonly #options: TaskExecutorOptions;
  readonly #results: ResultStore;
  readonly #keeping: ResultKeeping;
  readonly #tasks = new Map<ExecutionVertexId, DeployedTask>();
  #phase: 'open' | 'quarantined' | 'stopped' = 'open';

  constructor(options: TaskExecutorOptions) {
    this.#options = options;
    const { port } = options;
    this.#results = new ResultStore({ ...options, executor: { report: (fact) => port.post(fact) } });
    this.#keeping = new ResultKeeping(options.dataPlane, this.#results);
  }

  /** Offers its slots to the master. */
  connect(): void {
    const { port, slots } = this.#options;
    port.onMessage((message) => this.#receive(message));
    port.post({ type: 'executor.connected', slots });
  }

  /** Whether an attempt of a task is deployed here and has not ended. */
  runs(vertex: ExecutionVertexId): boolean {
    return this.#tasks.has(vertex);
  }

  /** What the attempts that run have moved so far, by vertex. */
  *moving(): Generator<readonly [ExecutionVertexId, MovedRecords]> {
    for (const [vertex, { task }] of this.#tasks) if (task?.counts !== undefined) yield [vertex, task.counts];
  }

  /**
   * Ends its tasks, whose reports are void, and releases its results; with them those that it has kept beyond the job, unless
   * that has finished. Settles when nothing of it is under way that concerns those.
   */
  async stop(hasFinished: boolean): Promise<void> {
    this.#phase = 'stopped';
    this.#abandonTasks();
    await this.#keeping.end(hasFinished);
    this.#results.close();
  }

  #receive(message: MasterToExecutorMessage): void {
    const results = this.#results;
    if (this.#phase === 'stopped') return;
    switch (message.type) {
      case 'task.deploy':
        return this.#deploy(message.deployment);
      case 'task.cancel':
        return this.#cancel(message.vertex, message.attempt);
      case 'results.register':
        return this.#register(message);
      case 'results.verify':
        return this.#verify(message);
      case 'result.lose':
        return results.lose(message.id, fromPlainError(message.cause));
      case 'results.release':
        return results.release(message.ids, message.traced);
      case 'results.allowReclaim':
        return results.allowReclaim(message.ids, message.traced);
      case 'results.forbidReclaim':
        return results.forbidReclaim(message.ids);
      case 'results.promote':
        return this.#answerKeeping(message.token, this.#keeping.promote(message.edges), (edges) => ({
          type: 'results.promoted',
          token: message.token,
          edges,
        }));
      case 'results.keep':
        return this.#answerKeeping(message.token, this.#keeping.keep(message.edges), (kept) => ({
          type: 'results.kept',
          token: message.token,
          kept,
        }));
      case 'executor.quarantine':
        this.#phase = 'quarantined';
        this.#abandonTasks();
        return this.#options.quarantined();
      case 'executor.stop':
        void this.stop(message.hasFinished).then(() =>
          this.#options.port.post({ type: 'executor.stopped', token: message.token }),
        );
    }
  }

  #deploy(deployment: TaskDeployment): void {
    if (this.#phase !== 'open') return;
    const { vertex, attempt, task } = deployment;
    const actor = this.#options.actors.create(taskActor, `task/${task}#${attempt}`, {
      createTask: () => {
        deployed.task = this.#createTask(deployed);
        return deployed.task;
      },
      failed: (cause) => this.#failed(deployed, toError(cause), nothingMoved),
    });
    const deployed: DeployedTask = { deployment, actor, task: undefined };
    this.#tasks.set(vertex, deployed);
    actor.start();
  }

  #cancel(vertex: ExecutionVertexId, attempt: AttemptNumber): void {
    const task = this.#tasks.get(vertex);
    if (task?.deployment.attempt === attempt) task.actor.send({ type: 'task.cancel' });
  }

  #register({ token, registrations }: Extract<MasterToExecutorMessage, { type: 'results.register' }>): void {
    const failed = this.#results.register(registrations);
    this.#options.port.post({
      type: 'results.registered',
      token,
      failed: failed && { producer: failed.producer, cause: toPlainError(failed.cause) },
    });
  }

  #verify({ token, ids }: Extract<MasterToExecutorMessage, { type: 'results.verify' }>): void {
    this.#results.verify(ids, ({ lost, found }) =>
      this.#options.port.post({
        type: 'results.verified',
        token,
        lost: lost.map(({ id, cause }) => ({ id, cause: toPlainError(cause) })),
        found,
      }),
    );
  }

  #answerKeeping<Done>(token: number, done: Promise<Done>, answer: (done: Done) => ExecutorToMasterMessage): void {
    const { port } = this.#options;
    done.then(
      (result) => port.post(answer(result)),
      (error: unknown) => port.post({ type: 'results.promotionFailed', token, cause: toPlainError(toError(error)) }),
    );
  }

  #createTask(deployed: DeployedTask): RunningTask {
    const { dataPlane, directory, port } = this.#options;
    const { deployment } = deployed;
    const { vertex, attempt, channelOrder } = deployment;
    const outputs = deployment.outputs.map(({ partition }) => partition);
    return dataPlane.createTask(deployment, {
      source: (id) => directory.find(id),
      output: (id) => this.#results.outputOf(id),
      registered: (id, signal) => directory.arrivals.until(id, signal),
      channelOrder: channelOrder === 'any' ? undefined : this.#results.orderOf(vertex, channelOrder),
      leftOpen: (what) => port.post({ type: 'task.leftOpen', vertex, attempt, what }),
      initializing: () => this.#report(deployed, { type: 'task.initializing', vertex, attempt }),
      running: () => {
        if (this.#isPresent(deployed)) this.#results.noteRunning(outputs);
        this.#report(deployed, { type: 'task.running', vertex, attempt });
      },
      finished: (statistics) => this.#finished(deployed, outputs, statistics),
      failed: (cause, statistics, place) => this.#failed(deployed, cause, statistics, place),
      canceled: (statistics) => this.#end(deployed, { type: 'task.canceled', vertex, attempt, statistics }),
    });
  }

  #finished(deployed: DeployedTask, outputs: readonly ResultPartitionId[], statistics: TaskStatistics): void {
    const { vertex, attempt } = deployed.deployment;
    if (this.#isPresent(deployed)) this.#results.noteFinished(outputs);
    this.#end(deployed, { type: 'task.finished', vertex, attempt, statistics });
  }

  #failed(
    deployed: DeployedTask,
    cause: Error,
    statistics: TaskStatistics,
    place?: Extract<Report, { type: 'task.failed' }>['place'],
  ): void {
    const { vertex, attempt } = deployed.deployment;
    this.#end(deployed, { type: 'task.failed', vertex, attempt, statistics, place, cause: toPlainError(cause) });
  }

  /** TE1: what is no longer its task has nothing to say. */
  #isPresent(deployed: DeployedTask): boolean {
    return this.#tasks.get(deployed.deployment.vertex) === deployed;
  }

  #report(deployed: DeployedTask, report: Report): void {
    if (this.#isPresent(deployed)) this.#options.port.post(report);
  }

  #end(deployed: DeployedTask, report: Report): void {
    const { actor, deployment } = deployed;
    this.#report(deployed, report);
    if (this.#isPresent(deployed)) this.#tasks.delete(deployment.vertex);
    this.#options.actors.stop(actor);
  }

  #abandonTasks(): void {
    const tasks = [...this.#tasks.values()];
    this.#tasks.clear();
    // Stopped, they cancel what they run.
    for (const { actor } of tasks) this.#options.actors.stop(actor);
  }
}

type Report = Extract<Parameters<MasterPort['post']>[0], { type: `task.${string}`; attempt: AttemptNumber }>;
