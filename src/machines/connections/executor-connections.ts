import type { ActorHost } from '../../actors/actor-host.ts';
import type { KeepingToMasterEvent } from '../../actors/chart-events.ts';
import type { ExecutorGateway } from '../../actors/executor-gateway.ts';
import type { TaskDeployment } from '../../actors/protocol/deployment.ts';
import type { ExecutorPort, ExecutorToMasterMessage, MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import type { TaskExecutorState } from '../../actors/protocol/states.ts';
import type { Clock } from '../../environment.ts';
import { ExecutorLostError, ProtocolVersionError } from '../../errors/executor-errors.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../../ids.ts';
import { toPlainError } from '../../plain-error.ts';
import { protocolVersion } from '../../version.ts';
import { CheckpointCommands } from './checkpoint-commands.ts';
import type { ConnectedExecutor } from './connected-executor.ts';
import { ExecutorDrain } from './executor-drain.ts';
import { ExecutorReports, type ExecutorReportsOptions } from './executor-reports.ts';
import { ExecutorWatch, type WatchedBy } from './executor-watch.ts';
import type { HeartbeatActorRef } from '../heartbeat/heartbeat-machine.ts';
import type { JobMasterActorRef } from '../job-master/job-master-machine.ts';
import { both, grouped, newOnes } from './result-groups.ts';
import { OpenQuestions } from './open-questions.ts';
import { ResultPlaces } from './result-places.ts';
import { type PromotionOptions, ResultPromotion } from './result-promotion.ts';
import { type Ask, registerResults, verifyResults } from './result-questions.ts';
import { executorMachine } from '../task-executor/task-executor-actions.ts';
import type { TaskExecutorActorRef } from '../task-executor/task-executor-machine.ts';

export interface ExecutorConnectionsOptions extends ExecutorReportsOptions, PromotionOptions {
  readonly clock: Clock;
  readonly slotLimit: number;
  /** Whether the executors find each other's results by themselves. Default: they do. */
  readonly shareResults?: boolean;
  /** How executors are watched; undefined if they are not, because they share the master's thread. */
  readonly heartbeat?: WatchedBy | undefined;
  /** Called when the master gives an executor up although its port is open, just before it closes the port. */
  readonly lost?: (executor: ExecutorId, why: string) => void;
  /** Called when a drained executor has stopped, just before its port is closed. */
  readonly drained?: (executor: ExecutorId, why: string) => void;
}

/** A connected executor, until its port closes. Its chart has its state. */
interface Connection {
  readonly executor: ExecutorId;
  readonly port: ExecutorPort;
  readonly actor: TaskExecutorActorRef;
  incarnation: number | undefined;
  watch: ExecutorWatch | undefined;
  /** While it is drained. */
  drain: ExecutorDrain | undefined;
}

/**
 * The master's connections to its executors: translates requests of the charts into messages, and reports of executors
 * into events for the charts and entries in the books.
 *
 * EC1 A request is answered once: by its executor, or by the loss of the executor.
 * EC2 Messages about a result go to the executor with which it was last registered.
 * EC3 A message about any attempt but the current one has no effect.
 * EC4 A drained executor is released once no attempt has a slot on it and every consumer of its results has finished. If
 *   that takes longer than the grace period, it is given up: what it still ran is one failure.
 */
export class ExecutorConnections implements ExecutorGateway {
  readonly #options: ExecutorConnectionsOptions;
  readonly #connections = new Map<ExecutorId, Connection>();
  readonly #questions = new OpenQuestions<ExecutorToMasterMessage>();
  readonly #reports: ExecutorReports;
  readonly #places: ResultPlaces;
  readonly checkpoints: CheckpointCommands;
  #master!: JobMasterActorRef;
  #actors!: Pick<ActorHost, 'create' | 'stop'>;

  constructor(options: ExecutorConnectionsOptions) {
    this.#options = options;
    this.#reports = new ExecutorReports(options);
    this.#places = new ResultPlaces(options.ledger, options.shareResults ?? true, this.#tell);
    this.checkpoints = new CheckpointCommands(options.ledger, this.#tell);
  }

  get slotLimit(): number {
    return this.#options.slotLimit;
  }

  /** Sets the master to report to, and the host of its actors. Call it before the first executor is accepted. */
  serve(master: JobMasterActorRef, actors: Pick<ActorHost, 'create' | 'stop'>): void {
    this.#master = master;
    this.#actors = actors;
  }

  /** Accepts an executor, which offers its slots with `executor.connected`. */
  accept(executor: ExecutorId, port: ExecutorPort): void {
    const master = this.#master;
    const input = { executor, master, attempts: () => this.#options.ledger.attempts.on(executor) };
    const actor = this.#actors.create(executorMachine, `master/executor/${executor}`, input, master);
    const connection: Connection = {
      executor,
      port,
      actor,
      incarnation: undefined,
      watch: undefined,
      drain: undefined,
    };
    this.#connections.set(executor, connection);
    actor.start();
    port.onMessage((message) => this.#receive(connection, message));
    port.onClose((why) => this.#closed(connection, why));
    // From now on, because it may never say anything.
    connection.watch = this.#watch(connection);
    port.onSent((hasArrived) => connection.watch?.sent(hasArrived));
  }

  /**
   * Ends the run: executors stop and release their results; results kept beyond the job stay if it has finished. Calls
   * `done` once, when every executor has stopped or is lost.
   */
  stop(hasFinished: boolean, done: () => void): void {
    const connected = [...this.#connections.values()];
    let open = connected.length;
    const stopped = ({ watch, drain }: Connection): void => {
      watch?.stop();
      drain?.stop();
      if (--open === 0) done();
    };
    if (open === 0) this.#later(done);
    for (const connection of connected) {
      const { executor, actor } = connection;
      actor.send({ type: 'executor.stop' });
      const over = (): void => stopped(connection);
      this.#ask(executor, (token) => ({ type: 'executor.stop', token, hasFinished }), { answered: over, gone: over });
    }
  }

  /** EC4. No effect unless it offers slots. */
  drain(executor: ExecutorId, graceMs: number, isReplaced = true): void {
    const connection = this.#connections.get(executor);
    if (connection === undefined || connection.actor.getSnapshot().value !== 'registered') return;
    const { ledger, clock } = this.#options;
    connection.actor.send({ type: 'executor.drain', graceMs, isReplaced });
    connection.drain = new ExecutorDrain({
      ...{ executor, graceMs, ledger, clock },
      idle: () => this.#release(connection),
      late: () => this.#lose(connection, `it was drained, and had not gone after ${graceMs} ms`),
    });
  }

  /** An executor cannot answer now, but it is known to live: another sign of life than a heartbeat. */
  noteAlive(executor: ExecutorId): void {
    this.#connections.get(executor)?.watch?.noteAlive();
  }

  /** The charts of the connected executors, and those that watch them. */
  *charts(): Generator<TaskExecutorActorRef | HeartbeatActorRef> {
    for (const { actor, watch } of this.#connections.values()) {
      yield actor;
      if (watch?.actor !== undefined) yield watch.actor;
    }
  }

  /** The connected executors, as far as they are known. */
  *connected(): Generator<ConnectedExecutor> {
    const nowMs = this.#options.clock.now();
    for (const { executor, actor, watch } of this.#connections.values()) {
      const { report, heardMs } = watch?.latest ?? {};
      const { value, context } = actor.getSnapshot();
      const silentMs = heardMs === undefined ? undefined : nowMs - heardMs;
      yield { executor, state: value as TaskExecutorState, slots: context.slots, silentMs, report };
    }
  }

  // Requests of the charts
  deploy(executor: ExecutorId, deployment: TaskDeployment): void {
    this.#tell(executor, { type: 'task.deploy', deployment: this.#places.locate(executor, deployment) });
  }

  cancel(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void {
    this.#tell(executor, { type: 'task.cancel', vertex, attempt });
  }

  commit(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void {
    this.#tell(executor, { type: 'task.commit', vertex, attempt });
  }

  failTask(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber, cause: Error): void {
    this.#tell(executor, { type: 'task.fail', vertex, attempt, cause: toPlainError(cause) });
  }

  slowTask(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber, delayMs: number): void {
    this.#tell(executor, { type: 'task.slow', vertex, attempt, delayMs });
  }

  registerPartitions(...[partitions, done]: Parameters<ExecutorGateway['registerPartitions']>): void {
    const refused = this.#places.refuseApart(partitions);
    if (refused !== undefined) return this.#later(() => done(refused));
    for (const { executor, registration } of partitions) this.#places.place(registration, executor);
    const byExecutor = grouped(partitions, ({ executor }) => executor);
    if (byExecutor.size === 0) return this.#later(() => done());
    registerResults(byExecutor, this.#ask, (failed) => {
      if (failed !== undefined && byExecutor.size > 1) this.releasePartitions(newOnes(partitions));
      done(failed);
    });
  }

  verifyResults(...[ids, done]: Parameters<ExecutorGateway['verifyResults']>): void {
    const byExecutor = this.#byExecutor(ids);
    if (byExecutor.size === 0) return this.#later(() => done({ lost: [], found: [] }));
    verifyResults(byExecutor, this.#ask, done);
  }

  losePartition(id: ResultPartitionId, cause: Error): void {
    this.#tellOf([id], () => ({ type: 'result.lose', id, cause: toPlainError(cause) }));
  }

  releasePartitions(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[] = []): void {
    this.#tellOf(ids, (results) => ({ type: 'results.release', ids: results, traced: both(results, traced) }));
  }

  allowReclaim(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[]): void {
    this.#tellOf(ids, (results) => ({ type: 'results.allowReclaim', ids: results, traced: both(results, traced) }));
  }

  forbidReclaim(ids: readonly ResultPartitionId[]): void {
    this.#tellOf(ids, (results) => ({ type: 'results.forbidReclaim', ids: results }));
  }

  keepResults(done: (outcome: KeepingToMasterEvent) => void): void {
    new ResultPromotion(this.#options, this.#ask, done).begin();
  }

  declareLost(executor: ExecutorId, why: string): void {
    const connection = this.#connections.get(executor);
    if (connection === undefined) return;
    connection.port.post({ type: 'executor.quarantine', why });
    connection.actor.send({ type: 'executor.declareLost', why });
  }

  // Reports of executors
  #receive(connection: Connection, message: ExecutorToMasterMessage): void {
    const { executor } = connection;
    switch (message.type) {
      case 'executor.connected':
        return this.#connected(connection, message);
      case 'executor.left':
        return this.#lose(connection, `it left: ${message.why}`);
      case 'heartbeat.report':
        return connection.watch?.heard(message);
      default:
        if ('token' in message) this.#questions.answer(executor, message.token, message);
        else this.#reports.take(executor, message, this.#master);
        for (const { drain } of this.#connections.values()) drain?.look();
    }
  }

  /** It is idle: what it still does for calls that it made ends first. */
  #release({ executor, port, actor }: Connection): void {
    const why = 'it was drained';
    actor.send({ type: 'executor.idle' });
    this.#ask(executor, (token) => ({ type: 'executor.release', token }), {
      answered: () => {
        this.#options.drained?.(executor, why);
        port.close(why);
      },
      gone: () => {},
    });
  }

  #connected(
    connection: Connection,
    { protocol, incarnation, slots }: Extract<ExecutorToMasterMessage, { type: 'executor.connected' }>,
  ): void {
    const { executor, port, actor } = connection;
    if (protocol !== protocolVersion) {
      const refused = new ProtocolVersionError(executor, protocol, protocolVersion);
      port.post({ type: 'executor.quarantine', why: refused.message });
      return port.close(refused.message);
    }
    const isAnother = connection.incarnation !== undefined && connection.incarnation !== incarnation;
    if (isAnother) return this.#lose(connection, 'it started anew');
    connection.incarnation = incarnation;
    actor.send({ type: 'executor.connected', slots });
  }

  #watch({ executor, port }: Connection): ExecutorWatch | undefined {
    const { heartbeat, ledger, clock } = this.#options;
    if (heartbeat === undefined) return undefined;
    const lost = (why: string): void => this.#lose({ executor, port }, why);
    return new ExecutorWatch({ ...{ executor, port, heartbeat, ledger, clock, lost }, actors: this.#actors });
  }

  /** It cannot be relied on any more. It is told, in case it can hear, and another one may take its place. */
  #lose({ executor, port }: Pick<Connection, 'executor' | 'port'>, why: string): void {
    port.post({ type: 'executor.quarantine', why });
    this.#options.lost?.(executor, why);
    port.close(why);
  }

  /** W5: its results are lost before its tasks fail, so that the failovers of those tasks know. */
  #closed({ executor, actor, watch, drain }: Connection, why: string): void {
    if (!this.#connections.delete(executor)) return;
    watch?.stop();
    drain?.stop();
    const lost = new ExecutorLostError(executor, why);
    for (const id of this.#options.ledger.loseResultsOn(executor)) {
      const cause = new PartitionLostError(id, `executor ${executor} is lost, and its files with it`);
      this.#master.send({ type: 'partition.lost', id, cause });
    }
    actor.send({ type: 'executor.declareLost', why });
    this.#places.forget(executor);
    this.#questions.abandon(executor, lost);
  }

  readonly #ask: Ask = (executor, question, reply) => {
    const connection = this.#connections.get(executor);
    if (connection === undefined) {
      this.#later(() => reply.gone(new ExecutorLostError(executor, 'it is not connected')));
      return;
    }
    connection.port.post(question(this.#questions.open(executor, reply)));
  };

  /** Sends each executor a message about its share of the results. EC2 */
  #tellOf(
    ids: readonly ResultPartitionId[],
    message: (results: readonly ResultPartitionId[]) => MasterToExecutorMessage,
  ): void {
    for (const [executor, results] of this.#byExecutor(ids)) this.#tell(executor, message(results));
  }

  #byExecutor(ids: readonly ResultPartitionId[]): Map<ExecutorId, readonly ResultPartitionId[]> {
    const { ledger } = this.#options;
    const byExecutor = grouped(ids, (id) => ledger.attempts.rivalPlaceOf(id) ?? ledger.results.placeOf(id.partition));
    // A result that was never registered has no executor.
    byExecutor.delete(undefined);
    return byExecutor as Map<ExecutorId, readonly ResultPartitionId[]>;
  }

  readonly #tell = (executor: ExecutorId, message: MasterToExecutorMessage): void =>
    this.#connections.get(executor)?.port.post(message);

  #later(callback: () => void): void {
    this.#options.clock.setImmediate(callback);
  }
}
