import type { ActorColumns, ActorsLine, RecordedActor } from '../recording-line.ts';

/** An actor, and its state now or when it stopped. */
export interface KnownActor extends RecordedActor {
  readonly startedMs: number;
  /** Paths of active leaves; empty if unknown. */
  states: readonly string[];
  stoppedMs: number | undefined;
}

/** How often actors of one chart went from one state value to another. */
export interface StateMove {
  readonly from: readonly string[];
  readonly to: readonly string[];
  count: number;
}

/** Stopped actors that are kept: those with states, and those without, of which there is nothing to see. */
const mostStopped = 10_000;
const mostStateless = 500;

const unknown: readonly string[] = Object.freeze([]);

/** The actors of a run, and the moves between states that they made, by chart. */
export class ActorTable {
  readonly #byNumber = new Map<number, KnownActor>();
  /** Stopped actors, in the order in which they stopped: those with states, and those without. */
  readonly #stopped = new Set<number>();
  readonly #stateless = new Set<number>();
  readonly #movesByChart = new Map<string, Map<string, StateMove>>();
  /** State values, each once: thousands of actors share them. */
  readonly #values = new Map<string, readonly string[]>([['', unknown]]);

  constructor(plain?: ActorColumns) {
    if (plain === undefined) return;
    const values = plain.states.map((states) => this.#value(states));
    for (const [at, actor] of plain.actor.entries()) {
      this.#byNumber.set(actor, {
        actor,
        id: plain.id[at] as string,
        chart: plain.charts[plain.chart[at] ?? -1],
        parent: plain.parent[at] ?? undefined,
        startedMs: plain.startedMs[at] as number,
        states: values[plain.state[at] as number] ?? unknown,
        stoppedMs: plain.stoppedMs[at] ?? undefined,
      });
    }
    const ended = [...this.#byNumber.values()].filter((one) => one.stoppedMs !== undefined);
    for (const { actor, chart } of ended.sort((a, b) => (a.stoppedMs as number) - (b.stoppedMs as number))) {
      (chart === undefined ? this.#stateless : this.#stopped).add(actor);
    }
    for (const [chart, from, to, count] of plain.moves) {
      this.#move(plain.charts[chart] as string, values[from] ?? unknown, values[to] ?? unknown, count);
    }
  }

  /** In the order of their creation. */
  get all(): IterableIterator<KnownActor> {
    return this.#byNumber.values();
  }

  get(actor: number): KnownActor | undefined {
    return this.#byNumber.get(actor);
  }

  /** The moves of the actors of a chart. */
  movesOf(chart: string): StateMove[] {
    return [...(this.#movesByChart.get(chart)?.values() ?? [])];
  }

  /** Takes a line. O(what it names). */
  next({ atMs, started, states, stopped }: ActorsLine): void {
    for (const one of started) {
      this.#byNumber.set(one.actor, { ...one, startedMs: atMs, states: unknown, stoppedMs: undefined });
    }
    for (const [number, after] of states) {
      const actor = this.#byNumber.get(number);
      if (actor === undefined) continue;
      const before = actor.states;
      actor.states = this.#value(after);
      if (actor.chart !== undefined) this.#move(actor.chart, before, actor.states, 1);
    }
    for (const number of stopped) this.#stop(number, atMs);
  }

  toPlain(): ActorColumns {
    const charts = new Numbering<string>();
    const states = new Numbering<readonly string[]>();
    const actors = [...this.#byNumber.values()];
    return {
      actor: actors.map(({ actor }) => actor),
      id: actors.map(({ id }) => id),
      chart: actors.map(({ chart }) => (chart === undefined ? null : charts.numberOf(chart))),
      parent: actors.map(({ parent }) => parent ?? null),
      state: actors.map((actor) => states.numberOf(actor.states)),
      startedMs: actors.map(({ startedMs }) => startedMs),
      stoppedMs: actors.map(({ stoppedMs }) => stoppedMs ?? null),
      moves: [...this.#movesByChart].flatMap(([chart, moves]) =>
        Array.from(
          moves.values(),
          ({ from, to, count }) => [charts.numberOf(chart), states.numberOf(from), states.numberOf(to), count] as const,
        ),
      ),
      charts: charts.items,
      states: states.items,
    };
  }

  #stop(number: number, atMs: number): void {
    const actor = this.#byNumber.get(number);
    if (actor === undefined || actor.stoppedMs !== undefined) return;
    actor.stoppedMs = atMs;
    const [stopped, most] = actor.chart === undefined ? [this.#stateless, mostStateless] : [this.#stopped, mostStopped];
    stopped.add(number);
    if (stopped.size <= most) return;
    const [oldest] = stopped;
    stopped.delete(oldest as number);
    this.#byNumber.delete(oldest as number);
  }

  #value(states: readonly string[]): readonly string[] {
    const key = states.join('\n');
    let value = this.#values.get(key);
    if (value === undefined) this.#values.set(key, (value = states));
    return value;
  }

  #move(chart: string, from: readonly string[], to: readonly string[], count: number): void {
    let moves = this.#movesByChart.get(chart);
    if (moves === undefined) this.#movesByChart.set(chart, (moves = new Map()));
    const key = `${from.join('\n')}\n\n${to.join('\n')}`;
    const move = moves.get(key);
    if (move === undefined) moves.set(key, { from, to, count });
    else move.count += count;
  }
}

/** Numbers distinct items from 0. */
class Numbering<Item> {
  readonly items: Item[] = [];
  readonly #numbers = new Map<Item, number>();

  numberOf(item: Item): number {
    let number = this.#numbers.get(item);
    if (number === undefined) this.#numbers.set(item, (number = this.items.push(item) - 1));
    return number;
  }
}
