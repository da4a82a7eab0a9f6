import { isDeepStrictEqual } from 'node:util';
import { type AnyActorRef, createActor } from 'xstate';
import { delayActor } from '../../src/actors/delay-actor.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { heartbeatActions } from '../../src/machines/heartbeat/heartbeat-actions.ts';
import { type HeartbeatInput, heartbeatMachine } from '../../src/machines/heartbeat/heartbeat-machine.ts';
import { resolveRunOptions } from '../../src/run/run-options.ts';
import { HandClock, ManualCluster } from '../support/manual-cluster.ts';
import { CannotRun, equals, type Handler, type Judge, knowing, onlyKnown, perStep } from './conformance-case.ts';
import { givenEdges, listOf, textOf } from './given-graph.ts';

const machine = heartbeatMachine.provide({ actors: { delay: delayActor }, actions: heartbeatActions });

type Given = Readonly<Record<string, unknown>>;
type Step = Readonly<Record<string, unknown>>;

/** Who sends requests, and who answers them. */
const roles: readonly unknown[] = ['sender', 'manager', 'receiver'];

function numberOf(value: unknown, what: string): number {
  if (typeof value !== 'number') throw new CannotRun(`${what} ${JSON.stringify(value)} is no number`);
  return value;
}

function isObject(value: unknown): value is Given {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Longer than any case. */
const never = 2 ** 30;

/** What an end of a connection has noticed. */
interface Noticed {
  readonly timedOut: string[];
  readonly unreachable: string[];
  readonly payloads: unknown[];
  readonly sent: { readonly to: string; readonly payload: unknown }[];
}

/** One end, which has a chart for each target that it monitors, as the master and the executors have. */
class End {
  readonly noticed: Noticed = { timedOut: [], unreachable: [], payloads: [], sent: [] };
  readonly #given: Given;
  readonly #clock: HandClock;
  readonly #targets = new Map<string, ReturnType<typeof createActor<typeof machine>>>();
  /** Sends a request to a target. */
  ask: (target: string) => void = () => {};

  constructor(given: Given, clock: HandClock) {
    this.#given = given;
    this.#clock = clock;
    const { role } = given;
    if (role !== undefined && !roles.includes(role)) throw new CannotRun(`role ${JSON.stringify(role)} is not known`);
    numberOf(given['timeoutMs'], 'timeoutMs');
    // A sender asks at each period, and its requests carry what is for the target.
    if (role === 'sender') this.ask = (target) => this.#send(target);
  }

  /** The time after which it asks by itself; the others never do. */
  get periodMs(): number {
    const { periodMs, role, timeoutMs } = this.#given;
    return numberOf(periodMs ?? (role === 'sender' ? numberOf(timeoutMs, 'timeoutMs') / 5 : never / 2), 'periodMs');
  }

  monitor(target: string): void {
    const { timeoutMs, failedRpcThreshold = -1 } = this.#given;
    const failedSends = numberOf(failedRpcThreshold, 'failedRpcThreshold');
    const input: HeartbeatInput = {
      clock: this.#clock,
      intervalMs: this.periodMs,
      timeoutMs: numberOf(timeoutMs, 'timeoutMs'),
      failedSends: failedSends === -1 ? Infinity : failedSends,
      peer: {
        beat: () => this.ask(target),
        ask: () => this.ask(target),
        answer: () => this.#send(target),
        take: (payload) => this.noticed.payloads.push(payload),
        lost: (why) => this.noticed[why.includes('could not be sent') ? 'unreachable' : 'timedOut'].push(target),
      },
    };
    this.unmonitor(target);
    this.#targets.set(target, createActor(machine, { input }).start());
  }

  unmonitor(target: string): void {
    this.#targets.get(target)?.stop();
    this.#targets.delete(target);
  }

  #send(target: string): void {
    const { ownPayload, payloadPerTarget = {} } = this.#given;
    if (!isObject(payloadPerTarget)) throw new CannotRun('given payloadPerTarget is no object');
    this.noticed.sent.push({ to: target, payload: ownPayload ?? payloadPerTarget[target] ?? payloadPerTarget['*'] });
  }

  send(target: string, event: Parameters<AnyActorRef['send']>[0]): void {
    this.#targets.get(target)?.send(event as never);
  }

  /** The catalogue's words: −1 for an unknown target, 0 for one that was never heard. */
  lastHeartbeat(target: string): number {
    const actor = this.#targets.get(target);
    return actor === undefined ? -1 : (actor.getSnapshot().context.heardMs ?? 0);
  }
}

/** The targets in `noticed` since the step before. */
const since = <Value>(values: Value[]): Value[] => values.splice(0);

const manager: Handler = ({ given, when }) => {
  if (given['pair'] !== undefined) return pair(given, when);
  const clock = new HandClock();
  const end = new End(given, clock);
  const { timedOut, payloads, sent } = end.noticed;
  const heard: Judge[] = [];
  const timeouts: Record<string, string[]> = {};
  const received: Record<string, unknown> = {};
  const perStepTimeouts: Judge[] = [];
  const monitored: string[] = [];
  for (const step of when) {
    const { at = clock.now() } = step;
    clock.advance(at === 'now' ? 1 : Math.max(0, numberOf(at, 'at') - clock.now()));
    const target = ['check', 'exchange'].includes(step['op'] as string) ? '' : textOf(step['target'] ?? step['from']);
    let judge: Judge = equals(null);
    switch (step['op']) {
      case 'monitor':
        monitored.push(target);
        end.monitor(target);
        break;
      case 'unmonitor':
        end.unmonitor(target);
        break;
      case 'heartbeat':
        end.send(target, { type: 'heartbeat.heard', payload: step['payload'] });
        break;
      case 'heartbeatRequest':
        end.send(target, { type: 'heartbeat.requested', payload: step['payload'] });
        break;
      case 'lastHeartbeat': {
        const last = end.lastHeartbeat(target);
        const now = clock.now();
        judge = (expected) => equals(expected === '>= now' && last >= now ? expected : last)(expected);
        break;
      }
      case 'exchange':
        if (given['role'] === 'sender') clock.advance(end.periodMs);
        else for (const other of monitored) end.send(other, { type: 'heartbeat.requested' });
        for (const { to, payload } of sent) received[to] = payload;
        break;
      case 'check':
        timeouts[String(step['at'])] = [...timedOut];
        break;
    }
    heard.push(judge);
    perStepTimeouts.push(equals([...timedOut]));
  }
  return {
    lastHeartbeat: perStep(heard),
    timedOut: equals(timeouts),
    timeoutsPerStep: perStep(perStepTimeouts),
    payloadsReported: equals(payloads),
    heartbeatsSent: equals(sent),
    payloadReceivedBy: equals(received),
  };
};

/** A sender that asks at each period, and a receiver that answers. */
function pair(given: Given, when: readonly Step[]) {
  const { timeoutMs, periodMs, pair: ends, ...others } = given;
  onlyKnown(others, [], 'given');
  if (!isDeepStrictEqual(ends, ['sender', 'receiver']))
    throw new CannotRun(`pair ${JSON.stringify(ends)} is not known`);
  numberOf(periodMs, 'periodMs');
  const clock = new HandClock();
  const [sender, receiver] = [new End({ timeoutMs, periodMs }, clock), new End({ timeoutMs }, clock)];
  const isStopped = { sender: false, receiver: false };
  const reports: number[] = [];
  sender.monitor('receiver');
  receiver.monitor('sender');
  sender.ask = () => {
    if (isStopped.sender || isStopped.receiver) return;
    receiver.send('sender', { type: 'heartbeat.requested' });
    sender.send('receiver', { type: 'heartbeat.heard' });
  };
  const timeouts: Judge[] = [];
  for (const step of when) {
    if (step['op'] === 'run') clock.advance(numberOf(step['forMs'], 'forMs'));
    else if (step['op'] === 'stop') {
      const { target } = step;
      if (target !== 'sender' && target !== 'receiver') throw new CannotRun(`${JSON.stringify(target)} is neither end`);
      isStopped[target] = true;
      (target === 'sender' ? sender : receiver).unmonitor(target === 'sender' ? 'receiver' : 'sender');
    } else throw new CannotRun(`a pair does not know "${step['op'] as string}"`);
    timeouts.push(
      equals([
        ...since(sender.noticed.timedOut).map((name) => `${name} (seen by sender)`),
        ...since(receiver.noticed.timedOut).map((name) => `${name} (seen by receiver)`),
      ]),
    );
    reports.push(since(sender.noticed.payloads).length);
  }
  const [first = 0] = reports;
  return {
    timeoutsPerStep: perStep(timeouts),
    // The catalogue counts half of the periods of the step.
    reportsInStep1AtLeast: equals(Math.min(first, Number(when[0]?.['forMs']) / sender.periodMs / 2)),
  };
}

const reachability: Handler = ({ given, when }) => {
  const clock = new HandClock();
  const end = new End(given, clock);
  const judges = when.map((step) => {
    const { op, ok, at = clock.now() } = step;
    const target = textOf(step['target']);
    clock.advance(Math.max(0, numberOf(at, 'at') - clock.now()));
    if (op === 'monitor') end.monitor(target);
    else if (op === 'unmonitor') end.unmonitor(target);
    else {
      if (typeof ok !== 'boolean') throw new CannotRun(`ok ${JSON.stringify(ok)} is not known`);
      // A sender has something to send at each period alone.
      if (given['role'] === 'sender') clock.advance(end.periodMs);
      end.send(target, { type: ok ? 'heartbeat.sent' : 'heartbeat.sendFailed' });
    }
    return equals(since(end.noticed.unreachable));
  });
  return { unreachablePerStep: perStep(judges) };
};

const defaults: Handler = () => {
  const { heartbeat } = resolveRunOptions({ heartbeat: {} });
  return {
    intervalMs: equals(heartbeat?.intervalMs),
    timeoutMs: equals(heartbeat?.timeoutMs),
    failedRpcThreshold: equals(heartbeat?.failedSends),
  };
};

/** A silent executor of the real master: its attempts fail, its results are lost, and its slots are gone. */
const consequence: Handler = ({ given, when }) => {
  const { taskManagers, localPartitions } = given;
  if (!isObject(taskManagers)) throw new CannotRun('given taskManagers is no object');
  const names = Object.keys(taskManagers);
  const tasksOf = (name: string): readonly string[] => listOf<string>(taskManagers[name], 'taskManagers');
  const parallelism = names.length;
  const [edge, ...more] = givenEdges(given['edges']);
  if (edge === undefined || more.length > 0 || edge.exchange.name !== 'BLOCKING') {
    throw new CannotRun('one blocking edge is needed');
  }
  const [{ heartbeatTimeout } = {}, ...later] = when;
  const silent = names.indexOf(String(heartbeatTimeout));
  if (silent === -1 || later.length > 0) throw new CannotRun('one task manager of the case must be silent');
  const cluster = new ManualCluster({
    vertices: [
      { id: edge.from, parallelism },
      { id: edge.to, parallelism },
    ],
    edges: [{ from: edge.from, to: edge.to, exchange: exchangeTypes.blocking, pattern: edge.pattern }],
    slots: 0,
    heartbeat: { intervalMs: 10, timeoutMs: 100, failedSends: Infinity },
  });
  for (const name of names) cluster.addExecutor(name, tasksOf(name).length);
  cluster.start();
  cluster.runAll();
  for (let index = 0; index < parallelism; index++) cluster.report(`${edge.from}[${index}]`, 'finished');
  cluster.runAll();
  const executorOf = (task: string) => cluster.ledger.attempts.executorOf(cluster.vertex(task));
  const placed = Object.fromEntries(
    names.map((name) => [name, cluster.tasks.filter((task) => executorOf(task) === name)]),
  );
  const results = Object.fromEntries(
    names.map((name) => [
      name,
      placed[name]?.filter((task) => task.startsWith(`${edge.from}[`)).map((task) => `${task}->${edge.to}`),
    ]),
  );
  if (!isDeepStrictEqual(placed, taskManagers) || !isDeepStrictEqual(results, localPartitions ?? results)) {
    throw new CannotRun(`tasks that are elsewhere than ours, ${JSON.stringify(placed)}, are not known`);
  }
  const onSilent = cluster.tasks.filter((task) => executorOf(task) === names[silent]);
  const running = onSilent.filter((task) => cluster.stateOf(task) === 'running');
  const partitionsOf = (task: string) => [...cluster.ledger.graph.partitionsOf(cluster.vertex(task))];
  for (let time = 0; time < 20; time++) {
    for (const [index, name] of names.entries()) {
      const tasks = cluster.tasks
        .filter((task) => executorOf(task) === name && cluster.stateOf(task) === 'running')
        .map((task) => ({
          ...{ vertex: cluster.vertex(task), attempt: cluster.attemptOf(task) as never, state: 'running' as const },
          ...{ recordsIn: 0, recordsOut: 0, waitedMs: 0 },
        }));
      if (index !== silent)
        cluster.say({ type: 'heartbeat.report', answers: 0, tasks, memoryBytes: 0, diskBytes: 0 }, index);
    }
    cluster.clock.advance(10);
    if (cluster.events.some(({ type }) => type === 'executor.lost')) break;
  }
  const failed = cluster.events.flatMap((event) =>
    event.type === 'task.failed' ? [event.task as string, ...(event.alsoFailed ?? [])] : [],
  );
  const untracked = onSilent
    .filter((task) => task.startsWith(edge.from))
    .filter((task) => partitionsOf(task).every((partition) => !cluster.ledger.isPartitionReadable(partition)));
  const hasAllFailed = failed.length === running.length && running.every((task) => failed.includes(task));
  // Slots that are back would be granted again.
  cluster.clock.advance(100);
  const areGone = cluster.tasks.every(
    (task) => cluster.stateOf(task) === 'finished' || executorOf(task) !== names[silent],
  );
  return {
    failedAttempts: equals(hasAllFailed ? [`everything on ${names[silent]} not yet terminal`] : failed),
    partitionsNoLongerTracked: equals(untracked.map((task) => `${task}->${edge.to}`)),
    slotsReleased: equals(areGone ? `all of ${names[silent]}` : 'not all'),
  };
};

export const heartbeatHandlers = {
  manager: knowing(
    {
      given: ['timeoutMs', 'periodMs', 'pair', 'role', 'ownPayload', 'payloadPerTarget'],
      ops: {
        monitor: ['target', 'at'],
        unmonitor: ['target', 'at'],
        heartbeat: ['from', 'at', 'payload'],
        heartbeatRequest: ['from', 'at', 'payload'],
        lastHeartbeat: ['target', 'at'],
        exchange: ['at'],
        check: ['at'],
        run: ['forMs'],
        stop: ['target'],
      },
    },
    manager,
  ),
  reachability: knowing(
    {
      given: ['timeoutMs', 'failedRpcThreshold', 'role'],
      ops: { monitor: ['target', 'at'], unmonitor: ['target', 'at'], heartbeatRpc: ['target', 'at', 'ok'] },
    },
    reachability,
  ),
  consequence: knowing(
    { given: ['taskManagers', 'edges', 'localPartitions'], steps: ['heartbeatTimeout'] },
    consequence,
  ),
  defaults: knowing({ given: [], ops: { defaults: [] } }, defaults),
};
