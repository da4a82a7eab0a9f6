import { checkOptions } from '../../options.ts';
import { codecOf, type StateCodec, type StateSerializer } from './state-codec.ts';
import type { StateKind, StateVersioning } from './state-version.ts';

/** Options of a state. `Stored`: what it keeps, of a list one item, of a map one value. */
export interface StateOptions<Stored = unknown> extends StateVersioning<Stored> {
  /** How long after its last change a state is gone, in ms of the wall clock. Of a map: each of its entries. Default: never. */
  readonly ttlMs?: number | undefined;
  /** How its values are kept if they are no plain data. What `get` returns is then a copy, which counts once it is set. */
  readonly serializer?: StateSerializer<Stored> | undefined;
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
  readonly name: string;
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
  readonly kind: StateKind;
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
    ...declared('value', options),
    open: (slot) => {
      const { pack, unpack } = codecOf(slot, options.serializer);
      return {
        get: () => unpack(slot.read()),
        set: (value) => slot.write(pack(value)),
        clear: () => slot.clear(),
      };
    },
  };
}

/** A list by key; or of a subtask, whose items are divided evenly when a savepoint continues at another parallelism. */
export function listState<Item>(options: StateOptions<Item> = {}): StateDeclaration<ListState<Item>> {
  return {
    ...declared('list', options),
    open: (slot) => {
      const { pack, unpack } = codecOf(slot, options.serializer);
      return {
        get: () => {
          const items = (slot.read() as unknown[] | undefined) ?? [];
          return (options.serializer === undefined ? items : items.map(unpack)) as readonly Item[];
        },
        add: (item) => {
          const items = (slot.read() as unknown[] | undefined) ?? [];
          items.push(pack(item));
          slot.write(items);
        },
        set: (items) => slot.write(items.map(pack)),
        clear: () => slot.clear(),
      };
    },
  };
}

/** A map by key, for what is looked up by a second name. The whole map of a key is kept, and written, as one. */
export function mapState<Name, Value>(options: StateOptions<Value> = {}): StateDeclaration<MapState<Name, Value>> {
  return {
    ...declared('map', options),
    open: (slot) => new OpenMap<Name, Value>(slot, codecOf(slot, options.serializer)),
  };
}

/** A value by key to which others are combined, as by `reduce`. @param combine as that of `reduce` */
export function reducingState<Value>(
  combine: (reduced: Value, value: Value) => Value,
  options: StateOptions<NoInfer<Value>> = {},
): StateDeclaration<ReducingState<Value>> {
  return {
    ...declared('reducing', options, { combine }),
    open: (slot) => {
      const { pack, unpack } = codecOf(slot, options.serializer);
      return {
        get: () => unpack(slot.read()),
        add: (value) => {
          const reduced = unpack(slot.read());
          slot.write(pack(reduced === undefined ? value : combine(reduced, value)));
        },
        clear: () => slot.clear(),
      };
    },
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
    ...declared('aggregating', options, { create, add, result }),
    open: (slot) => {
      const { pack, unpack } = codecOf(slot, options.serializer);
      return {
        get: () => {
          const accumulator = unpack(slot.read());
          return accumulator === undefined ? undefined : result(accumulator);
        },
        add: (value) => {
          const kept = slot.read();
          slot.write(pack(add(kept === undefined ? create() : (unpack(kept) as Accumulator), value)));
        },
        clear: () => slot.clear(),
      };
    },
  };
}

/** What does not depend on how a state is opened. How its values are packed decides about its content too. */
function declared<Stored>(
  kind: StateDeclaration['kind'],
  options: StateOptions<Stored>,
  functions: StateDeclaration['functions'] = {},
): Omit<StateDeclaration<never>, 'open'> {
  checkOptions<StateOptions<Stored>>(`${kind}State`, options, {
    ttlMs: true,
    serializer: true,
    version: true,
    migrate: true,
    schema: true,
  });
  const { pack, unpack } = options.serializer ?? {};
  return { ...options, kind, functions: { ...functions, ...(options.serializer && { pack, unpack }) } } as never;
}

/** A value, packed if it has a serializer. */
type Entry = readonly [kept: unknown, untilMs?: number];

/** Whether an entry of a map lives, so that the map does. @param map the content of a `mapState` */
export function hasPresentEntry(map: unknown, nowMs: number): boolean {
  for (const entry of (map as ReadonlyMap<unknown, Entry>).values()) if (isPresent(entry, nowMs)) return true;
  return false;
}

function isPresent([, untilMs = Number.POSITIVE_INFINITY]: Entry, nowMs: number): boolean {
  return untilMs > nowMs;
}

/** A map whose entries live as long as they say. With a `ttlMs` they are in the order in which they were set last. */
class OpenMap<Name, Value> implements MapState<Name, Value> {
  readonly #slot: StateSlot;
  readonly #codec: StateCodec<Value>;

  constructor(slot: StateSlot, codec: StateCodec<Value>) {
    this.#slot = slot;
    this.#codec = codec;
  }

  get(name: Name): Value | undefined {
    return this.#codec.unpack(this.#present(this.#read()?.get(name))?.[0]);
  }

  has(name: Name): boolean {
    return this.#present(this.#read()?.get(name)) !== undefined;
  }

  set(name: Name, value: Value): void {
    const { nowMs, ttlMs } = this.#slot;
    const map = this.#read() ?? new Map<Name, Entry>();
    const kept = this.#codec.pack(value);
    if (ttlMs === undefined) map.set(name, [kept]);
    else {
      map.delete(name);
      map.set(name, [kept, nowMs + ttlMs]);
      this.#dropPast(map);
    }
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
      if (this.#present(entry) !== undefined) entries.push([name, this.#codec.unpack(entry[0]) as Value]);
    }
    return entries;
  }

  clear(): void {
    this.#slot.clear();
  }

  #read(): Map<Name, Entry> | undefined {
    return this.#slot.read() as Map<Name, Entry> | undefined;
  }

  #present(entry: Entry | undefined): Entry | undefined {
    return entry !== undefined && isPresent(entry, this.#slot.nowMs) ? entry : undefined;
  }

  /** The oldest entries come first, so this costs no more than they did. */
  #dropPast(map: Map<Name, Entry>): void {
    const { nowMs } = this.#slot;
    for (const [name, entry] of map) {
      if (isPresent(entry, nowMs)) return;
      map.delete(name);
    }
  }
}
