import type { FailoverRule } from '../../src/failover/failover-strategy.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import type { RegionId } from '../../src/ids.ts';
import type { ExecutionState } from '../../src/actors/protocol/states.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { ManualCluster } from '../support/manual-cluster.ts';
import { CannotRun } from './conformance-case.ts';
import { givenEdges, givenVertices, textOf } from './given-graph.ts';
import { shownJobStatus } from './shown-status.ts';

/** Consecutive failures in a case do not happen at the same moment. Exact in binary. */
const momentMs = 1 / 1_024;

/** Extra vertices for failures that no task of the case can have. */
const triggerVertex = '(trigger)';

const reported = ['initializing', 'running', 'finished', 'canceled', 'failed'] as const;
type Reported = (typeof reported)[number];

const canFail: readonly ExecutionState[] = ['deploying', 'initializing', 'running'];

/** Tasks that were handed to the scheduling strategy in one step, and their states. */
interface Offer {
  readonly step: number;
  readonly tasks: readonly string[];
  readonly states: readonly ExecutionState[];
}

export interface JobRigOptions {
  readonly vertices: unknown;
  readonly edges?: unknown;
  readonly restart: RestartBackoffRule;
  /** Maximum number of failures from outside the tasks of the case. */
  readonly triggers?: number;
}

/** The real job master, its regions and executions; executors do what the steps of a case say. */
export class JobRig {
  readonly cluster: ManualCluster;
  /** The tasks of the case, as `v[0]`. */
  readonly tasks: readonly string[];
  /** What the scheduling strategy was offered: first the start of the job, then restarts. */
  readonly offers: Offer[] = [];
  readonly #hasTriggers: boolean;
  #step = 0;
  #refuses = false;
  #nextRestarts: readonly string[] | undefined;

  constructor({ vertices, edges, restart, triggers = 0 }: JobRigOptions) {
    this.#hasTriggers = triggers > 0;
    const own = givenVertices(vertices);
    if (own.length === 0) throw new CannotRun('a job without vertices is not known');
    this.cluster = new ManualCluster({
      vertices: triggers > 0 ? [...own, { id: triggerVertex, parallelism: triggers }] : own,
      edges: givenEdges(edges),
      failoverStrategy: failoverStrategyMachine(this.#decide),
      restartBackoff: restartBackoffMachine({
        ...restart,
        canRestart: (state, nowMs) => !this.#refuses && restart.canRestart(state, nowMs),
      }),
      // As in the catalogue, one backoff serves the whole job.
      backoffScope: 'job',
    });
    this.tasks = this.cluster.tasks.filter((task) => !task.startsWith(triggerVertex));
    this.#watchScheduling();
  }

  /** The status, in the catalogue's words. */
  get status(): string {
    const { cluster, tasks } = this;
    const isRestarting = this.#hasTriggers
      ? tasks.some((task) => cluster.regionStateOf(task) === 'restarting')
      : cluster.isRestarting;
    return shownJobStatus(cluster.status, isRestarting);
  }

  /** Everything from here on belongs to the next step. */
  beginStep(): void {
    this.#step++;
    this.#nextRestarts = undefined;
  }

  start(): void {
    this.cluster.start();
  }

  cancel(): void {
    this.cluster.tell({ type: 'job.cancel' });
  }

  suspend(cause: string): void {
    this.cluster.tell({ type: 'job.suspend', cause: new Error(cause) });
  }

  failGlobally(cause: string): void {
    this.cluster.clock.advance(momentMs);
    this.cluster.tell({ type: 'job.globalFailure', cause: new Error(cause) });
  }

  /** It fails for good, whatever its backoff would say. */
  failForGood(cause: string): void {
    this.#refuses = true;
    this.failGlobally(cause);
  }

  /** From now on the backoff allows no restart. */
  refuseRestarts(): void {
    this.#refuses = true;
  }

  /** The strategy answers the next failure of a task with the regions of these tasks. */
  answerFailureOf(failing: string, tasks: readonly string[]): void {
    this.#nextRestarts = tasks.map((task) => this.taskNamed(task));
    const region = this.cluster.regionOf(failing);
    if (!this.#nextRestarts.some((task) => this.cluster.regionOf(task) === region)) {
      throw new CannotRun(`a restart without ${failing}, which failed, is refused`);
    }
  }

  /** `a` is `a[0]`. @throws CannotRun unless the case has the task */
  taskNamed(name: unknown): string {
    const task = [textOf(name), `${textOf(name)}[0]`].find((spelling) => this.tasks.includes(spelling));
    if (task === undefined) throw new CannotRun(`there is no task ${JSON.stringify(name)} in the case`);
    return task;
  }

  /**
   * Whether a report has any effect. The books of records are open to late reports too, and do not count.
   */
  isAccepted(report: () => void): boolean {
    const look = (): string => {
      const { cluster } = this;
      const told = cluster.events.filter(({ type }) => type !== 'task.ended').length;
      const states = cluster.tasks.map((task) => [cluster.stateOf(task), cluster.regionStateOf(task)]);
      return JSON.stringify([cluster.status, told, states, cluster.executors.commands.length]);
    };
    const before = look();
    report();
    return look() !== before;
  }

  /** A report about a task, by default of its present attempt; executors report every state on the way to `running`. */
  report(task: string, state: Reported, cause: string, attempt?: number): void {
    if (state === 'failed') {
      this.cluster.clock.advance(momentMs);
      return this.cluster.fail(task, new Error(cause), attempt);
    }
    if (state === 'running' && attempt === undefined && this.cluster.stateOf(task) !== 'running') {
      return this.cluster.runAll([task]);
    }
    this.cluster.report(task, state, attempt);
  }

  /** A report about every task that an executor has. */
  reportAll(state: Reported): void {
    if (state === 'running') return this.cluster.runAll();
    for (const task of this.cluster.tasks) if (this.#isActive(task)) this.report(task, state, `${task} broke`);
  }

  confirmCancellations(): void {
    for (const task of this.cluster.tasks) {
      if (this.cluster.stateOf(task) === 'canceling') this.cluster.report(task, 'canceled');
    }
  }

  /** Every executor is lost, with its tasks. */
  loseExecutors(): void {
    this.cluster.quarantine('executor-0', 'the case says so');
  }

  /**
   * A failure that restarts the regions of these tasks: one of them fails, or an extra task.
   * @param trigger the number of the extra task
   */
  failOver(tasks: readonly string[], trigger: number): void {
    const failing = tasks.find((task) => canFail.includes(this.cluster.stateOf(task)));
    const from = failing ?? `${triggerVertex}[${trigger}]`;
    this.#nextRestarts = failing === undefined ? [...tasks, from] : tasks;
    this.cluster.fail(from);
  }

  /** When the decided restarts that were not waited for are due, earliest first. */
  get pendingRestarts(): number[] {
    const now = this.cluster.clock.now();
    return this.cluster.events
      .flatMap((event) => (event.type === 'failover.decided' ? [event.atMs + event.delayMs] : []))
      .filter((dueMs) => dueMs > now)
      .sort((a, b) => a - b);
  }

  advanceTo(ms: number): void {
    this.cluster.clock.advance(ms - this.cluster.clock.now());
  }

  /** Tasks whose regions ignore a restart that was decided before the latest command to the job. */
  staleTasks(): string[] {
    const { cluster } = this;
    if (cluster.events.some(({ type }) => type === 'failover.decided')) {
      throw new CannotRun('decisions reach regions in order: one from before another decision cannot come after it');
    }
    const before = cluster.events.length;
    cluster.tell({
      type: 'failover.decided',
      failover: 1 as never,
      restart: {
        kind: 'restart',
        regions: [...new Set(this.tasks.map((task) => cluster.regionOf(task)))],
        again: [],
        waiting: [],
        reads: [],
        why: undefined,
      },
      failure: { vertex: undefined, attempt: undefined, cause: new Error('stale'), atMs: 0, lostPartitions: [] },
      quarantine: { kind: 'none' },
      sizes: new Map(),
      restartAtMs: cluster.clock.now(),
      newAttempt: true,
      restartsLeft: undefined,
    });
    const restarting = new Set<RegionId>();
    for (const event of cluster.events.slice(before)) {
      if (event.type === 'region.stateChanged' && event.state === 'restarting') restarting.add(event.region);
    }
    return this.tasks.filter((task) => !restarting.has(cluster.regionOf(task)));
  }

  readonly #decide: FailoverRule = (failure, topology) => {
    const tasks = this.#nextRestarts;
    this.#nextRestarts = undefined;
    if (tasks === undefined) return restartPipelinedRegion()(failure, topology);
    const regions = [...new Set(tasks.map((task) => this.cluster.regionOf(task)))];
    return { kind: 'restart', regions };
  };

  #isActive(task: string): boolean {
    return this.cluster.ledger.executions[this.cluster.vertex(task)]?.getSnapshot().hasTag('active') === true;
  }

  /** The strategy is a plain object of the ledger, so its offers can be intercepted. */
  #watchScheduling(): void {
    const { scheduling, regions, graph } = this.cluster.ledger;
    const offer = scheduling.offer.bind(scheduling);
    scheduling.offer = (ids) => {
      const offered = [...ids];
      const tasks = offered
        .flatMap((region) => Array.from(regions.verticesOf(region), (vertex) => graph.nameOf(vertex as never)))
        .filter((task) => this.tasks.includes(task));
      this.offers.push({ step: this.#step, tasks, states: tasks.map((task) => this.cluster.stateOf(task)) });
      return offer(offered);
    };
  }
}

/** `FINISHED` in a case is `finished` here. */
export function reportedState(name: unknown): Reported {
  const state = String(name).toLowerCase() as Reported;
  if (!reported.includes(state)) throw new CannotRun(`nobody reports ${JSON.stringify(name)}`);
  return state;
}
