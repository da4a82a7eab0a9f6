import type { ActorHost } from '../actors/actor-host.ts';
import type { TaskDeployment, TaskStatistics } from '../actors/protocol/deployment.ts';
import type { MasterPort, MasterToExecutorMessage } from '../actors/protocol/messages.ts';
import { type RunningTask, type TaskActorRef, taskActor } from '../actors/task-actor.ts';
import { toError } from '../errors/thrown-value.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../ids.ts';
import { fromPlainError, toPlainError } from '../plain-error.ts';
import type { DataPlane } from './data-plane.ts';
import type { ResultHost, ResultStore } from './result-store.ts';

export interface TaskExecutorOptions {
  readonly executor: ExecutorId;
  /** How many tasks it runs at once; Infinity for no limit. */
  readonly slots: number;
  readonly port: MasterPort;
  readonly dataPlane: DataPlane;
  /** Where its tasks' results go. Executors of one process share a store, so that results outlive a quarantined one. */
  readonly results: ResultStore;
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
 * TE2 It holds what its tasks have written until it is told to drop it, or is stopped.
 */
export class TaskExecutor {
  readonly #options: TaskExecutorOptions;
  readonly #host: ResultHost;
  readonly #tasks = new Map<ExecutionVertexId, DeployedTask>();
  #phase: 'open' | 'quarantined' | 'stopped' = 'open';
  /** Settles when nothing is being kept beyond the job, or given up again. */
  #keeping: Promise<void> = Promise.resolve();

  constructor(options: TaskExecutorOptions) {
    this.#options = options;
    const { executor, port, actors } = options;
    this.#host = { executor, actors, report: (fact) => port.post(fact) };
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

  /** Ends its tasks, whose reports are void. */
  stop(): void {
    this.#phase = 'stopped';
    this.#abandonTasks();
  }

  /** Settles when nothing of it is under way that concerns results kept beyond the job. */
  async untilKept(): Promise<void> {
    let keeping: Promise<void>;
    do {
      keeping = this.#keeping;
      await keeping;
      // What ends well may be given up at once, if its job has ended meanwhile.
    } while (keeping !== this.#keeping);
  }

  #receive(message: MasterToExecutorMessage): void {
    const { results, quarantined } = this.#options;
    // What was kept is to be given up whatever has happened since.
    if (this.#phase === 'stopped' && message.type !== 'results.demote') return;
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
        return results.release(message.ids);
      case 'results.giveUp':
        return results.giveUp(message.ids, message.traced);
      case 'results.allowReclaim':
        return results.allowReclaim(message.ids, message.traced);
      case 'results.forbidReclaim':
        return results.forbidReclaim(message.ids);
      case 'results.promote':
        return this.#keep(() => this.#promote(message));
      case 'results.demote':
        return this.#keep(() => results.demote(message.kept));
      case 'executor.quarantine':
        this.#phase = 'quarantined';
        this.#abandonTasks();
        return quarantined();
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
    const { port, results } = this.#options;
    const failed = results.register(registrations, this.#host);
    port.post({
      type: 'results.registered',
      token,
      failed: failed && { producer: failed.producer, cause: toPlainError(failed.cause) },
    });
  }

  #verify({ token, ids }: Extract<MasterToExecutorMessage, { type: 'results.verify' }>): void {
    const { port, results } = this.#options;
    results.verify(ids, ({ lost, found }) =>
      port.post({
        type: 'results.verified',
        token,
        lost: lost.map(({ id, cause }) => ({ id, cause: toPlainError(cause) })),
        found,
      }),
    );
  }

  #promote({ token, edges }: Extract<MasterToExecutorMessage, { type: 'results.promote' }>): Promise<void> {
    const { port, results } = this.#options;
    return results.promote(edges).then(
      (kept) => {
        if (this.#phase !== 'stopped') return port.post({ type: 'results.promoted', token, kept });
        // Nobody will hear of it.
        return results.demote(kept);
      },
      (error: unknown) => port.post({ type: 'results.promotionFailed', token, cause: toPlainError(toError(error)) }),
    );
  }

  /** Keeping and giving up again, one after the other; neither fails. */
  #keep(next: () => Promise<void>): void {
    this.#keeping = this.#keeping.then(next);
  }

  #createTask(deployed: DeployedTask): RunningTask {
    const { dataPlane, port, results } = this.#options;
    const { deployment } = deployed;
    const { vertex, attempt, channelOrder } = deployment;
    const outputs = deployment.outputs.map(({ partition }) => partition);
    return dataPlane.createTask(deployment, {
      partition: (id) => results.find(id),
      output: (id) => results.outputOf(id),
      registered: (id, signal) => results.untilRegistered(id, signal),
      channelOrder: channelOrder === 'any' ? undefined : results.orderOf(vertex, channelOrder),
      leftOpen: (what) => port.post({ type: 'task.leftOpen', vertex, what }),
      initializing: () => this.#report(deployed, { type: 'task.initializing', vertex, attempt }),
      running: () => {
        results.noteRunning(outputs);
        this.#report(deployed, { type: 'task.running', vertex, attempt });
      },
      finished: (statistics) => this.#finished(deployed, outputs, statistics),
      failed: (cause, statistics, place) => this.#failed(deployed, cause, statistics, place),
      canceled: (statistics) => this.#end(deployed, { type: 'task.canceled', vertex, attempt, statistics }),
    });
  }

  #finished(deployed: DeployedTask, outputs: readonly ResultPartitionId[], statistics: TaskStatistics): void {
    const { vertex, attempt } = deployed.deployment;
    this.#options.results.noteFinished(outputs);
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
  #report(deployed: DeployedTask, report: Report): void {
    if (this.#tasks.get(deployed.deployment.vertex) === deployed) this.#options.port.post(report);
  }

  #end(deployed: DeployedTask, report: Report): void {
    const { actor, deployment } = deployed;
    this.#report(deployed, report);
    if (this.#tasks.get(deployment.vertex) === deployed) this.#tasks.delete(deployment.vertex);
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
