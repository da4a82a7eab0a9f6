import type { JobEvent } from '../../src/actors/job-event.ts';
import { OperationTimeoutError } from '../../src/errors/user-code-errors.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import type { RegionId } from '../../src/ids.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { lackOfSlots } from '../support/lack-of-slots.ts';
import type { Question } from '../support/hand-executors.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  type Handler,
  type Judge,
  onlyKnown,
  perStep,
  someFields,
  sortedSets,
  equalsAs,
} from './conformance-case.ts';
import { errorKindOf } from './conformance-runner.ts';
import { givenEdges, givenVertices, graphFields, listOf, textOf } from './given-graph.ts';
import { shownJobStatus } from './shown-status.ts';

type Given = ConformanceCase['given'];
type Step = ConformanceCase['when'][number];

const restartDelayMs = 1_000;
const slotRequestTimeoutMs = 10_000;

const slotModes = ['granted manually', 'never granted', 'granted manually, later automatic'] as const;
/** What our slots always do. */
const slotsGoOn = 'returned slots go to the next pending request';
const strategies = { full: restartAll, region: restartPipelinedRegion } as const;
/** Any number will do where a case says `N`. */
const anyNumber = 10;
const registrationModes = ['fails', 'throws', 'times-out', 'manual'] as const;
type RegistrationMode = (typeof registrationModes)[number];

/** The scripted behavior of the executors in a case. */
interface Script {
  readonly registration: RegistrationMode | undefined;
  readonly firstDeploymentFails: boolean;
}

/** The real job master over executors that refuse what the case says. */
class ScriptedCluster extends ManualCluster {
  registeredCount = 0;

  constructor(options: ManualClusterOptions, { registration, firstDeploymentFails }: Script) {
    let fails = firstDeploymentFails;
    super({
      ...options,
      posting: ({ type }, post) => {
        if (type === 'results.register' && registration === 'throws') throw new Error('the shuffle service is broken');
        post();
        if (type !== 'task.deploy' || !fails) return;
        fails = false;
        throw new Error('the executor refuses it');
      },
    });
    this.executors.answering = (question) => {
      if (question.type !== 'results.register') return undefined;
      if (registration === 'manual') return 'later';
      const [first] = question.registrations;
      if (first === undefined || registration === undefined) return this.#count(question);
      // The stand-in for remote executors is responsible for them: the master always gets an answer.
      const cause =
        registration === 'times-out'
          ? new OperationTimeoutError('the registration of a result', 1_000)
          : new Error('the shuffle service refuses it');
      return { type: 'results.registered', failed: { producer: first.producer, cause: toPlainError(cause) } };
    };
  }

  completeRegistrations(): void {
    for (const { question, answer } of this.executors.held.splice(0)) {
      this.#count(question);
      answer();
    }
  }

  #count(question: Question): undefined {
    if (question.type === 'results.register') this.registeredCount += question.registrations.length;
  }
}

/** A job of a deployment case, and the commands it got. */
class DeploymentRig {
  readonly cluster: ScriptedCluster;
  readonly cancelCommands = new Set<string>();
  /** The number of slots that attempts gave back, or that found nobody who needs them. */
  returnedSlots = 0;
  readonly #slots: (typeof slotModes)[number] | undefined;
  #grants = 0;

  constructor(given: Given, when: readonly Step[] = []) {
    const { vertices, edges, partitionRegistration, deployFailsFirst, offeredSlots, restart, strategy } = given;
    const slots = given['slots'] === slotsGoOn ? undefined : given['slots'];
    if (restart !== undefined && restart !== 'none')
      throw new CannotRun(`restart ${JSON.stringify(restart)} is not known`);
    const canRestart = given['canRestart'] !== false && restart !== 'none';
    const rule = oneOf(Object.keys(strategies) as (keyof typeof strategies)[], strategy, 'strategy') ?? 'region';
    // If a request times out, none was granted.
    const timesOut = when.some((step) => 'slotRequestTimeout' in step);
    this.#slots = oneOf(slotModes, slots ?? (timesOut ? 'never granted' : undefined), 'slots');
    this.cluster = new ScriptedCluster(
      {
        vertices: sizedVertices(vertices),
        edges: givenEdges(edges),
        ...(this.#slots === undefined ? {} : { slots: 0 }),
        ...(offeredSlots === undefined ? {} : { slots: numberOf(offeredSlots, 'offeredSlots') }),
        failoverStrategy: failoverStrategyMachine(strategies[rule]()),
        restartBackoff: restartBackoffMachine(
          canRestart ? fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs: restartDelayMs }) : noRestart(),
        ),
        inspect: (event) => {
          if (event.type === '@xstate.event' && event.event.type === 'execution.cancel' && 'id' in event.actorRef) {
            this.cancelCommands.add(String(event.actorRef.id));
          }
        },
      },
      {
        registration: oneOf(registrationModes, partitionRegistration, 'partitionRegistration'),
        firstDeploymentFails: deployFailsFirst === true,
      },
    );
    const { slots: pool } = this.cluster.ledger;
    const release = pool.release.bind(pool);
    pool.release = (released) => {
      this.returnedSlots += released.length;
      release(released);
    };
  }

  take(step: Step): void {
    const { cluster } = this;
    if ('op' in step) this.#operate(step);
    else if ('report' in step) {
      onlyKnown(step, ['report', 'state'], 'step');
      if (step['state'] !== 'FAILED') throw new CannotRun(`a report of ${JSON.stringify(step['state'])} is not known`);
      cluster.fail(this.#task(step['report']));
    } else if ('advanceRestartDelay' in step) {
      onlyKnown(step, ['advanceRestartDelay'], 'step');
      if (step['advanceRestartDelay'] !== true) throw new CannotRun('an advance by part of the delay is not known');
      if (this.#slots === 'granted manually, later automatic')
        cluster.addExecutor('automatic', Number.POSITIVE_INFINITY);
      cluster.clock.advance(restartDelayMs);
    } else if ('slotRequestTimeout' in step) {
      onlyKnown(step, ['slotRequestTimeout'], 'step');
      this.#timeOut(step['slotRequestTimeout']);
    } else throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
  }

  /** Tasks that are scheduled and have no slot yet. */
  get waitingForSlots(): string[] {
    const { cluster } = this;
    return cluster.tasks.filter((task) => {
      const execution = cluster.ledger.executions[cluster.vertex(task)]?.getSnapshot();
      return execution?.matches({ waiting: 'scheduled' }) === true && execution.context.slot === undefined;
    });
  }

  #operate(step: Step): void {
    const { cluster } = this;
    switch (step['op']) {
      case 'startScheduling':
        onlyKnown(step, ['op'], 'step');
        cluster.start();
        break;
      case 'schedule':
        onlyKnown(step, ['op', 'vertices'], 'step');
        this.#schedule(listOf<string>(step['vertices'], 'vertices').map((name) => this.#task(name)));
        break;
      case 'grantSlot':
        onlyKnown(step, ['op', 'vertex'], 'step');
        if (step['vertex'] !== 'rest') this.#task(step['vertex']);
        this.#grant(step['vertex'] === 'rest' ? this.waitingForSlots.length : 1);
        break;
      case 'cancelJob':
        onlyKnown(step, ['op'], 'step');
        cluster.tell({ type: 'job.cancel' });
        break;
      case 'globalFailure':
        onlyKnown(step, ['op', 'cause'], 'step');
        cluster.tell({ type: 'job.globalFailure', cause: new Error(textOf(step['cause'] ?? 'global failure')) });
        break;
      case 'bumpVertexVersion':
        onlyKnown(step, ['op', 'vertex'], 'step');
        this.#decideAnew(this.#task(step['vertex']));
        break;
      case 'completeRegistrations':
        onlyKnown(step, ['op'], 'step');
        cluster.completeRegistrations();
        break;
      default:
        throw new CannotRun(`operation ${JSON.stringify(step['op'])} is not known`);
    }
  }

  /** Slots that nobody waits for are as good as returned. */
  #grant(count: number): void {
    const { slots } = this.cluster.ledger;
    const [total, free] = [slots.totalSlots, slots.freeSlots];
    this.cluster.addExecutor(`manual-${this.#grants++}`, count);
    // A job that has ended takes none.
    this.returnedSlots += slots.totalSlots === total ? count : Math.max(0, slots.freeSlots - free);
  }

  /** A newer decision than the one that scheduled the task, of which more is to come: its restart is not due yet. */
  #decideAnew(task: string): void {
    const { cluster } = this;
    cluster.tell({
      type: 'failover.decided',
      failover: 1 as never,
      restart: {
        kind: 'restart',
        regions: [cluster.regionOf(task)],
        again: [],
        waiting: [],
        reads: [],
        why: undefined,
      },
      failure: { vertex: undefined, attempt: undefined, cause: new Error('newer'), atMs: 0, lostPartitions: [] },
      quarantine: { kind: 'none' },
      sizes: new Map(),
      restartAtMs: cluster.clock.now() + restartDelayMs,
      newAttempt: true,
      restartsLeft: undefined,
    });
  }

  /** The scheduling strategy requests these tasks, in this order: here the order of their regions. */
  #schedule(tasks: readonly string[]): void {
    const { ledger } = this.cluster;
    const asked = tasks.map((task) => this.cluster.regionOf(task));
    if (asked.some((region) => ledger.regions.verticesOf(region).length > 1) || this.#slots !== undefined) {
      throw new CannotRun('a batch of tasks that is no region is not known');
    }
    const { scheduling } = ledger;
    if (asked.some((region) => scheduling.isScheduled(region))) return void scheduling.offer(asked);
    const offer = scheduling.offer.bind(scheduling);
    scheduling.offer = (regions: Iterable<RegionId>) => {
      scheduling.offer = offer;
      const ready = new Set(offer(regions));
      return asked.filter((region) => ready.has(region));
    };
    this.cluster.start();
  }

  #timeOut(name: unknown): void {
    const { cluster } = this;
    if (name === 'all') {
      cluster.clock.advance(slotRequestTimeoutMs);
      return;
    }
    // Requests are per region, all at the same time here: the one in the case is sent by hand.
    const task = this.#task(name);
    const execution = cluster.ledger.executions[cluster.vertex(task)];
    execution?.send({ type: 'execution.fail', cause: lackOfSlots(1, 0, 'got none in time') });
  }

  #task(name: unknown): string {
    const task = textOf(name);
    if (!this.cluster.tasks.includes(task)) throw new CannotRun(`there is no task ${task} in the case`);
    return task;
  }
}

const deployment: Handler = ({ given, when }) => {
  onlyKnown(
    given,
    [
      ...graphFields,
      ...['partitionRegistration', 'slots', 'deployFailsFirst', 'canRestart', 'restart', 'offeredSlots', 'strategy'],
    ],
    'given',
  );
  const rig = new DeploymentRig(given, when);
  const { cluster } = rig;
  const cancelledRequests: string[] = [];
  const looks = when.map((step) => {
    const waiting = rig.waitingForSlots;
    let error: string | undefined;
    try {
      rig.take(step);
    } catch (thrown) {
      error = errorKindOf(thrown);
      if (error === undefined) throw thrown;
    }
    const still = new Set(rig.waitingForSlots);
    cancelledRequests.push(...waiting.filter((task) => !still.has(task) && !cluster.deployed.includes(task)));
    return {
      error,
      deployed: cluster.deployed.length,
      registered: cluster.registeredCount,
      waiting: rig.waitingForSlots.length,
    };
  });
  const status = shownJobStatus(cluster.status, cluster.isRestarting);
  const { failure } = cluster.master.getSnapshot().context;
  const failed = new Set(cluster.events.flatMap((event) => (event.type === 'task.failed' ? [event.task] : [])));
  return {
    deployed: equals(cluster.deployed),
    deployedInOrder: equals(cluster.deployed),
    deployedContains: (expected) => {
      const wanted = listOf<string>(expected, 'deployedContains');
      return equals(wanted.filter((task) => cluster.deployed.includes(task)))(wanted);
    },
    deployedCounts: perStep(looks.map(({ deployed }) => numbered(deployed))),
    errors: perStep(looks.map(({ error }) => equals(error))),
    returnedSlots: numbered(rig.returnedSlots),
    cancelledRequests: (expected) =>
      Array.isArray(expected)
        ? equalsAs(sortedNames, cancelledRequests)(expected)
        : numbered(cancelledRequests.length)(expected),
    trackedPartitionCounts: perStep(looks.map(({ registered }) => equals(registered))),
    pendingSlotRequests: perStep(looks.map(({ waiting }) => numbered(waiting))),
    failedVertices: equals(failed.size),
    canceledVertices: equals(rig.cancelCommands.size),
    states: someFields(
      Object.fromEntries(
        cluster.tasks.map((task): [string, Judge] => [task, equals(cluster.stateOf(task).toUpperCase())]),
      ),
    ),
    jobStatus: equals(status),
    rootCauseKind: equals(kindOf(failure?.cause)),
    ...timestamps(cluster.events),
  };
};

const schedulerFailover: Handler = ({ given, when }) => {
  onlyKnown(given, [...graphFields, 'strategy', 'initialStates'], 'given');
  const { strategy = 'region', initialStates, ...graph } = given;
  if (strategy !== 'region') throw new CannotRun(`strategy ${JSON.stringify(strategy)} is not known`);
  if (!/^SCHEDULED \(all \w+ waiting for slots\)$/.test(textOf(initialStates))) {
    throw new CannotRun(`initialStates ${JSON.stringify(initialStates)} are not known`);
  }
  const rig = new DeploymentRig({ ...graph, slots: 'never granted' });
  const { cluster } = rig;
  cluster.start();
  const [first, ...rest] = when;
  if (first === undefined || !('slotRequestTimeout' in first)) {
    throw new CannotRun(`step ${JSON.stringify(first)} is not known`);
  }
  rig.take(first);
  const states = Object.fromEntries(cluster.tasks.map((task) => [task, cluster.stateOf(task).toUpperCase()]));
  const waiting = rig.waitingForSlots.length;
  const attempts = cluster.tasks.map((task) => cluster.attemptOf(task));
  for (const step of rest) rig.take(step);
  const restarted = cluster.tasks.filter((task, index) => cluster.attemptOf(task) !== attempts[index]);
  return {
    statesAfterFailure: someFields(
      Object.fromEntries(Object.entries(states).map(([task, state]): [string, Judge] => [task, equals(state)])),
    ),
    pendingSlotRequestsAfterFailure: equals(waiting),
    restarts: equalsAs(sortedSets, [restarted]),
  };
};

/** Handler of deployments, of the area `scheduling`. */
export const deploymentHandlers: Readonly<Record<string, Handler>> = { deployment };

/** Handler of failovers before anything is deployed, of the area `failover`. */
export const schedulerFailoverHandlers: Readonly<Record<string, Handler>> = { 'scheduler-failover': schedulerFailover };

/** When statuses were entered: which ones, and `A <= B`. */
function timestamps(events: readonly JobEvent[]): Record<string, Judge> {
  const atMs = new Map<string, number>();
  for (const event of events) {
    if (event.type === 'job.statusChanged') atMs.set(event.status.toUpperCase(), event.atMs);
  }
  return {
    timestampsSet: (expected) => {
      const wanted = listOf<string>(expected, 'timestampsSet');
      return equals(wanted.filter((status) => atMs.has(status)))(wanted);
    },
    order: (expected) => {
      const [, earlier, later] = /^(\w+) <= (\w+)$/.exec(textOf(expected)) ?? [];
      const times = [earlier, later].map((status) => atMs.get(status ?? ''));
      if (times.includes(undefined)) throw new CannotRun(`order ${JSON.stringify(expected)} is not known`);
      return equals((times[0] as number) <= (times[1] as number))(true);
    },
  };
}

function kindOf(cause: Error | undefined): string | undefined {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code.toLowerCase().replaceAll('_', '-') : undefined;
}

function oneOf<Name extends string>(names: readonly Name[], given: unknown, what: string): Name | undefined {
  if (given === undefined) return undefined;
  const name = names.find((known) => known === given);
  if (name === undefined) throw new CannotRun(`${what} ${JSON.stringify(given)} is not known`);
  return name;
}

const sortedNames = (names: readonly string[]): string[] => [...names].sort();

/** `N` is any number, and `N+50` that many more. */
function numberOf(given: unknown, what: string): number {
  const [, more = '0'] = /^N(?:\+(\d+))?$/.exec(String(given)) ?? [];
  const number = typeof given === 'string' && given.startsWith('N') ? anyNumber + Number(more) : given;
  if (typeof number !== 'number') throw new CannotRun(`${what} ${JSON.stringify(given)} is not known`);
  return number;
}

/** The number is the expected one, which may be `N`. */
function numbered(actual: number): Judge {
  return (expected) => equals(actual)(typeof expected === 'string' ? numberOf(expected, 'number') : expected);
}

function sizedVertices(given: unknown): ReturnType<typeof givenVertices> {
  return givenVertices(
    listOf<{ readonly id: string; readonly parallelism?: unknown }>(given, 'vertices').map((vertex) =>
      typeof vertex?.parallelism === 'string'
        ? { ...vertex, parallelism: numberOf(vertex.parallelism, 'parallelism') }
        : vertex,
    ),
  );
}
