import { isTerminalJobStatus } from '../../../src/actors/protocol/states.ts';
import type { JobCharts } from '../../../src/machines/job-services.ts';
import { type Strike, World } from './order-world.ts';

/** What may disturb a job of two regions, each once, and the charts that it runs with: by default those of the engine. */
export interface Orders {
  readonly strikes: readonly Strike[];
  readonly charts?: JobCharts;
}

export interface Walked {
  /** States that were met. */
  readonly states: number;
  /** Those in which the job has ended. */
  readonly endings: number;
}

/** A state that was met: what may happen next, and where that leads, as far as it was tried. */
interface Met {
  readonly untried: string[];
  /** Nothing untried lies ahead of it. */
  isDone: boolean;
  readonly keyByName: Map<string, string>;
}

export const ordersOfTwoRegions: readonly Orders[] = [
  { strikes: [] },
  { strikes: ['a task fails'] },
  { strikes: ['the job is canceled'] },
  { strikes: ['a task is canceled unasked'] },
  { strikes: ['an executor is lost'] },
  { strikes: ['an executor is given up'] },
  { strikes: ['an executor starts anew'] },
  { strikes: ['an executor falls silent'] },
  { strikes: ['messages change places'] },
  { strikes: ['a message arrives twice'] },
  { strikes: ['a report is made again'] },
  { strikes: ['a task fails', 'a report of an earlier attempt is made again'] },
  { strikes: ['a task fails', 'an executor is lost'] },
  { strikes: ['an executor is lost', 'the job is canceled'] },
];

/** In turns of `World`: longer than anything that is waited for. */
const longestWait = 300;

/** An order that ends wrong. */
class WrongOrderError extends Error {
  constructor(path: readonly string[], why: string) {
    super(`${why}, after:\n  ${path.join('\n  ')}`);
    this.name = 'WrongOrderError';
  }
}

/**
 * Walks through the states that some order of messages leads to, every step out of each once, and looks whether what
 * holds at any time holds there, and whether the job ends, and ends right.
 * @throws WrongOrderError with the order that does not
 */
export function walkOrders(orders: Orders, mostStates = Number.POSITIVE_INFINITY): Walked {
  return new Walk(orders).run(mostStates);
}

class Walk {
  readonly #orders: Orders;
  readonly #metByKey = new Map<string, Met>();
  #endings = 0;
  #world: World;
  #key: string;
  #path: string[] = [];

  constructor(orders: Orders) {
    this.#orders = orders;
    this.#world = this.#begin();
    this.#key = this.#arrive();
  }

  run(mostStates: number): Walked {
    let names = this.#way();
    while (names !== undefined && this.#metByKey.size < mostStates) {
      for (const name of names) this.#step(name);
      names = this.#way() ?? this.#wayFromStart();
    }
    return { states: this.#metByKey.size, endings: this.#endings };
  }

  #begin(): World {
    return new World(this.#orders.strikes, this.#orders.charts);
  }

  #step(name: string): void {
    const from = this.#metByKey.get(this.#key);
    this.#path.push(name);
    if (name === 'time passes') this.#wait();
    else this.#world.act(name);
    const before = from?.keyByName.get(name);
    this.#key = this.#arrive();
    if (before !== undefined && before !== this.#key) this.#wrong('the same step has led elsewhere');
    from?.keyByName.set(name, this.#key);
  }

  /** Looks at the state that was reached. Returns its key. */
  #arrive(): string {
    const { key } = this.#world;
    if (!this.#metByKey.has(key))
      this.#metByKey.set(key, { untried: this.#look(), isDone: false, keyByName: new Map() });
    return key;
  }

  /** Returns what may happen next. */
  #look(): string[] {
    const { unfounded } = this.#world;
    if (unfounded.length > 0) this.#wrong(unfounded.join(', '));
    const names = [...this.#world.next().keys()];
    if (names.some((name) => /hears|is heard|ends on/.test(name))) return names;
    if (!isTerminalJobStatus(this.#world.cluster.status)) return [...names, 'time passes'];
    const [end, right] = [endOf(this.#world), rightEnd(this.#world, this.#orders.strikes)].map((one) =>
      JSON.stringify(one),
    );
    if (end !== right) this.#wrong(`it ends as ${end} instead of ${right}`);
    this.#endings++;
    return [];
  }

  /** A way from a state to a step that was not tried, and that step. States never come back: attempts and strikes count. */
  #way(key = this.#key): string[] | undefined {
    const met = this.#metByKey.get(key) as Met;
    if (met.isDone) return undefined;
    const next = met.untried.pop();
    if (next !== undefined) return [next];
    for (const [name, to] of met.keyByName) {
      const way = this.#way(to);
      if (way === undefined) continue;
      // The next time another way is taken, so that no part of the states is used up long before the others.
      met.keyByName.delete(name);
      met.keyByName.set(name, to);
      return [name, ...way];
    }
    met.isDone = true;
    return undefined;
  }

  #wayFromStart(): string[] | undefined {
    this.#world = this.#begin();
    this.#path = [];
    this.#key = this.#arrive();
    return this.#way();
  }

  /** Nothing else can happen: something is due, or nobody would ever know how the job ends. */
  #wait(): void {
    for (let waited = 0; waited < longestWait; waited++) {
      this.#world.act('time passes');
      if (this.#world.key !== this.#key) return;
    }
    this.#wrong(`nothing happens any more in a job that is ${this.#world.cluster.status}`);
  }

  #wrong(why: string): never {
    throw new WrongOrderError(this.#path, why);
  }
}

function endOf({ cluster, wires }: World) {
  const failed = cluster.events.flatMap((event) => (event.type === 'task.failed' ? [event] : []));
  return {
    status: cluster.status,
    tasks: [...new Set(cluster.tasks.map((task) => cluster.stateOf(task)))].sort(),
    regions: [...new Set(cluster.tasks.map((task) => cluster.regionStateOf(task)))].sort(),
    running: wires.flatMap(({ tasks }) => [...tasks]),
    waiting: cluster.ledger.slots.pendingRequests,
    globalFailures: failed.filter(({ task }) => task === undefined).length,
    failures: failed.length,
  };
}

/** A job that is told to end does so; any other one finishes, with at most a failure for each disturbance. */
function rightEnd(world: World, strikes: readonly Strike[]) {
  const { status, tasks, regions, failures } = endOf(world);
  const struck = (strike: Strike): boolean => strikes.includes(strike) && !world.left.includes(strike);
  // E4, R7: nobody can explain such a report, unless it is about an attempt that is past.
  const may = {
    canceled: struck('the job is canceled'),
    failed: struck('a task is canceled unasked') || struck('a report is made again'),
  };
  const whole = (status === 'canceled' && may.canceled) || (status === 'failed' && may.failed) ? status : 'finished';
  const ended = ['canceled', 'failed', 'finished'];
  const disturbances = strikes.filter((strike) => struck(strike) && !/canceled$|earlier/.test(strike)).length;
  return {
    status: whole,
    tasks: whole === 'finished' ? ['finished'] : tasks.filter((state) => ended.includes(state)),
    regions: whole === 'finished' ? ['finished'] : regions.filter((state) => ended.includes(state ?? '')),
    running: [],
    waiting: 0,
    globalFailures: 0,
    failures: Math.min(failures, disturbances),
  };
}
