import { enqueueActions } from 'xstate';
import type { ActorHost } from '../../actors/actor-host.ts';
import type { KeepingToMasterEvent } from '../../actors/chart-events.ts';
import type { ExecutorGateway, VerifiedResults } from '../../actors/executor-gateway.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type {
  FoundResult,
  PartitionRegistration,
  TaskDeployment,
  TaskStatistics,
} from '../../actors/protocol/deployment.ts';
import type { ExecutorPort, ExecutorToMasterMessage, MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import type { Clock } from '../../environment.ts';
import { ExecutorLostError } from '../../errors/executor-errors.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, JobVertexId, ResultPartitionId } from '../../ids.ts';
import { fromPlainError, toPlainError } from '../../plain-error.ts';
import type { JobLedger } from './job-ledger.ts';
import { engineChart } from '../engine-chart.ts';
import type { JobMasterActorRef } from './job-master-machine.ts';
import { both, grouped, newOnes } from './result-groups.ts';
import { OpenQuestions, type Reply as ReplyTo } from './open-questions.ts';
import { ResultPromotion } from './result-promotion.ts';
import { type TaskExecutorActorRef, taskExecutorMachine } from '../task-executor/task-executor-machine.ts';

export interface ExecutorConnectionsOptions {
  readonly ledger: JobLedger;
  readonly clock: Clock;
  readonly slotLimit: number;
  readonly observe: (event: JobEvent) => void;
  readonly cancellationTimeoutMs: number;
}

/** The report of an executor at the end of an attempt. */
type TaskEnd = Extract<ExecutorToMasterMessage, { readonly statistics: TaskStatistics }>;

/** A connected executor, until its port closes. Its chart has its state. */
interface Connection {
  readonly executor: ExecutorId;
  readonly port: ExecutorPort;
  readonly actor: TaskExecutorActorRef;
}

type Reply = ReplyTo<ExecutorToMasterMessage>;

/** One for all runs, because XState recomputes a machine each time implementations are provided. */
const executorMachine = engineChart(taskExecutorMachine).provide({
  actions: {
    recordState: () => {},
    failTasks: enqueueActions(({ context: { attempts, cause }, enqueue }) => {
      for (const execution of attempts())
        enqueue.sendTo(execution, { type: 'execution.fail', cause: cause as ExecutorLostError });
    }),
  },
});

/**
 * The master's connections to its executors: translates requests of the charts into messages, and reports of executors
 * into events for the charts and entries in the books.
 *
 * EC1 A request is answered once: by its executor, or by the loss of the executor.
 * EC2 Messages about a result go to the executor with which it was last registered.
 * EC3 A message about any attempt but the current one has no effect.
 */
export class ExecutorConnections implements ExecutorGateway {
  readonly #options: ExecutorConnectionsOptions;
  readonly #connections = new Map<ExecutorId, Connection>();
  readonly #questions = new OpenQuestions<ExecutorToMasterMessage>();
  #master!: JobMasterActorRef;
  #actors!: Pick<ActorHost, 'create'>;

  constructor(options: ExecutorConnectionsOptions) {
    this.#options = options;
  }

  get slotLimit(): number {
    return this.#options.slotLimit;
  }

  /** Sets the master to report to, and the host of its actors. Call it before the first executor is accepted. */
  serve(master: JobMasterActorRef, actors: Pick<ActorHost, 'create'>): void {
    this.#master = master;
    this.#actors = actors;
  }

  /** Accepts an executor, which offers its slots with `executor.connected`. */
  accept(executor: ExecutorId, port: ExecutorPort): void {
    const master = this.#master;
    const input = { executor, master, attempts: () => this.#options.ledger.attempts.on(executor) };
    const actor = this.#actors.create(executorMachine, `master/executor/${executor}`, input, master);
    const connection: Connection = { executor, port, actor };
    this.#connections.set(executor, connection);
    actor.start();
    port.onMessage((message) => this.#receive(connection, message));
    port.onClose((why) => this.#closed(connection, why));
  }

  /**
   * Ends the run: executors stop and release their results; results kept beyond the job stay if it has finished. Calls
   * `done` once, when every executor has stopped or is lost.
   */
  stop(hasFinished: boolean, done: () => void): void {
    const connected = [...this.#connections.values()];
    let open = connected.length;
    const stopped = (): void => {
      if (--open === 0) done();
    };
    if (open === 0) this.#later(done);
    for (const { executor, actor } of connected) {
      actor.send({ type: 'executor.stop' });
      const question = (token: number): MasterToExecutorMessage => ({ type: 'executor.stop', token, hasFinished });
      this.#ask(executor, question, { answered: stopped, gone: stopped });
    }
  }

  /** The charts of the connected executors. */
  get executors(): TaskExecutorActorRef[] {
    return [...this.#connections.values()].map(({ actor }) => actor);
  }

  // Requests of the charts

  deploy(executor: ExecutorId, deployment: TaskDeployment): void {
    this.#connections.get(executor)?.port.post({ type: 'task.deploy', deployment });
  }

  cancel(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void {
    this.#connections.get(executor)?.port.post({ type: 'task.cancel', vertex, attempt });
  }

  failTask(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber, cause: Error): void {
    const message = { type: 'task.fail', vertex, attempt, cause: toPlainError(cause) } as const;
    this.#connections.get(executor)?.port.post(message);
  }

  slowTask(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber, delayMs: number): void {
    this.#connections.get(executor)?.port.post({ type: 'task.slow', vertex, attempt, delayMs });
  }

  registerPartitions(...[partitions, done]: Parameters<ExecutorGateway['registerPartitions']>): void {
    const byExecutor = grouped(partitions, ({ executor }) => executor);
    let open = byExecutor.size;
    let failed: Parameters<typeof done>[0];
    if (open === 0) this.#later(() => done());
    for (const [executor, placed] of byExecutor) {
      const registrations = placed.map(({ registration }) => registration);
      for (const registration of registrations) this.#place(registration, executor);
      const answered = (failure: typeof failed): void => {
        failed ??= failure;
        if (--open > 0) return;
        if (failed !== undefined && byExecutor.size > 1) this.releasePartitions(newOnes(partitions));
        done(failed);
      };
      this.#ask(executor, (token) => ({ type: 'results.register', token, registrations }), {
        answered: (answer) => {
          if (answer.type !== 'results.registered') return;
          answered(answer.failed && { ...answer.failed, cause: fromPlainError(answer.failed.cause) });
        },
        gone: (cause) => answered({ producer: (registrations[0] as PartitionRegistration).producer, cause }),
      });
    }
  }

  verifyResults(...[ids, done]: Parameters<ExecutorGateway['verifyResults']>): void {
    const byExecutor = this.#byExecutor(ids);
    const lost: VerifiedResults['lost'][number][] = [];
    const found: FoundResult[] = [];
    let open = byExecutor.size;
    if (open === 0) this.#later(() => done({ lost, found }));
    for (const [executor, results] of byExecutor) {
      const answered = (verified: VerifiedResults): void => {
        lost.push(...verified.lost);
        found.push(...verified.found);
        if (--open === 0) done({ lost, found });
      };
      this.#ask(executor, (token) => ({ type: 'results.verify', token, ids: results }), {
        answered: (answer) => {
          if (answer.type !== 'results.verified') return;
          answered({ ...answer, lost: answer.lost.map(({ id, cause }) => ({ id, cause: fromPlainError(cause) })) });
        },
        gone: (cause) =>
          answered({
            lost: results.map((id) => ({ id, cause: new PartitionLostError(id, cause.message, { cause }) })),
            found: [],
          }),
      });
    }
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
    const { ledger } = this.#options;
    new ResultPromotion(ledger, (...question) => this.#ask(...question), done).begin();
  }

  declareLost(executor: ExecutorId, why: string): void {
    const connection = this.#connections.get(executor);
    if (connection === undefined) return;
    connection.port.post({ type: 'executor.quarantine', why });
    connection.actor.send({ type: 'executor.declareLost', why });
  }

  // Reports of executors

  #receive({ executor, actor }: Connection, message: ExecutorToMasterMessage): void {
    const { ledger } = this.#options;
    switch (message.type) {
      case 'executor.connected':
        actor.send({ type: 'executor.connected', slots: message.slots });
        return;
      case 'task.initializing':
      case 'task.running':
        ledger.executions[message.vertex]?.send(message);
        return;
      case 'task.finished':
      case 'task.canceled':
        this.#recordEnd(message);
        ledger.executions[message.vertex]?.send(message);
        return;
      case 'task.failed':
        this.#recordEnd(message);
        ledger.executions[message.vertex]?.send({ ...message, cause: fromPlainError(message.cause) });
        return;
      case 'record.rejected':
        this.#rejected(message);
        return;
      case 'source.planned':
        this.#planned(message.jobVertex, message.plan);
        return;
      case 'task.leftOpen':
        this.#leftOpen(message.vertex, message.what);
        return;
      case 'result.truncated':
        ledger.results.truncated(message.id);
        return;
      case 'result.traceless':
        if (ledger.attempts.isPresent(message.id)) ledger.loseTrace(message.id.partition);
        return;
      case 'results.reclaimed':
        for (const id of message.ids) this.#reclaimed(id, executor);
        return;
      default:
        this.#questions.answer(executor, message.token, message);
    }
  }

  /** The executor was allowed to, but the result may be needed again since. */
  #reclaimed(id: ResultPartitionId, executor: ExecutorId): void {
    if (this.#options.ledger.results.reclaimed(id) !== 'missed') return;
    const cause = new PartitionLostError(id, `executor ${executor} released it because its disk space was used up`);
    this.#master.send({ type: 'partition.lost', id, cause });
  }

  #recordEnd({ vertex, attempt, statistics, ...end }: TaskEnd): void {
    const { ledger, clock, observe } = this.#options;
    observe({
      type: 'task.ended',
      atMs: clock.now(),
      task: ledger.graph.nameOf(vertex),
      vertex,
      attempt,
      ...statistics,
      ...('stored' in end && end.stored && { stored: end.stored }),
    });
  }

  #rejected(message: Extract<ExecutorToMasterMessage, { type: 'record.rejected' }>): void {
    const { ledger, clock, observe } = this.#options;
    const task = ledger.graph.nameOf(message.vertex);
    observe({ ...message, atMs: clock.now(), task, cause: fromPlainError(message.cause) });
  }

  /** Another executor may have planned at the same time: the first plan counts for all later deployments. */
  #planned(vertex: JobVertexId, plan: unknown): void {
    const { ledger, clock, observe } = this.#options;
    if (ledger.takePlan(vertex, plan)) observe({ type: 'source.planned', atMs: clock.now(), vertex, plan });
  }

  #leftOpen(vertex: ExecutionVertexId, what: string): void {
    const { ledger, clock, observe, cancellationTimeoutMs: timeoutMs } = this.#options;
    observe({ type: 'closing.timedOut', atMs: clock.now(), task: ledger.graph.nameOf(vertex), what, timeoutMs });
  }

  /** W5: its results are lost before its tasks fail, so that the failovers of those tasks know. */
  #closed({ executor, actor }: Connection, why: string): void {
    if (!this.#connections.delete(executor)) return;
    const lost = new ExecutorLostError(executor, why);
    for (const id of this.#options.ledger.loseResultsOn(executor)) {
      const cause = new PartitionLostError(id, `executor ${executor} is lost, and its files with it`);
      this.#master.send({ type: 'partition.lost', id, cause });
    }
    actor.send({ type: 'executor.declareLost', why });
    this.#questions.abandon(executor, lost);
  }

  #ask(executor: ExecutorId, question: (token: number) => MasterToExecutorMessage, reply: Reply): void {
    const connection = this.#connections.get(executor);
    if (connection === undefined) {
      this.#later(() => reply.gone(new ExecutorLostError(executor, 'it is not connected')));
      return;
    }
    connection.port.post(question(this.#questions.open(executor, reply)));
  }

  /** Sends each executor a message about its share of the results. EC2 */
  #tellOf(
    ids: readonly ResultPartitionId[],
    message: (results: readonly ResultPartitionId[]) => MasterToExecutorMessage,
  ): void {
    for (const [executor, results] of this.#byExecutor(ids)) {
      this.#connections.get(executor)?.port.post(message(results));
    }
  }

  #byExecutor(ids: readonly ResultPartitionId[]): Map<ExecutorId, readonly ResultPartitionId[]> {
    const { ledger } = this.#options;
    const byExecutor = grouped(ids, ({ partition }) => ledger.results.placeOf(partition));
    // A result that was never registered has no executor.
    byExecutor.delete(undefined);
    return byExecutor as Map<ExecutorId, readonly ResultPartitionId[]>;
  }

  /** Records the executor of a result, and releases an earlier attempt's result on another executor. */
  #place({ producer, id, origin }: PartitionRegistration, executor: ExecutorId): void {
    const { ledger } = this.#options;
    const before = ledger.results.place(producer, id.attempt, executor);
    if (before === undefined || before.executor === executor || origin !== 'new') return;
    const ids = ledger.attempts.resultsOf(producer, before.attempt).map((result) => result.id);
    this.#connections.get(before.executor)?.port.post({ type: 'results.release', ids, traced: [] });
  }

  #later(callback: () => void): void {
    this.#options.clock.setImmediate(callback);
  }
}
