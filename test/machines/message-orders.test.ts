import type { TaskStatistics } from '../../src/actors/protocol/deployment.ts';
import type {
  ExecutorPort,
  ExecutorToMasterMessage,
  MasterToExecutorMessage,
} from '../../src/actors/protocol/messages.ts';
import { isTerminalJobStatus } from '../../src/actors/protocol/states.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId } from '../../src/ids.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { protocolVersion } from '../../src/version.ts';
import { ManualCluster } from '../support/manual-cluster.ts';

const statistics: TaskStatistics = { recordsIn: 0, recordsOut: 0, isCurtailed: false };

/** A small executor, and the messages on their way to and from it. */
class Wire implements ExecutorPort {
  readonly toExecutor: MasterToExecutorMessage[] = [];
  readonly toMaster: ExecutorToMasterMessage[] = [];
  readonly tasks = new Map<ExecutionVertexId, AttemptNumber>();
  /** Reports that were delivered, to be delivered again. */
  readonly old: ExecutorToMasterMessage[] = [];
  isClosed = false;
  #deliver: (message: ExecutorToMasterMessage) => void = () => {};
  #closed: (why: string) => void = () => {};

  post(message: MasterToExecutorMessage): void {
    if (!this.isClosed) this.toExecutor.push(message);
  }

  onMessage(listener: (message: ExecutorToMasterMessage) => void): void {
    this.#deliver = listener;
  }

  onClose(listener: (why: string) => void): void {
    this.#closed = listener;
  }

  onSent(): void {}

  close(why: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const queue of [this.toExecutor, this.toMaster]) queue.length = 0;
    this.tasks.clear();
    this.#closed(why);
  }

  deliverToMaster(message = this.toMaster.shift()): void {
    if (message === undefined || this.isClosed) return;
    this.old.push(message);
    this.#deliver(message);
  }

  deliverToExecutor(): void {
    const message = this.toExecutor.shift();
    switch (message?.type) {
      case 'results.register':
        this.toMaster.push({ type: 'results.registered', token: message.token, failed: undefined });
        return;
      case 'results.verify': {
        const found = message.ids.map((id) => ({ id, records: 1, bytes: 1 }));
        this.toMaster.push({ type: 'results.verified', token: message.token, lost: [], found });
        return;
      }
      case 'task.deploy': {
        const { vertex, attempt } = message.deployment;
        this.tasks.set(vertex, attempt);
        this.toMaster.push({ type: 'task.initializing', vertex, attempt }, { type: 'task.running', vertex, attempt });
        return;
      }
      case 'task.cancel':
        if (this.tasks.get(message.vertex) === message.attempt) this.end(message.vertex, 'canceled');
        return;
      case 'executor.quarantine':
        this.tasks.clear();
        return;
      default:
    }
  }

  end(vertex: ExecutionVertexId, how: 'finished' | 'failed' | 'canceled'): void {
    const task = { vertex, attempt: this.tasks.get(vertex) as AttemptNumber, statistics };
    this.tasks.delete(vertex);
    if (how !== 'failed') this.toMaster.push({ type: `task.${how}`, ...task });
    else {
      const cause = toPlainError(new Error('it broke'));
      this.toMaster.push({ type: 'task.failed', ...task, cause, place: undefined });
    }
  }
}

/** What may happen once, at any time. */
type Strike =
  | 'a task fails'
  | 'an executor is lost'
  | 'the job is canceled'
  | 'a report of an earlier attempt arrives again';

//  (a) ═reliable═▶ (b)     two regions, each on an executor of its own
class World {
  readonly cluster = new ManualCluster({
    vertices: [
      { id: 'a', parallelism: 1 },
      { id: 'b', parallelism: 1 },
    ],
    edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.reliable }],
    slots: 0,
  });
  readonly wires: Wire[] = [];
  readonly left: Strike[];

  constructor(strikes: readonly Strike[]) {
    this.left = [...strikes];
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

  /** Nothing is on its way: timers pass. */
  pass(): void {
    this.cluster.clock.advance(200);
  }

  act(name: string): void {
    if (name === 'time passes') this.pass();
    else this.next().get(name)?.();
    this.cluster.clock.advance(0);
  }

  get key(): string {
    const { cluster, wires, left } = this;
    const tasks = cluster.tasks.map((task) => [cluster.stateOf(task), cluster.attemptOf(task)]);
    const regions = cluster.tasks.map((task) => cluster.regionStateOf(task));
    const queues = wires.map(({ toExecutor, toMaster, tasks: running, isClosed }) => [
      toExecutor.map(({ type }) => type),
      toMaster.map((message) => [message.type, 'attempt' in message && message.attempt]),
      [...running],
      isClosed,
    ]);
    return JSON.stringify([cluster.status, cluster.isRestarting, tasks, regions, queues, left]);
  }

  #strikes(strike: Strike): [string, () => void][] {
    const once = (name: string, act: () => void): [string, () => void] => [
      name,
      () => {
        this.left.splice(this.left.indexOf(strike), 1);
        act();
      },
    ];
    switch (strike) {
      case 'a task fails':
        return this.wires.flatMap((wire) =>
          [...wire.tasks.keys()].map((vertex) => once(`${vertex} fails`, () => wire.end(vertex, 'failed'))),
        );
      case 'an executor is lost':
        return this.wires.flatMap((wire, index) => {
          const lose = (): void => {
            wire.close('switched off');
            this.#connect();
          };
          return wire.isClosed ? [] : [once(`${index} is lost`, lose)];
        });
      case 'the job is canceled':
        return [once('cancel', () => this.cluster.tell({ type: 'job.cancel' }))];
      case 'a report of an earlier attempt arrives again':
        return this.wires.flatMap((wire, index) =>
          wire.old.flatMap((message, at) =>
            'attempt' in message && message.attempt < this.cluster.ledger.attemptOf(message.vertex)
              ? [once(`${index} repeats ${at}`, () => wire.deliverToMaster(message))]
              : [],
          ),
        );
    }
  }

  #connect(): void {
    const wire = new Wire();
    const incarnation = this.wires.push(wire);
    this.cluster.connections.accept(`executor-${incarnation}` as ExecutorId, wire);
    wire.toMaster.push({ type: 'executor.connected', protocol: protocolVersion, incarnation, slots: 2 });
    wire.deliverToMaster();
    wire.old.length = 0;
  }
}

const mostStates = 250;

/** Walks through every state that some order of messages leads to, up to a limit, and calls `atEnd` where nothing follows. */
function walk(strikes: readonly Strike[], atEnd: (world: World, path: readonly string[]) => void): number {
  const seen = new Set<string>();
  const paths: (readonly string[])[] = [[]];
  let before: World | undefined;
  for (let path = paths.pop(); path !== undefined && seen.size < mostStates; path = paths.pop()) {
    // The path that was pushed last goes on in the world at hand. Others begin anew.
    const world = before ?? new World(strikes);
    for (const name of before === undefined ? path : path.slice(-1)) world.act(name);
    before = undefined;
    const { key } = world;
    if (seen.has(key)) continue;
    seen.add(key);
    const names = [...world.next().keys()];
    if (names.every((name) => !/hears|is heard|ends on/.test(name))) {
      if (isTerminalJobStatus(world.cluster.status)) {
        atEnd(world, path);
        continue;
      }
      names.push('time passes');
    }
    for (const name of names) paths.push([...path, name]);
    before = world;
  }
  return seen.size;
}

describe('a job of two regions, whatever order its messages arrive in', () => {
  it.each<{ strikes: readonly Strike[] }>([
    { strikes: [] },
    { strikes: ['a task fails'] },
    { strikes: ['an executor is lost'] },
    { strikes: ['the job is canceled'] },
    { strikes: ['a task fails', 'a report of an earlier attempt arrives again'] },
    { strikes: ['a task fails', 'an executor is lost'] },
    { strikes: ['an executor is lost', 'the job is canceled'] },
  ])('E1–E6, R1–R7, J2, J4: its charts end right, with $strikes', ({ strikes }) => {
    let endings = 0;
    const states = walk(strikes, ({ cluster, left, wires }, path) => {
      const isCanceled = strikes.includes('the job is canceled') && !left.includes('the job is canceled');
      const disturbed = strikes.filter((strike) => !left.includes(strike) && !/canceled|earlier/.test(strike)).length;
      const end = {
        status: cluster.status,
        tasks: cluster.tasks.map((task) => cluster.stateOf(task)),
        regions: cluster.tasks.map((task) => cluster.regionStateOf(task)),
        running: wires.flatMap(({ tasks }) => [...tasks]),
        waiting: cluster.ledger.slots.pendingRequests,
        globalFailures: cluster.events.filter((event) => event.type === 'task.failed' && event.task === undefined),
        isFailedTooOften: cluster.events.filter(({ type }) => type === 'task.failed').length > disturbed,
      };
      const whole = isCanceled && cluster.status === 'canceled' ? 'canceled' : 'finished';
      const ends = whole === 'canceled' ? ['canceled', 'finished', 'failed'] : ['finished'];
      const isEnded = (state: string | undefined): boolean => state !== undefined && ends.includes(state);
      expect({ path, ...end, tasks: end.tasks.every(isEnded), regions: end.regions.every(isEnded) }).toEqual({
        path,
        status: whole,
        tasks: true,
        regions: true,
        running: [],
        waiting: 0,
        globalFailures: [],
        isFailedTooOften: false,
      });
      endings++;
    });
    expect(states).toBeGreaterThan(50);
    expect(endings).toBeGreaterThan(0);
  });
});
