import type { AnyActorLogic, InspectionEvent } from 'xstate';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { delayActor } from '../../src/actors/delay-actor.ts';
import type { ExecutorGateway, PlacedRegistration } from '../../src/actors/executor-gateway.ts';
import type { JobEvent } from '../../src/actors/job-event.ts';
import type { TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import type { KeepingToMasterEvent } from '../../src/actors/chart-events.ts';
import { type Clock, type Environment, noFaults, silentLogger } from '../../src/environment.ts';
import type { FailureClassifier } from '../../src/failover/failure-classifier.ts';
import type { FailureEnricher } from '../../src/failover/failover-strategy.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import type { DistributionPattern } from '../../src/graph/distribution-pattern.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, RegionId, ResultPartitionId } from '../../src/ids.ts';
import type { ExecutionState, JobStatus, RegionState } from '../../src/actors/protocol/states.ts';
import type { KeepResults } from '../../src/graph/keep-results.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import type { JobMasterActorRef } from '../../src/machines/job-master/job-master-machine.ts';
import { createJobMaster } from '../../src/machines/job-master/create-job-master.ts';
import { executionGroups } from '../../src/machines/execution/execution-machine.ts';
import { shownState } from '../../src/machines/state-tap.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';

/** A clock that moves when it is told to. */
export class HandClock implements Clock {
  #now = 0;
  #timers: { readonly dueMs: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  epochMs(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const timer = { dueMs: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(handle: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer !== handle);
  }

  setImmediate(callback: () => void): unknown {
    return this.setTimeout(callback, 0);
  }

  get pendingCount(): number {
    return this.#timers.length;
  }

  /** Runs what is due within the next `ms`, in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.dueMs <= until).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      this.clearTimeout(due);
      this.#now = Math.max(this.#now, due.dueMs);
      due.callback();
    }
    this.#now = until;
  }
}

export interface ManualClusterOptions {
  readonly vertices: readonly {
    readonly id: string;
    readonly parallelism: number;
    readonly deterministic?: boolean;
  }[];
  readonly edges?: readonly {
    readonly from: string;
    readonly to: string;
    readonly exchange?: ExchangeType;
    readonly pattern?: DistributionPattern;
  }[];
  readonly failoverStrategy?: AnyActorLogic;
  readonly restartBackoff?: AnyActorLogic;
  readonly backoffScope?: 'region' | 'job';
  readonly classifiers?: readonly FailureClassifier[];
  readonly enrichers?: readonly FailureEnricher[];
  /** Slots of the one executor that is there from the start; 0 for none. */
  readonly slots?: number;
  readonly registration?: 'automatic' | 'manual';
  readonly inspect?: (event: InspectionEvent) => void;
  readonly keepResults?: KeepResults;
}

/** The real job master and its regions over an executor that does only what the test says. */
export class ManualCluster implements ExecutorGateway {
  readonly clock = new HandClock();
  readonly ledger: JobLedger;
  readonly master: JobMasterActorRef;
  readonly events: JobEvent[] = [];
  /** Tasks in the order of their deployment, as `map[2]`. */
  readonly deployed: string[] = [];
  readonly deployments: TaskDeployment[] = [];
  /** Cancel calls, as `map[2]`. */
  readonly canceled: string[] = [];
  readonly released: ResultPartitionId[] = [];
  readonly lost: ResultPartitionId[] = [];
  slotLimit = Number.POSITIVE_INFINITY;
  readonly declaredLost: { readonly executor: ExecutorId; readonly why: string }[] = [];
  readonly registrations: {
    readonly partitions: readonly PlacedRegistration[];
    readonly done: Parameters<ExecutorGateway['registerPartitions']>[1];
  }[] = [];
  readonly #registration: 'automatic' | 'manual';
  readonly #vertexByName = new Map<string, ExecutionVertexId>();

  constructor(options: ManualClusterOptions) {
    const jobGraph = createJobGraph(
      'test',
      options.vertices,
      (options.edges ?? []).map((edge) => ({
        source: edge.from,
        target: edge.to,
        exchange: edge.exchange ?? exchangeTypes.pipelined,
        pattern: edge.pattern ?? 'pointwise',
      })),
    );
    const graph = new ExecutionGraph(jobGraph);
    const { keepResults } = options;
    this.ledger = new JobLedger(graph, pipelinedRegions(graph), undefined, keepResults && (() => keepResults));
    for (let vertex = 0 as ExecutionVertexId; vertex < graph.vertexCount; vertex++) {
      this.#vertexByName.set(graph.nameOf(vertex), vertex);
    }
    this.#registration = options.registration ?? 'automatic';
    const environment: Environment = {
      clock: this.clock,
      random: { next: () => 0.5 },
      logger: silentLogger,
      faults: noFaults,
      freezeRecords: true,
    };
    this.master = createJobMaster({
      ledger: this.ledger,
      environment,
      gateway: this,
      delay: delayActor,
      observe: (event) => this.events.push(event),
      actors: ActorHost.root('test', { clock: this.clock, inspect: options.inspect }),
      failureHandling: {
        failoverStrategy: options.failoverStrategy ?? failoverStrategyMachine(restartPipelinedRegion()),
        restartBackoff:
          options.restartBackoff ??
          restartBackoffMachine(fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs: 100 })),
        backoffScope: options.backoffScope ?? 'region',
        classifiers: options.classifiers ?? [],
        enrichers: options.enrichers ?? [],
        decisionDeadlineMs: 1_000,
      },
      slotRequestTimeoutMs: 10_000,
      cancellationTimeoutMs: 30_000,
    });
    this.master.start();
    const slots = options.slots ?? Number.POSITIVE_INFINITY;
    if (slots > 0) this.addExecutor('executor-0', slots);
  }

  addExecutor(name: string, slots: number): void {
    this.master.send({ type: 'executor.registered', executor: name as ExecutorId, slots });
  }

  start(): this {
    this.master.send({ type: 'job.start' });
    return this;
  }

  get status(): JobStatus {
    return shownState(this.master.getSnapshot().value) as JobStatus;
  }

  get isRestarting(): boolean {
    return this.master.getSnapshot().hasTag('restarting');
  }

  vertex(task: string): ExecutionVertexId {
    const vertex = this.#vertexByName.get(task);
    if (vertex === undefined) throw new Error(`No task ${task}`);
    return vertex;
  }

  get tasks(): string[] {
    return [...this.#vertexByName.keys()];
  }

  stateOf(task: string): ExecutionState {
    return shownState(
      this.ledger.executions[this.vertex(task)]?.getSnapshot().value ?? 'none',
      executionGroups,
    ) as ExecutionState;
  }

  attemptOf(task: string): number {
    return this.ledger.attemptOf(this.vertex(task));
  }

  regionOf(task: string): RegionId {
    return this.ledger.regions.regionOf(this.vertex(task));
  }

  regionStateOf(task: string): RegionState {
    const region = this.regionOf(task);
    return this.events
      .filter((event) => event.type === 'region.stateChanged')
      .filter((event) => event.region === region)
      .at(-1)?.state as RegionState;
  }

  /** Reports of the present (or the given) attempt, bringing it through the states before where needed. */
  report(
    task: string,
    state: 'initializing' | 'running' | 'finished' | 'canceled',
    attempt = this.attemptOf(task),
  ): void {
    const vertex = this.vertex(task);
    const base = { vertex, attempt: attempt as AttemptNumber };
    if (state === 'finished') {
      this.#send(vertex, {
        type: 'task.finished',
        ...base,
        statistics: { recordsIn: 0, recordsOut: 0, isCurtailed: false },
      });
    } else this.#send(vertex, { type: `task.${state}`, ...base });
  }

  fail(task: string, cause: Error = new Error(`${task} broke`), attempt = this.attemptOf(task)): void {
    const vertex = this.vertex(task);
    this.#send(vertex, { type: 'task.failed', vertex, attempt: attempt as AttemptNumber, cause });
  }

  /** Brings every deployed task to running. */
  runAll(tasks: readonly string[] = this.tasks): void {
    for (const task of tasks) {
      if (this.stateOf(task) === 'deploying') this.report(task, 'initializing');
      if (this.stateOf(task) === 'initializing') this.report(task, 'running');
    }
  }

  deploy(_executor: ExecutorId, deployment: TaskDeployment): void {
    this.deployed.push(this.ledger.graph.nameOf(deployment.vertex));
    this.deployments.push(deployment);
  }

  cancel(_executor: ExecutorId, vertex: ExecutionVertexId): void {
    this.canceled.push(this.ledger.graph.nameOf(vertex));
  }

  registerPartitions(...[partitions, done]: Parameters<ExecutorGateway['registerPartitions']>): void {
    if (this.#registration === 'automatic') done();
    else this.registrations.push({ partitions, done });
  }

  /** Results that are found missing when somebody looks, by what their producers are called. */
  readonly missingResultsOf = new Set<string>();
  readonly verified: string[] = [];

  verifyResults(...[ids, done]: Parameters<ExecutorGateway['verifyResults']>): void {
    const { graph } = this.ledger;
    const producerOf = ({ partition }: ResultPartitionId): string => graph.nameOf(graph.producerOf(partition));
    this.verified.push(...ids.map(producerOf));
    const isMissing = (id: ResultPartitionId): boolean => id.attempt === 0 && this.missingResultsOf.has(producerOf(id));
    done({
      lost: ids.filter(isMissing).map((id) => ({ id, cause: new Error('the file is gone') })),
      found: ids.filter((id) => !isMissing(id)).map((id) => ({ id, records: 10, bytes: 100 })),
    });
  }

  losePartition(id: ResultPartitionId): void {
    this.lost.push(id);
  }

  releasePartitions(ids: readonly ResultPartitionId[]): void {
    this.released.push(...ids);
  }

  /** Ends the keeping of results, once it was asked for. */
  endKeeping: ((outcome: KeepingToMasterEvent) => void) | undefined;

  keepResults(...[done]: Parameters<ExecutorGateway['keepResults']>): void {
    this.endKeeping = done;
  }

  allowReclaim(): void {}

  forbidReclaim(): void {}

  declareLost(executor: ExecutorId, why: string): void {
    this.declaredLost.push({ executor, why });
  }

  #send(vertex: ExecutionVertexId, report: Parameters<NonNullable<JobLedger['executions'][number]>['send']>[0]): void {
    this.ledger.executions[vertex]?.send(report);
  }
}
