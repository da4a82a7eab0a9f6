import { migrated, type StateVersioning } from './state-version.ts';

/** Options of a state. `Stored`: what it keeps, of a list one item, of a map one value. */
export interface StateOptions<Stored = unknown> extends StateVersioning<Stored> {
  /** How long after its last change a state is gone, in ms of the wall clock. Of a map: each of its entries. Default: never. */
  readonly ttlMs?: number | undefined;
}

/** A value by key. */
export interface ValueState<Value> {
  /** undefined before it is first set. */
  get(): Value | undefined;
  set(value: Value): void;
  clear(): void;
}

/** A list by key. */
export interface ListState<Item> {
  /** The items in the order in which they were added; none before the first. */
  get(): readonly Item[];
  add(item: Item): void;
  /** Replaces all items. */
  set(items: readonly Item[]): void;
  clear(): void;
}

/** A map by key. */
export interface MapState<Name, Value> {
  get(name: Name): Value | undefined;
  has(name: Name): boolean;
  set(name: Name, value: Value): void;
  /** Whether there was one. */
  delete(name: Name): boolean;
  /** In the order in which the names were first set. O(entries) */
  entries(): readonly (readonly [Name, Value])[];
  clear(): void;
}

/** A value by key to which others are combined. */
export interface ReducingState<Value> {
  /** undefined before the first value was added. */
  get(): Value | undefined;
  add(value: Value): void;
  clear(): void;
}

/** An accumulator by key. */
export interface AggregatingState<In, Result> {
  /** undefined before the first value was added. */
  get(): Result | undefined;
  add(value: In): void;
  clear(): void;
}

/** Where the content of one state of the current key is. */
export interface StateSlot {
  /** undefined if there is none, or its time is over. The caller may change it in place if it calls `write` with it. */
  read(): unknown;
  /** Its time begins anew. */
  write(content: unknown): void;
  clear(): void;
  /** The value itself. @throws if it is a promise, which would be a state for ever */
  checked<Value>(value: Value): Value;
  /** Wall-clock time, and how long an entry lives; undefined if for ever. */
  readonly nowMs: number;
  readonly ttlMs: number | undefined;
}

/** A state of `process`: see {@link valueState}, {@link listState}, {@link mapState}, {@link reducingState}, {@link aggregatingState}. */
export interface StateDeclaration<out Handle = unknown> extends StateOptions {
  readonly kind: 'value' | 'list' | 'map' | 'reducing' | 'aggregating';
  /** The functions that decide about its content. */
  readonly functions?: Readonly<Record<string, (...given: never[]) => unknown>>;
  /** For the engine. */
  readonly open: (slot: StateSlot) => Handle;
}

/** The states of a `process`, by name. */
export type StateDeclarations = Readonly<Record<string, StateDeclaration>>;

/** How the functions of a `process` reach its states. */
export type StatesOf<Declarations extends StateDeclarations> = {
  readonly [Name in keyof Declarations]: Declarations[Name] extends StateDeclaration<infer Handle> ? Handle : never;
};

/** A value by key. */
export function valueState<Value>(options: StateOptions<Value> = {}): StateDeclaration<ValueState<Value>> {
  return {
    ...options,
    kind: 'value',
    open: (slot) => ({
      get: () => slot.read() as Value | undefined,
      set: (value) => slot.write(slot.checked(value)),
      clear: () => slot.clear(),
    }),
  };
}

/** A list by key. */
export function listState<Item>(options: StateOptions<Item> = {}): StateDeclaration<ListState<Item>> {
  return {
    ...options,
    kind: 'list',
    open: (slot) => ({
      get: () => (slot.read() as readonly Item[] | undefined) ?? [],
      add: (item) => {
        const items = (slot.read() as Item[] | undefined) ?? [];
        items.push(slot.checked(item));
        slot.write(items);
      },
      set: (items) => slot.write(items.map((item) => slot.checked(item))),
      clear: () => slot.clear(),
    }),
  };
}

/** A map by key, for what is looked up by a second name. The whole map of a key is kept, and written, as one. */
export function mapState<Name, Value>(options: StateOptions<Value> = {}): StateDeclaration<MapState<Name, Value>> {
  return { ...options, kind: 'map', open: (slot) => new OpenMap<Name, Value>(slot) };
}

/** A value by key to which others are combined, as by `reduce`. @param combine as that of `reduce` */
export function reducingState<Value>(
  combine: (reduced: Value, value: Value) => Value,
  options: StateOptions<NoInfer<Value>> = {},
): StateDeclaration<ReducingState<Value>> {
  return {
    ...options,
    kind: 'reducing',
    functions: { combine },
    open: (slot) => ({
      get: () => slot.read() as Value | undefined,
      add: (value) => {
        const reduced = slot.read() as Value | undefined;
        slot.write(slot.checked(reduced === undefined ? value : combine(reduced, value)));
      },
      clear: () => slot.clear(),
    }),
  };
}

/** The functions of an {@link aggregatingState}. */
export interface StateAggregation<In, Accumulator, Result> {
  /** A new, empty accumulator. */
  readonly create: () => Accumulator;
  /** Returns the next accumulator; it may change and return the one it was given. */
  readonly add: (accumulator: Accumulator, value: In) => NoInfer<Accumulator>;
  readonly result: (accumulator: Accumulator) => Result;
}

/** An accumulator by key, as that of `aggregate`. */
export function aggregatingState<In, Accumulator, Result>(
  { create, add, result }: StateAggregation<In, Accumulator, Result>,
  options: StateOptions<NoInfer<Accumulator>> = {},
): StateDeclaration<AggregatingState<In, Result>> {
  return {
    ...options,
    kind: 'aggregating',
    functions: { create, add, result },
    open: (slot) => ({
      get: () => {
        const accumulator = slot.read();
        return accumulator === undefined ? undefined : result(accumulator as Accumulator);
      },
      add: (value) => {
        let accumulator = slot.read();
        if (accumulator === undefined) accumulator = create();
        slot.write(slot.checked(add(accumulator as Accumulator, value)));
      },
      clear: () => slot.clear(),
    }),
  };
}

type Entry<Value> = readonly [value: Value, untilMs?: number];

/** A map whose entries live as long as they say. */
class OpenMap<Name, Value> implements MapState<Name, Value> {
  readonly #slot: StateSlot;

  constructor(slot: StateSlot) {
    this.#slot = slot;
  }

  get(name: Name): Value | undefined {
    return this.#present(this.#read()?.get(name))?.[0];
  }

  has(name: Name): boolean {
    return this.#present(this.#read()?.get(name)) !== undefined;
  }

  set(name: Name, value: Value): void {
    const { nowMs, ttlMs } = this.#slot;
    const map = this.#read() ?? new Map<Name, Entry<Value>>();
    map.set(name, ttlMs === undefined ? [this.#slot.checked(value)] : [this.#slot.checked(value), nowMs + ttlMs]);
    this.#slot.write(map);
  }

  delete(name: Name): boolean {
    const map = this.#read();
    const had = this.#present(map?.get(name)) !== undefined;
    if (map?.delete(name) === true && map.size === 0) this.#slot.clear();
    return had;
  }

  entries(): readonly (readonly [Name, Value])[] {
    const entries: (readonly [Name, Value])[] = [];
    for (const [name, entry] of this.#read() ?? []) {
      if (this.#present(entry) !== undefined) entries.push([name, entry[0]]);
    }
    return entries;
  }

  clear(): void {
    this.#slot.clear();
  }

  #read(): Map<Name, Entry<Value>> | undefined {
    return this.#slot.read() as Map<Name, Entry<Value>> | undefined;
  }

  #present(entry: Entry<Value> | undefined): Entry<Value> | undefined {
    return entry !== undefined && (entry[1] ?? Number.POSITIVE_INFINITY) > this.#slot.nowMs ? entry : undefined;
  }
}

/** The content of one state of a key. Plain data. */
interface Content {
  readonly value: unknown;
  /** When its time is over, in wall-clock ms; absent for never. */
  readonly untilMs?: number;
  /** The version that was declared for it when it was written; absent for 1. */
  readonly version?: number;
}

/** What a `process` that declares its states keeps of a key. Plain data. */
export interface KeyContent {
  /** By name. */
  readonly states: Record<string, Content>;
  /** Its timers, in wall-clock ms. */
  readonly timers: number[];
}

/** Whether a key has a state whose time is not over. */
export function hasState({ states }: KeyContent, nowMs: number): boolean {
  return Object.values(states).some((content) => !isPast(content, nowMs));
}

function isPast({ untilMs }: Content, nowMs: number): boolean {
  return untilMs !== undefined && untilMs <= nowMs;
}

/** The content of the current key, for its states. */
export interface CurrentContent {
  /** As one that may be changed; undefined if it has none. */
  own(): KeyContent | undefined;
  /** The same; it is created if there is none. */
  need(): KeyContent;
  /** Nothing may be left of it. */
  shrunk(): void;
  nowMs(): number;
  checked: StateSlot['checked'];
  /** uid of the operator. */
  readonly operator: string;
  key(): unknown;
  /** Calls a function whose errors are never those of a record. */
  refusing<Value>(call: () => Value): Value;
}

/** The states that a `process` declares, for its current key. */
export function openStates(
  declarations: StateDeclarations,
  current: CurrentContent,
): Readonly<Record<string, unknown>> {
  const opened = Object.entries(declarations).map(
    ([name, declaration]) => [name, declaration.open(slotOf(name, declaration, current))] as const,
  );
  return Object.fromEntries(opened);
}

function slotOf(name: string, declaration: StateDeclaration, current: CurrentContent): StateSlot {
  const { ttlMs, version: declared = 1 } = declaration;
  const ofVersion = declared === 1 ? undefined : declared;
  return {
    ttlMs,
    checked: current.checked,
    get nowMs() {
      return current.nowMs();
    },
    read: () => {
      const states = current.own()?.states;
      const content = states?.[name];
      if (states === undefined || content === undefined || isPast(content, current.nowMs())) return undefined;
      const { version = 1 } = content;
      if (version === declared) return content.value;
      const value = current.refusing(() => migrateContent(name, content, declaration, current));
      states[name] = contentOf(value, content.untilMs, declared);
      return value;
    },
    write: (value) => {
      const untilMs = ttlMs === undefined ? undefined : current.nowMs() + ttlMs;
      current.need().states[name] = contentOf(value, untilMs, ofVersion);
    },
    clear: () => {
      const states = current.own()?.states;
      if (states?.[name] === undefined) return;
      delete states[name];
      current.shrunk();
    },
  };
}

function migrateContent(
  state: string,
  content: Content,
  declaration: StateDeclaration,
  current: CurrentContent,
): unknown {
  const { value, version = 1 } = content;
  const where = { state, operator: current.operator, key: current.key(), nowMs: current.nowMs() };
  return migrated({ kind: declaration.kind, value, version, ...where }, declaration);
}

/** @param version absent for 1 */
function contentOf(value: unknown, untilMs: number | undefined, version: number | undefined): Content {
  if (version === undefined) return untilMs === undefined ? { value } : { value, untilMs };
  return untilMs === undefined ? { value, version } : { value, untilMs, version };
}
