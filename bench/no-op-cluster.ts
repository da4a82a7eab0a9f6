import { ActorHost } from '../src/actors/actor-host.ts';
import { delayActor } from '../src/actors/delay-actor.ts';
import type { JobEvent } from '../src/actors/job-event.ts';
import { LocalLink } from '../src/actors/local-link.ts';
import type { TaskStatistics } from '../src/actors/protocol/deployment.ts';
import type { ExecutorToMasterMessage, MasterPort, MasterToExecutorMessage } from '../src/actors/protocol/messages.ts';
import { systemEnvironment } from '../src/environment.ts';
import { fixedDelay } from '../src/failover/backoffs/fixed-delay.ts';
import { restartPipelinedRegion } from '../src/failover/strategies/restart-pipelined-region.ts';
import { ExecutionGraph } from '../src/graph/execution-graph.ts';
import type { JobGraph } from '../src/graph/job-graph.ts';
import { pipelinedRegions } from '../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, ExecutorId } from '../src/ids.ts';
import { ExecutorConnections } from '../src/machines/connections/executor-connections.ts';
import { JobLedger } from '../src/machines/job-master/job-ledger.ts';
import type { JobMasterActorRef } from '../src/machines/job-master/job-master-machine.ts';
import { jobCharts } from '../src/machines/job-charts.ts';
import { createJobMaster } from '../src/machines/create-job-master.ts';
import { failoverStrategyMachine } from '../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../src/machines/strategies/restart-backoff-machine.ts';
import { toPlainError } from '../src/plain-error.ts';
import { protocolVersion } from '../src/version.ts';

const charts = jobCharts({ delay: delayActor });

const nothingMoved: TaskStatistics = { recordsIn: 0, recordsOut: 0, isCurtailed: false };

/**
 * The real charts of a job, and its connection, over an executor whose tasks do nothing: they run as soon as they are
 * deployed and end as soon as they are canceled, reported by messages. Real clock, unlimited slots, restarts without
 * delay; only counts are kept.
 */
export class NoOpCluster {
  readonly ledger: JobLedger;
  readonly master: JobMasterActorRef;
  deployedCount = 0;
  readonly #port: MasterPort;
  /** Get every event of the job. */
  readonly observers: ((event: JobEvent) => void)[] = [];
  readonly actors: ActorHost;
  #observe: ((event: JobEvent) => void) | undefined;

  constructor(jobGraph: JobGraph) {
    const graph = new ExecutionGraph(jobGraph);
    this.ledger = new JobLedger(graph, pipelinedRegions(graph));
    const environment = systemEnvironment();
    const { clock } = environment;
    const common = {
      ledger: this.ledger,
      observe: (event: JobEvent) => {
        for (const observe of this.observers) observe(event);
        this.#observe?.(event);
      },
      cancellationTimeoutMs: 60_000,
    };
    const connections = new ExecutorConnections({ ...common, clock, slotLimit: Number.POSITIVE_INFINITY });
    const actors = (this.actors = ActorHost.root('0123456789abcdef', { clock }));
    this.master = createJobMaster({
      ...common,
      environment,
      gateway: connections,
      charts,
      actors,
      failureHandling: {
        failoverStrategy: failoverStrategyMachine(restartPipelinedRegion()),
        restartBackoff: restartBackoffMachine(fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs: 0 })),
        backoffScope: 'region',
        quarantine: undefined,
        classifiers: [],
        enrichers: [],
        decisionDeadlineMs: 1_000,
      },
      slotRequestTimeoutMs: 60_000,
    });
    connections.serve(this.master, actors);
    const [masterEnd, port] = new LocalLink(clock).link<MasterToExecutorMessage, ExecutorToMasterMessage>();
    this.#port = port;
    port.onMessage((message) => this.#receive(message));
    connections.accept('executor-0' as ExecutorId, masterEnd);
  }

  /** Resolves when every task runs. */
  async start(): Promise<void> {
    const { vertexCount } = this.ledger.graph;
    let running = 0;
    const allRun = this.#until(
      (event) => event.type === 'task.stateChanged' && event.state === 'running' && ++running === vertexCount,
    );
    this.master.start();
    this.#port.post({
      type: 'executor.connected',
      protocol: protocolVersion,
      incarnation: 0,
      slots: Number.POSITIVE_INFINITY,
    });
    // Until its slots are known.
    await new Promise((resolve) => setImmediate(resolve));
    this.master.send({ type: 'job.start' });
    await allRun;
  }

  /** Fails a task; resolves when its failover is complete and every region of it runs again. */
  async failAndRecover(vertex: ExecutionVertexId): Promise<void> {
    const recovered = this.#until(({ type }) => type === 'failover.completed');
    const attempt = this.ledger.attemptOf(vertex);
    const cause = toPlainError(new Error('broke'));
    this.#port.post({ type: 'task.failed', vertex, attempt, cause, place: undefined, statistics: nothingMoved });
    await recovered;
  }

  /** Cancels the job and resolves when it has ended. */
  async end(): Promise<void> {
    const ended = this.#until((event) => event.type === 'job.statusChanged' && event.status === 'canceled');
    this.master.send({ type: 'job.cancel' });
    await ended;
  }

  #receive(message: MasterToExecutorMessage): void {
    const port = this.#port;
    switch (message.type) {
      case 'task.deploy': {
        const { vertex, attempt } = message.deployment;
        this.deployedCount++;
        port.post({ type: 'task.initializing', vertex, attempt });
        port.post({ type: 'task.running', vertex, attempt });
        return;
      }
      case 'task.cancel':
        port.post({ ...message, type: 'task.canceled', statistics: nothingMoved });
        return;
      case 'results.register':
        port.post({ type: 'results.registered', token: message.token, failed: undefined });
        return;
      case 'results.verify':
        port.post({ type: 'results.verified', token: message.token, lost: [], found: [] });
        return;
      case 'executor.quarantine':
        throw new Error(`The executor was quarantined: ${message.why}`);
      default:
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
