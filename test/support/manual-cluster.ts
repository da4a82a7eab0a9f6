import type { BackoffScope } from '../../src/failover/backoffs/backoff-scope.ts';
import type { Quarantine } from '../../src/failover/quarantine.ts';
import type { AnyActorLogic, InspectionEvent } from 'xstate';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { delayActor } from '../../src/actors/delay-actor.ts';
import type { JobEvent } from '../../src/actors/job-event.ts';
import { LocalLink } from '../../src/actors/local-link.ts';
import type { TaskDeployment, TaskStatistics } from '../../src/actors/protocol/deployment.ts';
import type { HeartbeatSettings } from '../../src/actors/protocol/heartbeat.ts';
import type {
  ExecutorPort,
  ExecutorToMasterMessage,
  MasterToExecutorMessage,
} from '../../src/actors/protocol/messages.ts';
import type { ExecutionState, JobStatus, RegionState } from '../../src/actors/protocol/states.ts';
import { type Clock, noFaults, silentLogger } from '../../src/environment.ts';
import type { FailureClassifier } from '../../src/failover/failure-classifier.ts';
import type { FailureEnricher } from '../../src/failover/failover-strategy.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import type { DistributionPattern } from '../../src/graph/distribution-pattern.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type { KeepResults } from '../../src/graph/keep-results.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, RegionId, ResultPartitionId } from '../../src/ids.ts';
import { checkpointsOf } from '../../src/machines/chart-services.ts';
import type { JobCheckpointing } from '../../src/machines/checkpoint-coordinator/job-checkpointing.ts';
import { jobCharts } from '../../src/machines/job-charts.ts';
import { createJobMaster } from '../../src/machines/create-job-master.ts';
import { ExecutorConnections } from '../../src/machines/connections/executor-connections.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import type { Speculation } from '../../src/machines/job-master/slow-task-watch.ts';
import type { JobMasterActorRef } from '../../src/machines/job-master/job-master-machine.ts';
import type { JobMasterEvent } from '../../src/machines/job-master/job-master-setup.ts';
import type { FailureHandling, JobCharts } from '../../src/machines/job-services.ts';
import { executionGroups } from '../../src/machines/execution/execution-machine.ts';
import { shownState } from '../../src/machines/state-tap.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { HandExecutors } from './hand-executors.ts';
import { InstantStorage } from './instant-storage.ts';

/** A clock that moves on command. */
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

  /** In how many ms its timers run, the next first. */
  get due(): number[] {
    return this.#timers.map(({ dueMs }) => dueMs - this.#now).sort((a, b) => a - b);
  }

  get pendingCount(): number {
    return this.#timers.length;
  }

  /** The process stands still for `ms`: what became due meanwhile runs late, at the end of it. */
  stall(ms: number): void {
    this.#now += ms;
    this.advance(0);
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
    readonly slotSharingGroup?: string;
    readonly coLocationGroup?: string;
  }[];
  readonly edges?: readonly {
    readonly from: string;
    readonly to: string;
    readonly exchange?: ExchangeType;
    readonly pattern?: DistributionPattern;
  }[];
  readonly failoverStrategy?: AnyActorLogic;
  readonly restartBackoff?: AnyActorLogic;
  readonly backoffScope?: BackoffScope;
  readonly quarantine?: Quarantine;
  readonly classifiers?: readonly FailureClassifier[];
  readonly enrichers?: readonly FailureEnricher[];
  /** Slots of the initial executor; 0 for no executor. */
  readonly slots?: number;
  /** Posts a message of the master to an executor, or throws because their connection is broken. */
  readonly posting?: (message: MasterToExecutorMessage, post: () => void) => void;
  readonly inspect?: (event: InspectionEvent) => void;
  readonly keepResults?: KeepResults;
  /** Whether executors find each other's results. Default true. */
  readonly shareResults?: boolean;
  /** When slow tasks get a second attempt. Default: never. */
  readonly speculation?: Speculation;
  /** How the job is checkpointed: what is not said, at once and without limits. Default: not at all. */
  readonly checkpointing?: Partial<JobCheckpointing>;
  /** How the executors are watched. Default: they are not. */
  readonly heartbeat?: HeartbeatSettings;
  /** Default: those of the engine. */
  readonly charts?: JobCharts;
}

const ownCharts = jobCharts({ delay: delayActor });

const nothingMoved: TaskStatistics = { recordsIn: 0, recordsOut: 0, isCurtailed: false };

/**
 * The real job master, its regions and its connections, over executors that do only what the test says. They speak
 * through ports, as real ones do: what either end says arrives on a later turn of the clock. Each method lets that turn
 * come before it returns.
 */
export class ManualCluster {
  readonly clock = new HandClock();
  readonly ledger: JobLedger;
  readonly master: JobMasterActorRef;
  readonly connections: ExecutorConnections;
  readonly events: JobEvent[] = [];
  /** The other ends of the connections. */
  readonly executors: HandExecutors;
  slotLimit = Number.POSITIVE_INFINITY;
  #isTogether = false;
  readonly #link = new LocalLink(this.clock);
  readonly #options: ManualClusterOptions;
  readonly #masterEnds = new Map<string, ExecutorPort>();
  readonly #vertexByName = new Map<string, ExecutionVertexId>();

  constructor(options: ManualClusterOptions) {
    this.#options = options;
    const graph = executionGraph(options);
    const { keepResults, shareResults = true, charts = ownCharts } = options;
    const keep = keepResults && (() => keepResults);
    this.ledger = new JobLedger(graph, pipelinedRegions(graph), undefined, keep);
    for (let vertex = 0 as ExecutionVertexId; vertex < graph.vertexCount; vertex++) {
      this.#vertexByName.set(graph.nameOf(vertex), vertex);
    }
    this.executors = new HandExecutors(graph, () => this.#settle());
    const { ledger, clock } = this;
    const slotLimit = (): number => this.slotLimit;
    const observe = (event: JobEvent): void => void this.events.push(event);
    const cancellationTimeoutMs = 30_000;
    this.connections = new ExecutorConnections({
      ...{ ledger, clock, observe, cancellationTimeoutMs, shareResults },
      checkpointReported: (report) => checkpointsOf(this.master)?.report(report),
      heartbeat: options.heartbeat && { machine: charts.heartbeat, settings: options.heartbeat },
      get slotLimit() {
        return slotLimit();
      },
    });
    const actors = ActorHost.root('test', { clock, inspect: options.inspect });
    this.master = createJobMaster({
      ...{ ledger, observe, cancellationTimeoutMs },
      environment: { clock, random: { next: () => 0.5 }, logger: silentLogger, faults: noFaults, freezeRecords: true },
      gateway: this.connections,
      charts,
      actors,
      failureHandling: failureHandlingOf(options),
      speculation: options.speculation,
      checkpointing: options.checkpointing && { ...usualCheckpointing(), ...options.checkpointing },
      slotRequestTimeoutMs: 10_000,
    });
    this.connections.serve(this.master, actors);
    this.master.start();
    const slots = options.slots ?? Number.POSITIVE_INFINITY;
    if (slots > 0) this.addExecutor('executor-0', slots);
  }

  addExecutor(name: string, slots: number): void {
    const executor = name as ExecutorId;
    const [masterEnd, port] = this.#link.link<MasterToExecutorMessage, ExecutorToMasterMessage>();
    this.#masterEnds.set(name, masterEnd);
    this.connections.accept(executor, this.#watched(masterEnd));
    this.executors.add(executor, port, slots);
    this.#settle();
  }

  /** The executor runs nothing any more, and still holds its results. */
  quarantine(executor: string, why = 'the test says so'): void {
    this.connections.declareLost(executor as ExecutorId, why);
    this.#settle();
  }

  /** The executor is gone, and its results with it. */
  switchOff(executor: string, why = 'the test says so'): void {
    this.#masterEnds.get(executor)?.close(why);
    this.#settle();
  }

  start(): this {
    this.tell({ type: 'job.start' });
    return this;
  }

  /** Tells the master something, and waits for what follows. */
  tell(event: JobMasterEvent): void {
    this.master.send(event);
    this.#settle();
  }

  /** See {@link HandExecutors}. */
  get deployed(): string[] {
    return this.executors.deployed;
  }

  get deployments(): TaskDeployment[] {
    return this.executors.deployments;
  }

  get canceled(): string[] {
    return this.executors.canceled;
  }

  get released(): ResultPartitionId[] {
    return this.executors.released;
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

  /** Reports of the current (or the given) attempt, which first pass through earlier states if needed. */
  report(
    task: string,
    state: 'initializing' | 'running' | 'finished' | 'canceled',
    attempt = this.attemptOf(task),
  ): void {
    const vertex = this.vertex(task);
    const base = { vertex, attempt: attempt as AttemptNumber };
    const ends = state === 'finished' || state === 'canceled';
    this.#say(ends ? { type: `task.${state}`, ...base, statistics: nothingMoved } : { type: `task.${state}`, ...base });
  }

  fail(task: string, cause: Error = new Error(`${task} broke`), attempt = this.attemptOf(task)): void {
    const vertex = this.vertex(task);
    const base = { vertex, attempt: attempt as AttemptNumber };
    const failure = { cause: toPlainError(cause), statistics: nothingMoved, place: undefined };
    this.#say({ type: 'task.failed', ...base, ...failure });
  }

  /** The executors say something else. */
  say(message: ExecutorToMasterMessage, executor = 0): void {
    this.executors.say(message, executor);
    this.#settle();
  }

  /** What is said in `say` arrives together: what the master does on a later turn because of it comes after all of it. */
  together(say: () => void): void {
    this.#isTogether = true;
    say();
    this.#isTogether = false;
    this.#settle();
  }

  /** Results found missing by verification, by the names of their producers. */
  runAll(tasks: readonly string[] = this.tasks): void {
    for (const task of tasks) {
      if (this.stateOf(task) === 'deploying') this.report(task, 'initializing');
      if (this.stateOf(task) === 'initializing') this.report(task, 'running');
    }
  }

  /** The master's end of a connection, which the test may break. */
  #watched(port: ExecutorPort): ExecutorPort {
    const { posting = (_, post) => post() } = this.#options;
    return {
      post: (message) => posting(message, () => port.post(message)),
      onMessage: (listener) => port.onMessage(listener),
      onClose: (listener) => port.onClose(listener),
      onSent: (listener) => port.onSent(listener),
      close: (why) => port.close(why),
    };
  }

  #say(report: Parameters<HandExecutors['report']>[0]): void {
    this.executors.report(report);
    this.#settle();
  }

  /** Delivers every message that is on its way, and those that answer it. */
  #settle(): void {
    if (!this.#isTogether) this.clock.advance(0);
  }
}

function usualCheckpointing(): JobCheckpointing {
  return {
    ...{ intervalMs: 100, timeoutMs: 10_000, minPauseMs: 0, maxConcurrent: 1, tolerableFailures: 0, maxQueued: 10 },
    ...{
      alignment: 'exactly-once',
      retained: 1,
      storage: new InstantStorage(),
      scopeOf: (head) => head,
    },
  };
}

function executionGraph({ vertices, edges = [] }: ManualClusterOptions): ExecutionGraph {
  const jobGraph = createJobGraph(
    'test',
    vertices,
    edges.map((edge) => ({
      source: edge.from,
      target: edge.to,
      exchange: edge.exchange ?? exchangeTypes.pipelined,
      pattern: edge.pattern ?? 'pointwise',
    })),
  );
  return new ExecutionGraph(jobGraph);
}

function failureHandlingOf(options: ManualClusterOptions): FailureHandling {
  const unlimited = fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs: 100 });
  return {
    failoverStrategy: options.failoverStrategy ?? failoverStrategyMachine(restartPipelinedRegion()),
    restartBackoff: options.restartBackoff ?? restartBackoffMachine(unlimited),
    backoffScope: options.backoffScope ?? 'region',
    quarantine: options.quarantine,
    classifiers: options.classifiers ?? [],
    enrichers: options.enrichers ?? [],
    decisionDeadlineMs: 1_000,
  };
}
