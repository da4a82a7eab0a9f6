import type { AnyActorRef } from 'xstate';
import type { ActorHost } from '../actors/actor-host.ts';
import type { StoredOutput, TaskDeployment, TaskStatistics } from '../actors/protocol/deployment.ts';
import type { ExecutorReport, HeartbeatSettings, ReportedTask } from '../actors/protocol/heartbeat.ts';
import type { MasterPort, MasterToExecutorMessage } from '../actors/protocol/messages.ts';
import { type RunningTask, type TaskActorRef, type TaskCommand, taskActor } from '../actors/task-actor.ts';
import type { Clock } from '../environment.ts';
import { toError } from '../errors/thrown-value.ts';
import type { FailurePlace } from '../failure-place.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId } from '../ids.ts';
import { fromPlainError, toPlainError } from '../plain-error.ts';
import type { MovingCounts } from '../operators/task/task-parts.ts';
import { isStorable } from '../partitions/result-partition.ts';
import { protocolVersion } from '../version.ts';
import type { DataPlane } from './data-plane.ts';
import { MasterWatch } from './master-watch.ts';
import type { ResultDirectory } from './result-directory.ts';
import { ResultPromoter } from './result-promoter.ts';
import { reachOf, type ResultReach } from './result-reach.ts';
import { ResultStore } from './result-store.ts';
import { TaskCheckpoints } from './task-checkpoints.ts';

export interface TaskExecutorOptions {
  readonly executor: ExecutorId;
  /** Which of the executors that ever had this name. */
  readonly incarnation: number;
  /** Maximum tasks at once; Infinity for no limit. */
  readonly slots: number;
  readonly port: MasterPort;
  readonly dataPlane: DataPlane;
  /** The directory of results of all executors in this process. */
  readonly directory: ResultDirectory;
  /** How its tasks find results. Default: in the directory. */
  readonly reach?: ResultReach;
  /** Whether its heartbeats describe each result, for observers elsewhere. Default: not. */
  readonly describesResults?: boolean;
  readonly clock: Clock;
  /** The host of its actors. */
  readonly actors: ActorHost;
  /** How it watches the master; undefined if it does not, because they share a thread. */
  readonly heartbeat: HeartbeatSettings | undefined;
  /** Called when the master quarantines it: it gets no more tasks. */
  readonly quarantined: () => void;
}

/** A deployed attempt that has not ended. */
interface DeployedTask {
  readonly deployment: TaskDeployment;
  readonly actor: TaskActorRef;
  state: ReportedTask['state'];
  /** Set once it is started. */
  task: RunningTask | undefined;
}

const nothingMoved: TaskStatistics = { recordsIn: 0, recordsOut: 0, isCurtailed: false };

/**
 * Runs tasks and holds their results. It gets commands from the job master and reports to it, all by messages. Of the
 * job it knows only its deployments, and of the user's code only its registry.
 *
 * TE1 It reports exactly one end of each deployed attempt; once it is stopped or quarantined, none.
 * TE2 It holds the results of its tasks until it is told to release them, or is stopped.
 * TE3 If it does not hear the master for too long, it cancels its tasks, says that it leaves, and is stopped.
 */
export class TaskExecutor {
  readonly #options: TaskExecutorOptions;
  readonly #reach: ResultReach;
  readonly #results: ResultStore;
  readonly #promoter: ResultPromoter;
  readonly #tasks = new Map<ExecutionVertexId, DeployedTask>();
  readonly #checkpoints: TaskCheckpoints;
  #watch: MasterWatch | undefined;
  #phase: 'open' | 'quarantined' | 'stopped' = 'open';

  constructor(options: TaskExecutorOptions) {
    this.#options = options;
    const { port, directory, clock, dataPlane, reach = reachOf(directory) } = options;
    this.#reach = reach;
    this.#results = new ResultStore({ ...options, executor: { report: (fact) => port.post(fact) } });
    const own = { tasks: this.#tasks, results: this.#results };
    this.#checkpoints = new TaskCheckpoints({ ...own, port, clock, storage: dataPlane.checkpoints });
    this.#promoter = new ResultPromoter(dataPlane, this.#results);
  }

  /** Offers its slots to the master. Without a master it stops. */
  connect(): void {
    const { port, slots, incarnation, heartbeat } = this.#options;
    port.onMessage((message) => this.#receive(message));
    port.onClose(() => {
      void this.stop();
    });
    port.post({ type: 'executor.connected', protocol: protocolVersion, incarnation, slots });
    if (heartbeat === undefined) return;
    const watch = { ...this.#options, settings: heartbeat, report: () => this.#state(), lost: this.#leave };
    this.#watch = new MasterWatch(watch);
  }

  /** Its results are not found by the other executors of this process any more. */
  isolate(): void {
    this.#results.isolate();
  }

  /** Whether a deployed attempt of a task has not ended. */
  runs(vertex: ExecutionVertexId): boolean {
    return this.#tasks.has(vertex);
  }

  /** Counts of running attempts, by vertex. */
  *moving(): Generator<readonly [ExecutionVertexId, MovingCounts]> {
    for (const [vertex, { task }] of this.#tasks) if (task?.counts !== undefined) yield [vertex, task.counts];
  }

  /** What its results take. O(results) */
  size(): Pick<ExecutorReport, 'memoryBytes' | 'diskBytes'> {
    return this.#results.size();
  }

  /** Its host, and the actors of its tasks and results. */
  *actorRefs(): Generator<AnyActorRef> {
    yield this.#options.actors.ref;
    if (this.#watch?.actor !== undefined) yield this.#watch.actor;
    for (const { actor } of this.#tasks.values()) yield actor;
    yield* this.#results.actorRefs();
  }

  /**
   * Ends its tasks, whose reports are ignored, and releases its results. Settles when no result is being promoted any more.
   */
  async stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#watch?.stop();
    this.#abandonTasks();
    await this.#promoter.settled();
    this.#results.close();
  }

  /** Its state for the master. O(tasks and results) */
  #state(): ExecutorReport {
    const tasks: ReportedTask[] = [];
    for (const { deployment, state, task } of this.#tasks.values()) {
      const { vertex, attempt } = deployment;
      const { recordsIn = 0, recordsOut = 0, waitedMs = 0 } = task?.counts ?? {};
      tasks.push({ vertex, attempt, state, recordsIn, recordsOut, waitedMs });
    }
    const results = this.#options.describesResults === true ? { results: this.#results.described() } : {};
    return { tasks, ...this.size(), ...results };
  }

  readonly #leave = (why: string): void => {
    // TE3: after its reports, as it is the last message.
    this.#phase = 'stopped';
    this.#abandonTasks();
    this.#options.port.post({ type: 'executor.left', why });
    void this.stop();
  };

  #receive(message: MasterToExecutorMessage): void {
    const results = this.#results;
    if (this.#phase === 'stopped') return;
    switch (message.type) {
      case 'task.deploy':
        return this.#deploy(message.deployment);
      case 'task.cancel':
      case 'task.commit':
        return this.#command(message, { type: message.type });
      case 'task.fail':
        return this.#command(message, { type: 'task.fail', cause: fromPlainError(message.cause) });
      case 'task.slow':
        return this.#command(message, { type: 'task.slow', delayMs: message.delayMs });
      case 'checkpoint.trigger':
      case 'checkpoint.completed':
      case 'checkpoint.aborted':
        return this.#checkpoints.take(message);
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
      case 'results.placed':
        return this.#reach.placed(message.ids, message.executor);
      case 'results.promote':
        return this.#promoter.answer(message, this.#options.port);
      case 'heartbeat.request':
        return this.#watch?.requested(message.number);
      case 'executor.quarantine':
        this.#phase = 'quarantined';
        this.#abandonTasks();
        return this.#options.quarantined();
      case 'executor.stop':
        this.#options.dataPlane.end?.(message.hasFinished);
        return this.#stopAsTold(message.token);
      case 'executor.release':
        return this.#stopAsTold(message.token);
    }
  }

  #stopAsTold(token: number): void {
    void this.stop().then(() => this.#options.port.post({ type: 'executor.stopped', token }));
  }

  #deploy(deployment: TaskDeployment): void {
    if (this.#phase !== 'open') return;
    const { vertex, attempt, task } = deployment;
    this.#reach.note(deployment);
    const actor = this.#options.actors.create(taskActor, `task/${task}#${attempt}`, {
      createTask: () => {
        deployed.task = this.#createTask(deployed);
        return deployed.task;
      },
      failed: (cause) => this.#failed(deployed, toError(cause), nothingMoved),
    });
    const deployed: DeployedTask = { deployment, actor, state: 'deploying', task: undefined };
    this.#tasks.set(vertex, deployed);
    actor.start();
  }

  /** A command for an attempt that has ended has no effect. */
  #command(
    { vertex, attempt }: { readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber },
    command: TaskCommand,
  ): void {
    const task = this.#tasks.get(vertex);
    if (task?.deployment.attempt !== attempt) return;
    task.actor.send(command);
    if (command.type === 'task.cancel') this.#checkpoints.abandon(task.deployment);
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

  #createTask(deployed: DeployedTask): RunningTask {
    const { dataPlane, port } = this.#options;
    const { deployment } = deployed;
    const { vertex, attempt, channelOrder } = deployment;
    const outputs = deployment.outputs.map(({ partition }) => partition);
    return dataPlane.createTask(deployment, {
      source: (id) => this.#reach.find(id),
      output: this.#results.outputOf,
      registered: (id, signal) => this.#reach.registered(id, signal),
      channelOrder: channelOrder === 'any' ? undefined : this.#results.orderOf(vertex, channelOrder),
      rejected: ({ outcome, cause, place }) =>
        this.#report(deployed, {
          type: 'record.rejected',
          vertex,
          attempt,
          outcome,
          place,
          cause: toPlainError(cause),
        }),
      planned: (plan) => port.post({ type: 'source.planned', jobVertex: deployment.jobVertex, plan }),
      leftOpen: (what) => port.post({ type: 'task.leftOpen', vertex, attempt, what }),
      initializing: () => {
        deployed.state = 'initializing';
        this.#report(deployed, { type: 'task.initializing', vertex, attempt });
      },
      running: () => {
        deployed.state = 'running';
        if (this.#isPresent(deployed)) this.#results.noteRunning(outputs);
        this.#report(deployed, { type: 'task.running', vertex, attempt });
      },
      prepared: () => this.#report(deployed, { type: 'task.prepared', vertex, attempt }),
      finished: (statistics) => this.#checkpoints.whenWritten(deployment, () => this.#finished(deployed, statistics)),
      failed: (cause, statistics, place) => this.#failed(deployed, cause, statistics, place),
      checkpointed: (outcome) => {
        if (this.#isPresent(deployed)) this.#checkpoints.report(deployment, outcome);
      },
      canceled: (statistics) => this.#end(deployed, { type: 'task.canceled', vertex, attempt, statistics }),
    });
  }

  #finished(deployed: DeployedTask, statistics: TaskStatistics): void {
    const { vertex, attempt, outputs } = deployed.deployment;
    if (this.#isPresent(deployed)) this.#results.noteFinished(outputs.map(({ partition }) => partition));
    const stored = this.#storedOf(deployed.deployment);
    const report = { type: 'task.finished', vertex, attempt, statistics } as const;
    this.#end(deployed, { ...report, ...(stored.length > 0 && { stored }) });
  }

  #storedOf({ outputs }: TaskDeployment): StoredOutput[] {
    return outputs.flatMap(({ edge, partition }) => {
      const output = this.#results.outputOf(partition);
      const stored = output !== undefined && isStorable(output) ? output.stored() : undefined;
      return stored === undefined ? [] : [{ edge, stored }];
    });
  }

  #failed(deployed: DeployedTask, cause: Error, statistics: TaskStatistics, place?: FailurePlace): void {
    const { vertex, attempt } = deployed.deployment;
    this.#end(deployed, { type: 'task.failed', vertex, attempt, statistics, place, cause: toPlainError(cause) });
  }

  /** TE1: ignores reports of an attempt that has ended here. */
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
    this.#checkpoints.abandon(deployment);
    this.#options.actors.stop(actor);
  }

  #abandonTasks(): void {
    const tasks = [...this.#tasks.values()];
    this.#tasks.clear();
    // A stopped task actor cancels its task.
    for (const { actor, deployment } of tasks) {
      this.#options.actors.stop(actor);
      this.#checkpoints.abandon(deployment);
    }
  }
}

type Report = Extract<Parameters<MasterPort['post']>[0], { attempt: AttemptNumber }>;
