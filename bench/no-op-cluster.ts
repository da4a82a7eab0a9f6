import { ActorHost } from '../src/actors/actor-host.ts';
import { delayActor } from '../src/actors/delay-actor.ts';
import type { ExecutorGateway } from '../src/actors/executor-gateway.ts';
import type { JobEvent } from '../src/actors/job-event.ts';
import { systemEnvironment } from '../src/environment.ts';
import { fixedDelay } from '../src/failover/backoffs/fixed-delay.ts';
import { restartPipelinedRegion } from '../src/failover/strategies/restart-pipelined-region.ts';
import { ExecutionGraph } from '../src/graph/execution-graph.ts';
import type { JobGraph } from '../src/graph/job-graph.ts';
import { pipelinedRegions } from '../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId } from '../src/ids.ts';
import { JobLedger } from '../src/machines/job-master/job-ledger.ts';
import type { JobMasterActorRef } from '../src/machines/job-master/job-master-machine.ts';
import { createJobMaster } from '../src/machines/job-master/create-job-master.ts';
import { failoverStrategyMachine } from '../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../src/machines/strategies/restart-backoff-machine.ts';

/** The command to a task, whose effect it reports on the next turn of the event loop. */
interface Order {
  readonly kind: 'run' | 'cancel';
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
}

/**
 * The real charts of a job over tasks that do nothing: they run one turn of the event loop after their deployment,
 * and end one turn after their cancellation. Real clock, unlimited slots, restarts without delay; only counts are
 * kept.
 */
export class NoOpCluster implements ExecutorGateway {
  readonly ledger: JobLedger;
  readonly master: JobMasterActorRef;
  readonly slotLimit = Number.POSITIVE_INFINITY;
  deployedCount = 0;
  #orders: Order[] = [];
  #isTurnPlanned = false;
  #observe: ((event: JobEvent) => void) | undefined;

  constructor(jobGraph: JobGraph) {
    const graph = new ExecutionGraph(jobGraph);
    this.ledger = new JobLedger(graph, pipelinedRegions(graph));
    const environment = systemEnvironment();
    this.master = createJobMaster({
      ledger: this.ledger,
      environment,
      gateway: this,
      delay: delayActor,
      observe: (event) => this.#observe?.(event),
      actors: ActorHost.root('0123456789abcdef', { clock: environment.clock }),
      failureHandling: {
        failoverStrategy: failoverStrategyMachine(restartPipelinedRegion()),
        restartBackoff: restartBackoffMachine(fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs: 0 })),
        backoffScope: 'region',
        classifiers: [],
        enrichers: [],
        decisionDeadlineMs: 1_000,
      },
      slotRequestTimeoutMs: 60_000,
      cancellationTimeoutMs: 60_000,
    });
  }

  /** Resolves when every task runs. */
  async start(): Promise<void> {
    const { vertexCount } = this.ledger.graph;
    let running = 0;
    const allRun = this.#until(
      (event) => event.type === 'task.stateChanged' && event.state === 'running' && ++running === vertexCount,
    );
    this.master.start();
    this.master.send({
      type: 'executor.registered',
      executor: 'executor-0' as ExecutorId,
      slots: Number.POSITIVE_INFINITY,
    });
    this.master.send({ type: 'job.start' });
    await allRun;
  }

  /** Fails a task; resolves when its failover is complete and every region of it runs again. */
  async failAndRecover(vertex: ExecutionVertexId): Promise<void> {
    const recovered = this.#until(({ type }) => type === 'failover.completed');
    const attempt = this.ledger.attemptOf(vertex);
    this.ledger.executions[vertex]?.send({ type: 'task.failed', vertex, attempt, cause: new Error('broke') });
    await recovered;
  }

  /** Cancels the job and resolves when it has ended. */
  async end(): Promise<void> {
    const ended = this.#until((event) => event.type === 'job.statusChanged' && event.status === 'canceled');
    this.master.send({ type: 'job.cancel' });
    await ended;
  }

  deploy(_executor: ExecutorId, { vertex, attempt }: { vertex: ExecutionVertexId; attempt: AttemptNumber }): void {
    this.deployedCount++;
    this.#order({ kind: 'run', vertex, attempt });
  }

  cancel(_executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void {
    this.#order({ kind: 'cancel', vertex, attempt });
  }

  registerPartitions(...[, done]: Parameters<ExecutorGateway['registerPartitions']>): void {
    done();
  }

  verifyResults(...[, done]: Parameters<ExecutorGateway['verifyResults']>): void {
    done({ lost: [], found: [] });
  }

  losePartition(): void {}

  releasePartitions(): void {}

  keepResults(...[done]: Parameters<ExecutorGateway['keepResults']>): void {
    done({ type: 'results.kept', kept: [] });
  }

  allowReclaim(): void {}

  forbidReclaim(): void {}

  declareLost(executor: ExecutorId, why: string): void {
    throw new Error(`${executor} was declared lost: ${why}`);
  }

  #order(order: Order): void {
    this.#orders.push(order);
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    const orders = this.#orders;
    this.#orders = [];
    this.#isTurnPlanned = false;
    for (const { kind, vertex, attempt } of orders) {
      const execution = this.ledger.executions[vertex];
      if (kind === 'cancel') execution?.send({ type: 'task.canceled', vertex, attempt });
      else {
        execution?.send({ type: 'task.initializing', vertex, attempt });
        execution?.send({ type: 'task.running', vertex, attempt });
      }
    }
  }

  #until(isLast: (event: JobEvent) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#observe = (event) => {
        if (!isLast(event)) return;
        this.#observe = undefined;
        resolve();
      };
    });
  }
}
