import type { TaskStatistics } from '../../../src/actors/protocol/deployment.ts';
import { OrderedPort } from '../../../src/actors/ordered-port.ts';
import type { ExecutorToMasterMessage, MasterToExecutorMessage } from '../../../src/actors/protocol/messages.ts';
import type { Envelope } from '../../../src/actors/protocol/port.ts';
import { isTerminalExecutionState, isTerminalJobStatus } from '../../../src/actors/protocol/states.ts';
import { fixedDelay } from '../../../src/failover/backoffs/fixed-delay.ts';
import { restartPipelinedRegion } from '../../../src/failover/strategies/restart-pipelined-region.ts';
import { exchangeTypes } from '../../../src/graph/exchange-type.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId } from '../../../src/ids.ts';
import type { JobCharts } from '../../../src/machines/job-services.ts';
import { failoverStrategyMachine } from '../../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../../src/machines/strategies/restart-backoff-machine.ts';
import { toPlainError } from '../../../src/plain-error.ts';
import { protocolVersion } from '../../../src/version.ts';
import { ManualCluster } from '../../support/manual-cluster.ts';

const statistics: TaskStatistics = { recordsIn: 0, recordsOut: 0, isCurtailed: false };

// Made once: XState takes its time.
const failoverStrategy = failoverStrategyMachine(restartPipelinedRegion());
const restartBackoff = restartBackoffMachine(fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs: 100 }));

type TaskReport = Extract<ExecutorToMasterMessage, { readonly type: `task.${string}`; readonly attempt: number }>;

function isTaskReport(message: ExecutorToMasterMessage | undefined): message is TaskReport {
  return message !== undefined && message.type.startsWith('task.') && 'attempt' in message;
}

/** A report, as far as it matters to whom it concerns. */
const nameOf = ({ type, vertex, attempt }: TaskReport): string => `${type} ${vertex}#${attempt}`;

type Sent<Message> = Envelope<Message>[];

/**
 * A small executor at the other end of a network, on which its messages and those of the master wait. The ports at both
 * ends are real.
 */
export class Wire {
  readonly name: ExecutorId;
  readonly toExecutor: Sent<MasterToExecutorMessage> = [];
  readonly toMaster: Sent<ExecutorToMasterMessage> = [];
  readonly masterEnd: OrderedPort<MasterToExecutorMessage, ExecutorToMasterMessage>;
  readonly #end: OrderedPort<ExecutorToMasterMessage, MasterToExecutorMessage>;
  readonly tasks = new Map<ExecutionVertexId, AttemptNumber>();
  /** Messages that were posted at each end. */
  saidToExecutor = 0;
  saidToMaster = 0;
  /** Reports about tasks that were made, and those that arrived, by name. */
  readonly made = new Map<string, TaskReport>();
  readonly arrived = new Set<string>();
  /** The direction in which nothing arrives any more. */
  silence: 'to master' | 'to executor' | undefined;
  /** The master does not count on it any more, although it can be heard. */
  isGivenUp = false;
  isClosed = false;

  constructor(name: ExecutorId, later: (callback: () => void) => void) {
    this.name = name;
    this.masterEnd = new OrderedPort({
      carry: (envelope) => {
        this.saidToExecutor++;
        // Nothing else is on its way when time passes.
        if (envelope.message.type === 'heartbeat.request') later(() => this.#carried(envelope));
        else if (this.silence !== 'to executor') this.toExecutor.push(envelope);
      },
    });
    this.#end = new OrderedPort({
      carry: (envelope) => {
        this.saidToMaster++;
        if (this.silence === 'to master') return;
        if (envelope.message.type === 'heartbeat.report') later(() => this.masterEnd.receive(envelope));
        else this.toMaster.push(envelope);
      },
    });
    this.#end.onMessage((message) => this.#hear(message));
    const noteArrival = this.masterEnd.onMessage.bind(this.masterEnd);
    this.masterEnd.onMessage = (listener) =>
      noteArrival((message) => {
        if (isTaskReport(message)) this.arrived.add(nameOf(message));
        listener(message);
      });
    this.masterEnd.onClose = this.#closing(this.masterEnd.onClose.bind(this.masterEnd));
  }

  deliverToMaster(): void {
    const envelope = this.toMaster.shift();
    if (envelope !== undefined) this.masterEnd.receive(envelope);
  }

  deliverToExecutor(): void {
    const envelope = this.toExecutor.shift();
    if (envelope !== undefined) this.#end.receive(envelope);
  }

  post(message: ExecutorToMasterMessage): void {
    if (isTaskReport(message)) this.made.set(nameOf(message), message);
    this.#end.post(message);
  }

  /** Both ends are gone, with what was on its way. */
  close(why: string): void {
    this.masterEnd.close(why);
  }

  end(vertex: ExecutionVertexId, how: 'finished' | 'failed' | 'canceled'): void {
    const task = { vertex, attempt: this.tasks.get(vertex) as AttemptNumber, statistics };
    this.tasks.delete(vertex);
    if (how !== 'failed') this.post({ type: `task.${how}`, ...task });
    else {
      const cause = toPlainError(new Error('it broke'));
      this.post({ type: 'task.failed', ...task, cause, place: undefined });
    }
  }

  #carried(envelope: Envelope<MasterToExecutorMessage>): void {
    if (this.silence !== 'to executor') this.#end.receive(envelope);
  }

  #closing(onClose: (listener: (why: string) => void) => void) {
    return (listener: (why: string) => void): void =>
      onClose((why) => {
        this.isClosed = true;
        for (const queue of [this.toExecutor, this.toMaster]) queue.length = 0;
        this.tasks.clear();
        listener(why);
      });
  }

  #hear(message: MasterToExecutorMessage): void {
    switch (message.type) {
      case 'results.register':
        return this.post({ type: 'results.registered', token: message.token, failed: undefined });
      case 'results.verify': {
        const found = message.ids.map((id) => ({ id, records: 1, bytes: 1 }));
        return this.post({ type: 'results.verified', token: message.token, lost: [], found });
      }
      case 'task.deploy': {
        const { vertex, attempt } = message.deployment;
        this.tasks.set(vertex, attempt);
        this.post({ type: 'task.initializing', vertex, attempt });
        return this.post({ type: 'task.running', vertex, attempt });
      }
      case 'task.cancel':
        if (this.tasks.get(message.vertex) === message.attempt) this.end(message.vertex, 'canceled');
        return;
      case 'executor.quarantine':
        for (const vertex of this.tasks.keys()) this.end(vertex, 'canceled');
        return;
      case 'heartbeat.request': {
        const counts = { recordsIn: 0, recordsOut: 0, waitedMs: 0 };
        const tasks = [...this.tasks].map(([vertex, attempt]) => ({
          ...{ vertex, attempt, state: 'running' as const },
          ...counts,
        }));
        return this.post({ type: 'heartbeat.report', answers: message.number, tasks, memoryBytes: 0, diskBytes: 0 });
      }
      default:
    }
  }
}

/** What may happen once, at any time. */
export type Strike =
  | 'a task fails'
  | 'a task is canceled unasked'
  | 'the job is canceled'
  /** It is gone, with all that is on its way. */
  | 'an executor is lost'
  /** It may still be heard. */
  | 'an executor is given up'
  | 'an executor starts anew'
  /** Nothing that is said to it, or by it, arrives any more. */
  | 'an executor falls silent'
  | 'messages change places'
  | 'a message arrives twice'
  | 'a report is made again'
  | 'a report of an earlier attempt is made again';

//  (a) ═reliable═▶ (b)     two regions, each on an executor of its own
export class World {
  readonly cluster: ManualCluster;
  readonly wires: Wire[] = [];
  readonly left: Strike[];

  constructor(strikes: readonly Strike[], charts?: JobCharts) {
    this.left = [...strikes];
    this.cluster = new ManualCluster({
      vertices: [
        { id: 'a', parallelism: 1 },
        { id: 'b', parallelism: 1 },
      ],
      edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.reliable }],
      slots: 0,
      failoverStrategy,
      restartBackoff,
      ...(charts && { charts }),
      ...(strikes.includes('an executor falls silent') && {
        heartbeat: { intervalMs: 50, timeoutMs: 1_000, failedSends: Number.POSITIVE_INFINITY },
      }),
    });
    for (let count = 0; count < 2; count++) this.#connect();
    this.cluster.start();
  }

  /** Everything that may happen next, by name. */
  next(): Map<string, () => void> {
    const next = new Map<string, () => void>();
    for (const [index, wire] of this.wires.entries()) {
      if (wire.toExecutor.length > 0) next.set(`${index} hears`, () => wire.deliverToExecutor());
      if (wire.toMaster.length > 0) next.set(`${index} is heard`, () => wire.deliverToMaster());
      for (const vertex of wire.tasks.keys())
        next.set(`${vertex} ends on ${index}`, () => wire.end(vertex, 'finished'));
    }
    for (const strike of this.left) for (const [name, act] of this.#strikes(strike)) next.set(name, act);
    return next;
  }

  act(name: string): void {
    // Time passes when nothing is on its way.
    if (name === 'time passes') this.cluster.clock.advance(200);
    else this.next().get(name)?.();
    this.cluster.clock.advance(0);
  }

  /** Everything on which the future depends. */
  get key(): string {
    const { cluster, wires, left } = this;
    const { ledger } = cluster;
    const tasks = cluster.tasks.map((task) => {
      const value = ledger.executions[cluster.vertex(task)]?.getSnapshot().value;
      return [value, cluster.attemptOf(task), this.#executorOf(task)];
    });
    const regions = ledger.regionActors.map((region) => {
      const { value, context } = region.getSnapshot();
      const { plan, upCount, finishedCount, endedCount, restartAtMs } = context;
      return [value, plan, upCount, finishedCount, endedCount, Math.max(0, restartAtMs - cluster.clock.now())];
    });
    const executors = [...cluster.connections.connected()].map(({ executor, state }) => [executor, state]);
    const result = 0 as PartitionId;
    const results = [ledger.results.stateOf(result), ledger.results.placeOf(result)];
    const queues = wires.map((wire) => [
      ...[wire.toExecutor.map(said(wire.saidToExecutor)), wire.toMaster.map(said(wire.saidToMaster))],
      ...[[...wire.tasks], wire.isClosed, wire.isGivenUp],
      ...[wire.silence, left.some((strike) => strike.endsWith('made again')) && [...wire.made.keys()].sort()],
    ]);
    const rest = [cluster.status, cluster.isRestarting, ledger.slots.pendingRequests, cluster.clock.due, left];
    return JSON.stringify([tasks, regions, executors, results, queues, rest]);
  }

  /**
   * What must hold at any time: what the master shows of an attempt is what the executor that has it reported of that
   * very attempt, and no attempt outlives its job.
   */
  get unfounded(): string[] {
    const { cluster, wires } = this;
    const hasEnded = isTerminalJobStatus(cluster.status);
    return cluster.tasks.flatMap((task) => {
      const state = cluster.stateOf(task);
      if (hasEnded && !isTerminalExecutionState(state))
        return [`${task} is ${state} in a job that is ${cluster.status}`];
      if (state !== 'running' && state !== 'finished') return [];
      const executor = this.#executorOf(task);
      const report = `task.${state} ${cluster.vertex(task)}#${cluster.attemptOf(task)}`;
      const isReported = wires.some(({ name, arrived }) => name === executor && arrived.has(report));
      return isReported ? [] : [`${task} is ${state}, and nobody said ${report}`];
    });
  }

  #executorOf(task: string): ExecutorId | undefined {
    return this.cluster.ledger.attempts.executorOf(this.cluster.vertex(task));
  }

  #strikes(strike: Strike): [string, () => void][] {
    const once = (name: string, act: () => void): [string, () => void] => [
      name,
      () => {
        this.left.splice(this.left.indexOf(strike), 1);
        act();
      },
    ];
    const open = [...this.wires.entries()].filter(([, wire]) => !wire.isClosed);
    const serving = open.filter(([, wire]) => !wire.isGivenUp);
    const ofTasks = (name: string, act: (wire: Wire, vertex: ExecutionVertexId) => void): [string, () => void][] =>
      open.flatMap(([, wire]) =>
        [...wire.tasks.keys()].map((vertex) => once(`${vertex} ${name}`, () => act(wire, vertex))),
      );
    const ofWires = (name: string, act: (wire: Wire, index: number) => void): [string, () => void][] =>
      serving.map(([index, wire]) =>
        once(`${index} ${name}`, () => {
          act(wire, index);
          this.#connect();
        }),
      );
    switch (strike) {
      case 'a task fails':
        return ofTasks('fails', (wire, vertex) => wire.end(vertex, 'failed'));
      case 'a task is canceled unasked':
        return ofTasks('is canceled', (wire, vertex) => wire.end(vertex, 'canceled'));
      case 'an executor is lost':
        return ofWires('is lost', (wire) => wire.close('switched off'));
      case 'an executor is given up':
        return ofWires('is given up', (wire) => {
          wire.isGivenUp = true;
          this.cluster.quarantine(wire.name);
        });
      case 'an executor starts anew':
        return ofWires('starts anew', (wire, index) => {
          wire.tasks.clear();
          wire.post(connected(100 + index));
        });
      case 'an executor falls silent':
        return (['to master', 'to executor'] as const).flatMap((way) =>
          ofWires(`is silent ${way}`, (wire) => {
            wire.silence = way;
            (way === 'to master' ? wire.toMaster : wire.toExecutor).length = 0;
          }),
        );
      case 'the job is canceled':
        return [once('cancel', () => this.cluster.tell({ type: 'job.cancel' }))];
      case 'messages change places':
        return this.#queues((queue) => queue.length > 1).map(([name, queue]) =>
          once(`${name} change places`, () => void queue.unshift(...queue.splice(1, 1))),
        );
      case 'a message arrives twice':
        return this.#queues((queue) => queue.length > 0).map(([name, queue]) =>
          once(`${name} twice`, () => void queue.push(queue[0] as never)),
        );
      case 'a report is made again':
      case 'a report of an earlier attempt is made again':
        return open.flatMap(([index, wire]) =>
          [...wire.made]
            .filter(([, report]) => strike === 'a report is made again' || this.#isPast(report))
            .map(([name, report]) => once(`${index} repeats ${name}`, () => wire.post(report))),
        );
    }
  }

  #isPast({ vertex, attempt }: TaskReport): boolean {
    return attempt < this.cluster.ledger.attemptOf(vertex);
  }

  #queues(isOne: (queue: readonly unknown[]) => boolean): [string, unknown[]][] {
    return this.wires
      .flatMap((wire, index): [string, unknown[]][] => [
        [`to ${index}`, wire.toExecutor],
        [`of ${index}`, wire.toMaster],
      ])
      .filter(([, queue]) => isOne(queue));
  }

  #connect(): void {
    const number = this.wires.length + 1;
    const wire = new Wire(`executor-${number}` as ExecutorId, (callback) => this.cluster.clock.setImmediate(callback));
    this.wires.push(wire);
    this.cluster.connections.accept(wire.name, wire.masterEnd);
    wire.post(connected(number));
    wire.deliverToMaster();
  }
}

/** A message as far as the future depends on it. What it is numbered with does not matter, but whether it is the last. */
const said =
  (count: number) =>
  ({ number, message }: Envelope<MasterToExecutorMessage | ExecutorToMasterMessage>): unknown => {
    const one = message.type === 'task.deploy' ? message.deployment : message;
    return [count - number, message.type, ...('attempt' in one ? [one.vertex, one.attempt] : [])];
  };

function connected(incarnation: number): ExecutorToMasterMessage {
  return { type: 'executor.connected', protocol: protocolVersion, incarnation, slots: 2 };
}
