import type { ActorHost } from '../../actors/actor-host.ts';
import type { CheckpointsToMasterEvent } from '../../actors/chart-events.ts';
import type { ExecutorGateway } from '../../actors/executor-gateway.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { CheckpointReport } from '../../actors/protocol/checkpoint-messages.ts';
import type { PartitionRegistration, TaskDeployment } from '../../actors/protocol/deployment.ts';
import type { JobStatus } from '../../actors/protocol/states.ts';
import {
  type StreamingComponent,
  type StreamingComponents,
  streamingComponents,
} from '../../checkpoints/streaming-components.ts';
import type { Clock } from '../../environment.ts';
import { DrainFailedError, NoCheckpointLeftError } from '../../errors/checkpoint-errors.ts';
import { ownCauseWithCode } from '../../failover/own-causes.ts';
import type { RestartCommand } from '../../failover/restart-plan.ts';
import type { BoundaryGroup } from '../../graph/region-boundaries.ts';
import type { AttemptNumber, CheckpointId, ComponentId, ExecutionVertexId, RegionId } from '../../ids.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';
import type { Failed } from '../job-master/job-master-setup.ts';
import type { CheckpointCoordinatorRef, checkpointCoordinatorMachine } from './checkpoint-coordinator-machine.ts';
import { barrierPlace, type ComponentCheckpoint, restoredState } from './checkpoint-content.ts';
import { ComponentCheckpoints } from './component-checkpoints.ts';
import type { ContinuedCheckpoints } from './component-checkpoints-options.ts';
import { jobTasks, oneOfEach } from './component-tasks.ts';
import { ComponentCondition } from './component-condition.ts';
import type { CoordinatorEvent } from './coordinator-setup.ts';
import { AwaitedOrders, type SavepointOrder } from './savepoint-order.ts';
import type { JobCheckpointing } from './job-checkpointing.ts';
import type { pendingCheckpointMachine } from './pending-checkpoint-machine.ts';

/** Too many checkpoints of a component failed in a row, or one that drained tasks did. */
export type FailedComponent = Omit<CheckpointsToMasterEvent, 'type'>;

/** In these a job triggers checkpoints, or may do so later. */
const goesOn: ReadonlySet<JobStatus> = new Set(['initializing', 'created', 'running']);

export interface JobCheckpointsOptions {
  readonly checkpointing: JobCheckpointing;
  readonly ledger: JobLedger;
  readonly gateway: Pick<ExecutorGateway, 'checkpoints'>;
  readonly clock: Clock;
  readonly observe: (event: JobEvent) => void;
  readonly actors: ActorHost;
  readonly charts: {
    readonly checkpointCoordinator: typeof checkpointCoordinatorMachine;
    readonly pendingCheckpoint: typeof pendingCheckpointMachine;
  };
  readonly failed: (component: FailedComponent) => void;
}

/** A component with its coordinator. */
interface Coordinated {
  readonly checkpoints: ComponentCheckpoints;
  readonly coordinator: CheckpointCoordinatorRef;
  readonly condition: ComponentCondition;
  readonly awaited: AwaitedOrders;
}

/** An attempt of a region that continues from a checkpoint. */
interface ContinuingAttempt {
  readonly attempt: AttemptNumber;
  readonly from: ComponentCheckpoint;
  /** Whether observers know. */
  isReported: boolean;
}

/**
 * The checkpoints of a job: one coordinator for each streaming component, which knows nothing of the others. A component
 * that writes results which are read once complete has none, because such a result begins anew with its producer.
 *
 * - JC1 A component is told when all its tasks run, when one stops running, and when all have finished; no other is.
 * - JC2 A region that is deployed gets the states of the latest completed checkpoint of its component, if there is one.
 *   Which one, is settled before it begins: what is under way then is stored or aborted first, so that no checkpoint of earlier
 *   attempts completes afterwards.
 * - JC3 That may be one of an earlier run; new ones get greater numbers.
 * - JC4 A savepoint that is asked for before all tasks run waits for them, as long as a checkpoint may take. One of tasks that
 *   an earlier one has drained, and that only finish, is refused: it would not know where another run has to read on.
 * - JC5 A component begins anew once a task whose complete result it reads writes a new one: that may have other records, or
 *   another order, and its checkpoints tell how far the old one was read.
 * - JC6 Once an at-least-once checkpoint has begun, a task that merges channels does not reproduce its results, until it has begun
 *   with new ones: its state may hold records from beyond the positions of its channels, which come again.
 */
export class JobCheckpoints {
  readonly #options: JobCheckpointsOptions;
  readonly #components: StreamingComponents;
  /** By component. */
  readonly #coordinated: readonly (Coordinated | undefined)[];
  /** The attempt of each region that continues from a checkpoint. */
  readonly #continuing = new Map<RegionId, ContinuingAttempt>();

  /** What is done on later turns. */
  readonly #due: (() => void)[] = [];

  constructor(options: JobCheckpointsOptions) {
    this.#options = options;
    const { graph, regions } = options.ledger;
    this.#components = streamingComponents(graph, regions);
    this.#coordinated = this.#components.list.map((component) =>
      component.writesCompleteResults ? undefined : this.#coordinate(component),
    );
  }

  /** JC3. Continues the checkpoints of an earlier run, by component. Call it before the job starts. */
  takeOver(continued: ReadonlyMap<ComponentId, ContinuedCheckpoints>): void {
    for (const [component, checkpoints] of continued) this.#coordinated[component]?.checkpoints.takeOver(checkpoints);
  }

  /** JC4. Asks a component for a savepoint. */
  order(component: ComponentId, order: SavepointOrder): void {
    const of = this.#coordinated[component] as Coordinated;
    if (of.condition.isReady) this.#request(of, order);
    else of.awaited.add(order);
  }

  #request({ checkpoints, coordinator }: Coordinated, order: SavepointOrder): void {
    if (checkpoints.isDrained) {
      order.failed({ reason: 'stopped' });
      return;
    }
    const wish = {
      kind: 'savepoint',
      isForced: false,
      isPeriodic: false,
      savepoint: checkpoints.order(order),
    } as const;
    this.#tell(coordinator, { type: 'checkpoint.requested', ...wish });
  }

  get components(): readonly StreamingComponent[] {
    return this.#components.list;
  }

  /** Takes every event of the job. */
  next(event: JobEvent): void {
    switch (event.type) {
      case 'region.stateChanged': {
        const of = this.#of(event.region);
        const change = of?.condition.change(event.region, event.state);
        if (of === undefined || change === undefined) return;
        this.#tell(of.coordinator, { type: change });
        if (of.condition.isReady) for (const order of of.awaited.take()) this.#request(of, order);
        return;
      }
      case 'task.stateChanged':
        if (event.state !== 'finished') return;
        this.#later(() =>
          this.#ofTask(event.vertex)?.checkpoints.taskFinished({
            vertex: event.vertex as ExecutionVertexId,
            attempt: event.attempt,
          }),
        );
        return;
      case 'job.statusChanged':
        if (!goesOn.has(event.status)) this.#stop();
        return;
      default:
    }
  }

  /** What a current attempt of a task says of a checkpoint. */
  report(report: CheckpointReport): void {
    this.#ofTask(report.vertex)?.checkpoints.report(report);
  }

  /** JC2. */
  restored(deployment: TaskDeployment): TaskDeployment {
    const { vertex, attempt } = deployment;
    const of = this.#ofTask(vertex);
    if (of === undefined) return deployment;
    const { newest: checkpointBefore, scope: checkpointScope } = of.checkpoints;
    const after = { ...deployment, checkpointScope, ...(checkpointBefore !== undefined && { checkpointBefore }) };
    const region = this.#options.ledger.regions.regionOf(vertex);
    const continuing = this.#continuing.get(region);
    if (continuing?.attempt !== attempt) return after;
    const restore = restoredState(continuing.from, vertex);
    if (restore === undefined) return after;
    if (!continuing.isReported) {
      continuing.isReported = true;
      of.checkpoints.reportRestored(continuing.from, region, this.#options.ledger.regions.verticesOf(region));
    }
    return { ...after, restore };
  }

  /**
   * A task failed. If it could not read its state, the checkpoint is given up: with the task restart the regions that
   * continued from it, from the one before. Without one the job fails.
   */
  judged(failed: Failed): Failed {
    const { ledger } = this.#options;
    const unreadable = ownCauseWithCode(failed.cause, ['CHECKPOINT_UNREADABLE'], ledger.run);
    if (unreadable === undefined || failed.vertex === undefined) return failed;
    const region = ledger.regions.regionOf(failed.vertex);
    const [of, lost] = [this.#of(region), this.#continuing.get(region)?.from.id];
    if (of === undefined || lost === undefined) return failed;
    const instead = of.checkpoints.loseCheckpoint(lost, failed.vertex, failed.cause);
    if (instead === undefined) {
      return { ...failed, cause: new NoCheckpointLeftError(of.checkpoints.head, { cause: failed.cause }) };
    }
    const others = of.checkpoints.component.regions
      .filter((other) => other !== region && this.#continuesFrom(other, lost))
      .map((other) => ledger.regions.verticesOf(other)[0] as ExecutionVertexId);
    const alsoFailed = others.map((vertex) => ({ vertex, attempt: ledger.attemptOf(vertex) }));
    return alsoFailed.length === 0 ? failed : { ...failed, alsoFailed: Object.freeze(alsoFailed) };
  }

  /** Whether the current attempt of a region continues from a checkpoint. */
  #continuesFrom(region: RegionId, checkpoint: CheckpointId): boolean {
    const { ledger } = this.#options;
    const continuing = this.#continuing.get(region);
    const vertex = ledger.regions.verticesOf(region)[0] as ExecutionVertexId;
    return continuing?.from.id === checkpoint && continuing.attempt === ledger.attemptOf(vertex);
  }

  /** Whether it is known from which checkpoint a region would continue: none of its component is under way. */
  isSettled(region: RegionId): boolean {
    return this.#of(region)?.checkpoints.isSettled ?? true;
  }

  /** JC2. What is under way ends, because a region begins anew. Calls back, on a turn of its own, once it has. */
  settle(region: RegionId, callback: () => void): void {
    const of = this.#of(region) as Coordinated;
    // On a later turn: tasks may have told what completes it on the turns before.
    this.#tell(of.coordinator, { type: 'component.disturbed' });
    of.checkpoints.whenSettled(() => this.#later(callback));
  }

  /** JC2. An attempt of a region begins: it continues from the checkpoint that is the latest now. */
  begin(region: RegionId, attempt: AttemptNumber): void {
    const checkpoints = this.#of(region)?.checkpoints;
    checkpoints?.renew();
    const from = checkpoints?.latest;
    if (from === undefined) this.#continuing.delete(region);
    else this.#continuing.set(region, { attempt, from, isReported: false });
  }

  /** JC5. Regions are about to be told to restart. O(their groups, and the consumers of those) */
  invalidate(restarts: ReadonlyMap<RegionId, RestartCommand>): void {
    const { ledger } = this.#options;
    const seen = new Set<BoundaryGroup>();
    for (const [region, command] of restarts) {
      if (ledger.modeAfter(region, command) !== 'new') continue;
      for (const group of ledger.regions.outputsOf(region)) {
        if (seen.has(group) || group.exchange.consumption !== 'after-producer-finished') continue;
        seen.add(group);
        const producer = ledger.graph.producerOf(group.firstPartition);
        for (const consumer of group.consumerRegions) this.#of(consumer as RegionId)?.checkpoints.outdate(producer);
      }
    }
  }

  /** A result of a restarted task begins where the barrier of its checkpoint was. JC2 */
  continued(registration: PartitionRegistration): PartitionRegistration {
    const { edge, producer } = registration;
    const continuing = this.#continuing.get(this.#options.ledger.regions.regionOf(producer));
    if (continuing === undefined) return registration;
    if (continuing.from.finished.has(producer)) return { ...registration, isEndOnly: true };
    const fromRecords = barrierPlace(continuing.from, producer, edge);
    return fromRecords === undefined ? registration : { ...registration, fromRecords };
  }

  /** The names in the storage of those that have begun. */
  get begunScopes(): string[] {
    return this.#coordinated.flatMap((of) => {
      const hasBegun = of?.checkpoints.newest !== undefined;
      return hasBegun ? [of.checkpoints.scope] : [];
    });
  }

  /** The coordinators, for observers. */
  *coordinators(): Generator<CheckpointCoordinatorRef> {
    for (const of of this.#coordinated) if (of !== undefined) yield of.coordinator;
  }

  /** On a turn of its own: events of the job come from inside the actions of other charts. */
  #tell(coordinator: CheckpointCoordinatorRef, event: CoordinatorEvent): void {
    this.#later(() => coordinator.send(event));
  }

  /** In the order of the calls, whatever the order of the clock: a component that runs and then does not, does not. */
  #later(action: () => void): void {
    this.#due.push(action);
    this.#options.clock.setImmediate(() => this.#due.shift()?.());
  }

  #stop(): void {
    for (const of of this.#coordinated)
      for (const order of of?.awaited.take() ?? []) order.failed({ reason: 'stopped' });
    for (const coordinator of this.coordinators()) this.#tell(coordinator, { type: 'coordinator.stop' });
  }

  #of(region: RegionId): Coordinated | undefined {
    return this.#coordinated[this.#components.componentOf(region).id];
  }

  #ofTask(vertex: number): Coordinated | undefined {
    return this.#of(this.#options.ledger.regions.regionOf(vertex as ExecutionVertexId));
  }

  #coordinate(component: StreamingComponent): Coordinated {
    const { checkpointing, ledger, gateway, clock, observe, actors, charts, failed } = this.#options;
    const { storage, scopeOf, alignment, retained, tolerableFailures, timeoutMs } = checkpointing;
    const job = jobTasks(ledger);
    const checkpoints = new ComponentCheckpoints({
      ...{ component, storage, alignment, retained, tolerableFailures, clock, observe, timeoutMs },
      job,
      gateway: gateway.checkpoints,
      scope: scopeOf(ledger.graph.nameOf(component.heads[0] as ExecutionVertexId)),
      spawnPending: (of, request, withinMs, parent) => {
        const input = { request, timeoutMs: withinMs, clock, coordinator: parent, component: of };
        const actor = actors.create(charts.pendingCheckpoint, 'master/checkpoint', input, parent);
        actor.start();
        return actor;
      },
      failing: (cause) =>
        this.#later(() => {
          const vertices = oneOfEach(component, job, ledger);
          if (cause instanceof DrainFailedError) {
            for (const vertex of vertices) ledger.declarations.drain(ledger.regions.regionOf(vertex));
          }
          failed({ vertices, cause });
        }),
      cleaned: () => this.#tell(coordinator, { type: 'checkpoint.cleaned' }),
    });
    const input = { settings: checkpointing, clock, component: checkpoints };
    const name = `master/checkpointCoordinator/${component.id}`;
    const coordinator: CheckpointCoordinatorRef = actors.create(charts.checkpointCoordinator, name, input);
    coordinator.start();
    const awaited = new AwaitedOrders(clock, timeoutMs);
    return { checkpoints, coordinator, condition: new ComponentCondition(component.regions.length), awaited };
  }
}
