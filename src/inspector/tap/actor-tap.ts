import type { AnyActorRef, EventObject, StateValue } from 'xstate';
import type { ActorWatcher } from '../../actors/actor-host.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { RunInside } from '../../run/run-inside.ts';
import type { RecordedActor, TraceLine } from '../recording/recording-line.ts';
import type { ActorLine } from './actor-lines.ts';
import { ActorSequence } from './actor-sequence.ts';
import { ActorTraces } from './actor-traces.ts';
import { type ActorObserver, type WatchedActors, watchActors } from './actor-watch.ts';
import { ChartNames, machineOf } from './chart-names.ts';
import { EngineActors, engineMachines } from './engine-actors.ts';
import { SharedPaths } from './state-paths.ts';
import { isActive, type MachineSnapshot, type Tapped } from './tapped-actor.ts';

export interface ActorTapOptions {
  readonly inside: WatchedActors &
    Pick<RunInside, 'watch' | 'shape' | 'observerFailed'> & {
      readonly environment: { readonly clock: Pick<RunInside['environment']['clock'], 'now' | 'setImmediate'> };
    };
  readonly emit: (line: ActorLine) => void;
  /** Encodes payloads and contexts of focused actors. */
  readonly encode: (value: unknown, path: string) => unknown;
  /**
   * Whether it announces what its hosts create without states, too: the tasks of executors. Default: it does not, because
   * the executions of this thread stand for them.
   */
  readonly withTasks?: boolean;
  /** The numbers and the names of charts that it shares with other taps of the run. Default: its own. */
  readonly numbers?: ActorSequence;
  readonly charts?: ChartNames;
}

/** Errors after which it gives up. */
const mostErrors = 3;

/** What focused actors do in one turn, as far as it is told. */
const mostTraced = 1_000;

/**
 * Follows the actors of a run, and announces what changed, once per turn of the event loop: which actors there are, the
 * definition of each kind of chart once, and state values. Of focused actors also the events.
 *
 * Regions and executions, which are the many, are not announced: their states are events of the job. The others say that
 * they handle an event, which costs them a call. Only while an actor is focused does it use XState's inspection.
 *
 * AT1 It subscribes to no actor, because that would change what an error of the actor does.
 * AT2 An error in it never reaches the run. After some it gives up, with one `observer.failed`.
 * AT3 The end of an actor is announced once, after its last state.
 */
export class ActorTap implements ActorWatcher {
  readonly #options: ActorTapOptions;
  readonly #engine: EngineActors;
  readonly #charts: ChartNames;
  readonly #numbers: ActorSequence;
  readonly #traces: ActorTraces;
  readonly #byRef = new Map<AnyActorRef, Tapped>();
  /** Ended actors that may still be mentioned. */
  readonly #ended = new WeakMap<AnyActorRef, number>();
  /** Actors known from traces alone, which say nothing themselves. */
  readonly #mentioned = new Set<Tapped>();
  /** Changes of this turn. */
  #started: RecordedActor[] = [];
  #changed: Tapped[] = [];
  #ending: Tapped[] = [];
  #traced: TraceLine[] = [];
  #untracedCount = 0;
  /** New exact states of focused regions and executions, by number; undefined for those no longer focused. */
  readonly #exact = new Map<number, StateValue | undefined>();
  readonly #focused = new Set<number>();
  readonly #paths = new SharedPaths();
  #isFlushDue = false;
  #focusedId: string | null = null;
  #errors = 0;
  #stopWatching: (() => void) | undefined;
  #stopTracing: (() => void) | undefined;

  constructor(options: ActorTapOptions) {
    this.#options = options;
    this.#numbers = options.numbers ?? new ActorSequence();
    this.#charts = options.charts ?? new ChartNames();
    this.#engine = new EngineActors(options.inside.shape);
    this.#traces = new ActorTraces({
      numberOf: (ref) => this.#numberOf(ref),
      nowMs: () => this.#nowMs(),
      encode: options.encode,
      emit: (line) => {
        if (this.#traced.length < mostTraced) this.#traced.push(line);
        else this.#untracedCount++;
        this.#flushLater();
      },
    });
  }

  /** Follows the actors from now on. Those that exist already are announced at once. */
  open(): void {
    if (this.#stopWatching !== undefined || this.#errors >= mostErrors) return;
    this.#stopWatching = this.#options.inside.watch(this);
    this.#guard(() => {
      for (const machine of engineMachines) this.#charts.of(machine);
      for (const tapped of this.#byRef.values()) this.#change(tapped);
      for (const ref of this.#options.inside.actors()) if (isActive(ref)) this.#meet(ref);
    });
    this.#trace();
    this.flush();
  }

  /** Follows nothing any more, until it is opened again. */
  close(): void {
    this.#stopTracing?.();
    this.#stopTracing = undefined;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.flush();
  }

  /** The run is over: no actor is left. */
  end(): void {
    for (const tapped of this.#byRef.values()) this.#end(tapped);
    this.close();
  }

  /** Traces the actors with this id, present and to come; null for none. */
  focus(id: string | null): void {
    if (id === this.#focusedId) return;
    this.#focusedId = id;
    for (const number of this.#focused) this.#exact.set(number, undefined);
    this.#focused.clear();
    this.#trace();
    this.#flushLater();
  }

  /** Announces the changes so far. */
  flush(): void {
    this.#isFlushDue = false;
    this.#guard(() => this.#announce());
  }

  created(ref: AnyActorRef): void {
    this.#guard(() => this.#meet(ref));
  }

  /** AT2. Called for each event of an actor: no closure. */
  handles(ref: AnyActorRef, event: EventObject): void {
    const tapped = this.#byRef.get(ref);
    if (tapped === undefined) this.created(ref);
    else this.#change(tapped);
    if (tapped !== undefined && event.type === 'xstate.stop') this.#end(tapped);
  }

  /** Begins or ends to trace, as the focus wants it. */
  #trace(): void {
    this.#stopTracing?.();
    this.#stopTracing = undefined;
    const id = this.#focusedId;
    if (id === null || this.#stopWatching === undefined) return;
    const { inside } = this.#options;
    const guarded: WatchedActors = {
      ...inside,
      inspect: (observer) => inside.inspect((event) => this.#guard(() => observer(event))),
    };
    const traces = this.#traces;
    const observer: ActorObserver = {
      started: (ref, snapshot) => {
        traces.started(ref);
        this.#noteExact(ref, snapshot);
      },
      received: (ref, event, source) => traces.received(ref, event, source),
      stepped: (ref, taken) => traces.stepped(ref, taken),
      acted: (ref, action) => traces.acted(ref, action),
      changed: (ref, snapshot, event) => {
        traces.changed(ref, snapshot, event);
        this.#noteExact(ref, snapshot);
      },
      stopped: (ref) => traces.stopped(ref),
    };
    this.#guard(() => {
      this.#stopTracing = watchActors(guarded, observer, (ref) => ref.id === id);
    });
  }

  #noteExact(ref: AnyActorRef, snapshot: object): void {
    const number = this.#engine.numberOf(ref);
    if (number === undefined) return;
    this.#exact.set(number, (snapshot as MachineSnapshot).value);
    this.#focused.add(number);
    this.#flushLater();
  }

  /** The number of the root, the parent of all. Announces it. */
  get rootNumber(): number {
    const [root] = this.#options.inside.actors();
    return this.#numberOf(root as AnyActorRef);
  }

  #numberOf(ref: AnyActorRef): number {
    const number = this.#engine.numberOf(ref) ?? this.#byRef.get(ref)?.actor ?? this.#ended.get(ref);
    if (number !== undefined) return number;
    const seen = this.#see(ref) as Tapped;
    this.#mentioned.add(seen);
    return seen.actor;
  }

  /**
   * Announces machines, and perhaps tasks. What else has no states is announced only when something that is said mentions
   * it.
   */
  #meet(ref: AnyActorRef): void {
    const isTask = (): boolean => machineOf(ref._parent as AnyActorRef) === undefined;
    const isShown = machineOf(ref) !== undefined || (this.#options.withTasks === true && isTask());
    if (isShown && this.#engine.numberOf(ref) === undefined) this.#see(ref);
  }

  /** The actor's entry, made on first sight; its parent's comes before. undefined for one that has ended. */
  #see(ref: AnyActorRef): Tapped | undefined {
    const known = this.#byRef.get(ref);
    if (known !== undefined || this.#ended.has(ref)) return known;
    const parentRef = ref._parent as AnyActorRef | undefined;
    const parent = parentRef && (this.#engine.numberOf(parentRef) ?? this.#see(parentRef)?.actor);
    const machine = machineOf(ref);
    const chart = machine && this.#charts.of(machine);
    const actor = this.#numbers.next();
    const tapped: Tapped = {
      ...{ actor, ref, chart, value: undefined, shown: '' },
      ...{ children: [], isChanged: false, isEnding: false },
    };
    this.#byRef.set(ref, tapped);
    this.#started.push({ actor, id: ref.id, chart, parent });
    this.#change(tapped);
    return tapped;
  }

  #change(tapped: Tapped): void {
    if (tapped.isChanged) return;
    tapped.isChanged = true;
    this.#changed.push(tapped);
    this.#flushLater();
  }

  #end(tapped: Tapped): void {
    if (tapped.isEnding) return;
    tapped.isEnding = true;
    this.#ending.push(tapped);
    this.#flushLater();
  }

  #announce(): void {
    const { emit } = this.#options;
    const states: [number, readonly string[]][] = [];
    for (const tapped of this.#mentioned) if (!isActive(tapped.ref)) this.#end(tapped);
    // Grows while it is walked: by actors that changed ones have invoked.
    for (const tapped of this.#changed) this.#takeChange(tapped, states);
    for (const [number, value] of this.#exact) {
      states.push([number, value === undefined ? [] : this.#paths.of(value)]);
    }
    this.#exact.clear();
    const stopped: number[] = [];
    for (const tapped of this.#ending) {
      for (const child of tapped.children) this.#endChild(child);
      stopped.push(tapped.actor);
      this.#byRef.delete(tapped.ref);
      this.#mentioned.delete(tapped);
      this.#ended.set(tapped.ref, tapped.actor);
    }
    const [started, traced] = [this.#started, this.#traced];
    [this.#started, this.#changed, this.#ending, this.#traced] = [[], [], [], []];
    for (const chart of this.#charts.takeNew()) emit(chart);
    if (started.length + states.length + stopped.length > 0) {
      emit({ type: 'actors', atMs: this.#nowMs(), started, states, stopped });
    }
    for (const line of traced) emit(line);
    if (this.#untracedCount > 0) emit({ type: 'gap', atMs: this.#nowMs(), lines: this.#untracedCount });
    this.#untracedCount = 0;
  }

  /** Takes the state of an actor, whether it has ended, and what it has invoked. */
  #takeChange(tapped: Tapped, states: [number, readonly string[]][]): void {
    tapped.isChanged = false;
    const { status, value, children = {} } = tapped.ref.getSnapshot() as MachineSnapshot;
    if (value !== undefined && value !== tapped.value) {
      const paths = this.#paths.of(value);
      const shown = paths.join('\n');
      if (shown !== tapped.shown) states.push([tapped.actor, paths]);
      tapped.value = value;
      tapped.shown = shown;
    }
    if (status !== 'active') this.#end(tapped);
    this.#takeChildren(tapped, children);
  }

  #takeChildren(tapped: Tapped, children: Readonly<Record<string, AnyActorRef>>): void {
    const before = tapped.children;
    const present = Object.values(children);
    if (before.length + present.length === 0) return;
    tapped.children = present;
    for (const child of before) if (!present.includes(child)) this.#endChild(child);
    for (const child of present) {
      this.#meet(child);
      const known = this.#byRef.get(child);
      if (known !== undefined) this.#change(known);
    }
  }

  #endChild(ref: AnyActorRef): void {
    const child = this.#byRef.get(ref);
    if (child !== undefined) this.#end(child);
  }

  #flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.inside.environment.clock.setImmediate(() => {
      if (this.#isFlushDue) this.flush();
    });
  }

  #nowMs(): number {
    return this.#options.inside.environment.clock.now();
  }

  /** AT2 */
  #guard(work: () => void): void {
    if (this.#errors >= mostErrors) return;
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (++this.#errors < mostErrors) return;
    this.#stopTracing?.();
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#options.inside.observerFailed('inspector', toError(error));
  }
}
