import type { AnyActorRef, AnyStateMachine, InspectionEvent, StateValue } from 'xstate';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { RunInside } from '../../run/run-inside.ts';
import type { ActorsLine, ChartLine, TraceLine } from '../recording/recording-line.ts';
import { ActorTraces } from './actor-traces.ts';
import { chartDefinition } from './chart-definition.ts';
import { statePaths } from './state-paths.ts';

/** A line about actors. */
export type ActorLine = ChartLine | ActorsLine | TraceLine;

export interface ActorTapOptions {
  readonly inside: Pick<RunInside, 'inspect' | 'actors' | 'observerFailed'> & {
    readonly environment: Pick<RunInside['environment'], 'clock'>;
  };
  readonly emit: (line: ActorLine) => void;
  /** Encodes payloads and contexts of focused actors. */
  readonly encode: (value: unknown, path: string) => unknown;
}

/** An actor that was seen. */
interface Tapped {
  readonly actor: number;
  readonly ref: AnyActorRef;
  readonly chart: string | undefined;
  /** The state value that was announced last, */
  value: StateValue | undefined;
  /** and as one text. */
  shown: string;
  /** Whether it is among the changes of this turn, and among the ends. */
  isChanged: boolean;
  isEnding: boolean;
}

/** A snapshot, which has a value if it is a machine's. */
interface Valued {
  readonly value?: StateValue;
}

/** Errors after which it gives up. */
const mostErrors = 3;

/**
 * Follows the actors of a run by XState's inspection events, and announces what changed, once per turn of the event
 * loop: which actors there are, the definition of each kind of chart once, and state values. Of focused actors also the
 * events.
 *
 * AT1 It subscribes to no actor, because that would change what an error of the actor does.
 * AT2 An error in it never reaches the run. After some it gives up, with one `observer.failed`.
 * AT3 XState does not say that an actor was stopped. It is concluded from the action of the parent and from the last
 *   snapshot, which arrives after the parent has reacted, and announced at the end of the turn.
 */
export class ActorTap {
  readonly #options: ActorTapOptions;
  readonly #byRef = new Map<AnyActorRef, Tapped>();
  /** Stopped actors that may still be mentioned. */
  readonly #stopped = new WeakSet<AnyActorRef>();
  readonly #charts = new ChartNames();
  readonly #traces: ActorTraces;
  /** Changes of this turn. */
  #started: Tapped[] = [];
  readonly #pathsByText = new Map<string, readonly string[]>();
  #changed: Tapped[] = [];
  #ending: Tapped[] = [];
  #traced: TraceLine[] = [];
  #isFlushDue = false;
  #focusedId: string | null = null;
  #count = 0;
  #errors = 0;
  #close: (() => void) | undefined;

  constructor(options: ActorTapOptions) {
    this.#options = options;
    this.#traces = new ActorTraces({
      numberOf: (ref) => this.#byRef.get(ref)?.actor,
      nowMs: () => this.#nowMs(),
      encode: options.encode,
      emit: (line) => {
        this.#traced.push(line);
        this.#flushLater();
      },
    });
  }

  /** Follows the actors from now on. Those that exist already are announced at once. */
  open(): void {
    if (this.#close !== undefined || this.#errors >= mostErrors) return;
    this.#close = this.#options.inside.inspect(this.#observe);
    this.#guard(() => {
      for (const tapped of this.#byRef.values()) {
        if (hasEnded(tapped.ref)) this.#end(tapped);
        else if (tapped.chart !== undefined) this.#change(tapped);
      }
      for (const ref of this.#options.inside.actors()) if (!hasEnded(ref)) this.#see(ref);
    });
    this.flush();
  }

  /** Follows nothing any more, until it is opened again. */
  close(): void {
    this.#close?.();
    this.#close = undefined;
    this.flush();
  }

  /** The run is over: no actor is left. */
  end(): void {
    for (const tapped of this.#byRef.values()) this.#end(tapped);
    this.close();
  }

  /** Traces the actors with this id, present and to come; null for none. */
  focus(id: string | null): void {
    this.#focusedId = id;
    const focused = [...this.#byRef.keys()].filter((ref) => ref.id === id);
    this.#traces.focus(focused);
  }

  /** Announces the changes so far. */
  flush(): void {
    this.#isFlushDue = false;
    this.#guard(() => this.#announce());
  }

  /** AT2. Called several times per event of an actor: no closure. */
  readonly #observe = (inspected: InspectionEvent): void => {
    if (this.#close === undefined) return;
    try {
      this.#next(inspected);
    } catch (error) {
      this.#failed(error);
    }
  };

  #next(inspected: InspectionEvent): void {
    switch (inspected.type) {
      case '@xstate.actor':
        this.#see(inspected.actorRef as AnyActorRef);
        break;
      case '@xstate.snapshot': {
        const tapped = this.#see(inspected.actorRef as AnyActorRef);
        if (tapped === undefined) break;
        if (tapped.chart !== undefined && (inspected.snapshot as Valued).value !== tapped.value) this.#change(tapped);
        if (inspected.snapshot.status !== 'active') this.#end(tapped);
        break;
      }
      case '@xstate.action':
        if (inspected.action.type === 'xstate.stopChild') {
          const tapped = this.#byRef.get(inspected.action.params as unknown as AnyActorRef);
          if (tapped !== undefined) this.#end(tapped);
        }
        break;
      default:
    }
    if (!this.#traces.isIdle) this.#traces.next(inspected);
  }

  /** The actor's entry, made on first sight; its parent's comes before. undefined for one that has stopped. */
  #see(ref: AnyActorRef): Tapped | undefined {
    const known = this.#byRef.get(ref);
    if (known !== undefined) return known;
    if (this.#stopped.has(ref)) return undefined;
    if (ref._parent !== undefined) this.#see(ref._parent as AnyActorRef);
    const logic = propertyOf(ref, 'logic');
    const chart = isMachine(logic) ? this.#charts.nameOf(logic) : undefined;
    const tapped: Tapped = {
      actor: this.#count++,
      ref,
      chart,
      value: undefined,
      shown: '',
      isChanged: false,
      isEnding: false,
    };
    this.#byRef.set(ref, tapped);
    if (ref.id === this.#focusedId) this.#traces.add(ref);
    this.#started.push(tapped);
    if (chart !== undefined) this.#change(tapped);
    this.#flushLater();
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
    for (const chart of this.#charts.takeNew()) emit(chart);
    const started = this.#started.map(({ actor, ref, chart }) => {
      return { actor, id: ref.id, chart, parent: ref._parent && this.#byRef.get(ref._parent as AnyActorRef)?.actor };
    });
    const states: [number, readonly string[]][] = [];
    for (const tapped of this.#changed) {
      tapped.isChanged = false;
      // Without a value it could not begin: its initial context threw.
      const value = (tapped.ref.getSnapshot() as Valued).value;
      if (value === undefined) continue;
      tapped.value = value;
      const paths = statePaths(value);
      const shown = paths.length === 1 ? (paths[0] as string) : paths.join('\n');
      if (shown === tapped.shown) continue;
      tapped.shown = shown;
      states.push([tapped.actor, this.#shared(shown, paths)]);
    }
    const stopped = this.#ending.map(({ actor }) => actor);
    for (const { ref } of this.#ending) {
      this.#byRef.delete(ref);
      this.#stopped.add(ref);
      this.#traces.remove(ref);
    }
    this.#started = [];
    this.#changed = [];
    this.#ending = [];
    if (started.length + states.length + stopped.length > 0) {
      emit({ type: 'actors', atMs: this.#nowMs(), started, states, stopped });
    }
    const traced = this.#traced;
    this.#traced = [];
    for (const line of traced) emit(line);
  }

  /** The same paths as one array: thousands of actors are in the same state. */
  #shared(shown: string, paths: readonly string[]): readonly string[] {
    const known = this.#pathsByText.get(shown);
    if (known !== undefined) return known;
    this.#pathsByText.set(shown, paths);
    return paths;
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
    this.#close?.();
    this.#close = undefined;
    this.#options.inside.observerFailed('inspector', toError(error));
  }
}

/** The charts seen so far, by the configuration that their machines share, with distinct names. */
class ChartNames {
  readonly #names = new Map<unknown, string>();
  readonly #used = new Set<string>();
  #new: ChartLine[] = [];

  nameOf(machine: AnyStateMachine): string {
    const known = this.#names.get(machine.config);
    if (known !== undefined) return known;
    let name = machine.id;
    for (let number = 2; this.#used.has(name); number++) name = `${machine.id}#${number}`;
    this.#used.add(name);
    this.#names.set(machine.config, name);
    this.#new.push({ type: 'chart', chart: name, definition: chartDefinition(machine) });
    return name;
  }

  takeNew(): ChartLine[] {
    const taken = this.#new;
    this.#new = [];
    return taken;
  }
}

function isMachine(logic: unknown): logic is AnyStateMachine {
  return propertyOf(logic, 'root') !== undefined && propertyOf(logic, 'config') !== undefined;
}

function hasEnded(ref: AnyActorRef): boolean {
  return ref.getSnapshot().status !== 'active';
}
