import * as fc from 'fast-check';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  type StatefulProcessContext,
  valueState,
} from '../../../src/index.ts';
import type { CheckpointId } from '../../../src/ids.ts';
import type { OperatorDescription } from '../../../src/operators/operator-description.ts';
import type { OperatorStage } from '../../../src/operators/operator-stage.ts';
import { readState } from '../../../src/operators/state/read-state.ts';
import type { TaskState } from '../../../src/operators/state/task-state.ts';
import { writeState } from '../../../src/operators/state/write-state.ts';
import { createOperatorChain } from '../../../src/operators/task/operator-chain.ts';
import { memoryCheckpoints } from '../../../src/partitions/checkpoints/checkpoint-storages.ts';
import type { StateBackend } from '../../../src/operators/state/tables/state-table.ts';
import { stateBackends, useBackend } from '../../support/disk-states.ts';
import { StageHarness } from '../stage-driver.ts';

interface Mean {
  count: number;
  sum: number;
}

const declarations = (ttlMs: number | undefined) => ({
  value: valueState<number>({ ttlMs }),
  list: listState<number>({ ttlMs }),
  map: mapState<string, number>({ ttlMs }),
  reducing: reducingState((sum: number, n: number) => sum + n, { ttlMs }),
  aggregating: aggregatingState(
    {
      create: (): Mean => ({ count: 0, sum: 0 }),
      add: (mean, n: number) => {
        mean.count++;
        mean.sum += n;
        return mean;
      },
      result: ({ count, sum }) => `${sum} of ${count}`,
    },
    { ttlMs },
  ),
});

type Kind = keyof ReturnType<typeof declarations>;
type Context = StatefulProcessContext<number, ReturnType<typeof declarations>>;

interface Command {
  readonly key: number;
  readonly do: 'add' | 'clear' | 'remove' | 'timer' | 'untimer';
  readonly kind: Kind;
  readonly n: number;
}

function apply({ do: what, kind, n }: Command, context: Context): void {
  const { states } = context;
  if (what === 'timer') return context.setTimer(context.nowMs + n);
  if (what === 'untimer') return context.clearTimer(context.nowMs + n);
  if (what === 'clear') return states[kind].clear();
  if (what === 'remove') return void states.map.delete(`${n % 3}`);
  if (kind === 'value') states.value.set(n);
  else if (kind === 'map') states.map.set(`${n % 3}`, n);
  else states[kind].add(n);
}

const pictureOf = ({ states }: Context): unknown[] => [
  states.value.get(),
  [...states.list.get()],
  states.map.entries().map(([name, n]) => [name, n, states.map.get(name) === n, states.map.has(name)]),
  states.reducing.get(),
  states.aggregating.get(),
];

const operator = (ttlMs: number | undefined): OperatorDescription =>
  ({
    kind: 'process',
    keyOf: ({ key }: Command) => key,
    states: declarations(ttlMs),
    onRecord: (command: Command, context: Context, emit: (out: unknown) => void) => {
      apply(command, context);
      emit([context.key, ...pictureOf(context)]);
    },
    onTimer: (atMs: number, context: Context, emit: (out: unknown) => void) =>
      emit(['timer', context.key, atMs, ...pictureOf(context)]),
    onEnd: (context: Context, emit: (out: unknown) => void) => emit(['end', context.key, ...pictureOf(context)]),
  }) as unknown as OperatorDescription;

/** The same with plain collections, by key. */
class Model {
  readonly #ttlMs: number;
  readonly #keys = new Map<number, Map<string, { content: unknown; untilMs: number }>>();
  timers: { readonly key: number; readonly atMs: number }[] = [];

  constructor(ttlMs = Number.POSITIVE_INFINITY) {
    this.#ttlMs = ttlMs;
  }

  do({ key, do: what, kind, n }: Command, nowMs: number): unknown[] {
    const atMs = nowMs + n;
    const isTimer = (timer: { key: number; atMs: number }): boolean => timer.key === key && timer.atMs === atMs;
    if (what === 'timer' && !this.timers.some(isTimer)) this.timers.push({ key, atMs });
    if (what === 'untimer') this.timers = this.timers.filter((timer) => !isTimer(timer));
    const names = this.#keys.get(key) ?? new Map<string, { content: unknown; untilMs: number }>();
    this.#keys.set(key, names);
    const old = (name: string): unknown => {
      const found = names.get(name);
      return found !== undefined && found.untilMs > nowMs ? found.content : undefined;
    };
    if (what === 'clear') for (const name of [...names.keys()]) if (name.startsWith(kind)) names.delete(name);
    if (what === 'remove') names.delete(`map ${n % 3}`);
    if (what === 'add') {
      const name = kind === 'map' ? `map ${n % 3}` : kind;
      const content = {
        value: () => n,
        map: () => n,
        list: () => [...((old(name) as number[] | undefined) ?? []), n],
        reducing: () => ((old(name) as number | undefined) ?? 0) + n,
        aggregating: () => {
          const [sum, count] = (old(name) as number[] | undefined) ?? [0, 0];
          return [(sum as number) + n, (count as number) + 1];
        },
      }[kind]();
      if (old(name) === undefined) names.delete(name);
      names.set(name, { content, untilMs: nowMs + this.#ttlMs });
    }
    return [key, ...this.picture(key, nowMs)];
  }

  picture(key: number, nowMs: number): unknown[] {
    const present = [...(this.#keys.get(key) ?? [])].filter(([, { untilMs }]) => untilMs > nowMs);
    const of = (name: string): unknown => present.find(([one]) => one === name)?.[1].content;
    const mean = of('aggregating') as number[] | undefined;
    const map = present.flatMap(([name, { content }]) =>
      name.startsWith('map ') ? [[name.slice(4), content, true, true]] : [],
    );
    return [of('value'), of('list') ?? [], inOrder(map), of('reducing'), mean && `${mean[0]} of ${mean[1]}`];
  }

  /** What timers do up to now, as a set. */
  fired(nowMs: number): string[] {
    const due = this.timers.filter(({ atMs }) => atMs <= nowMs);
    this.timers = this.timers.filter(({ atMs }) => atMs > nowMs);
    return due.map(({ key, atMs }) => JSON.stringify(['timer', key, atMs, ...this.picture(key, nowMs)])).sort();
  }

  ends(nowMs: number): string[] {
    const keys = [...this.#keys].filter(([, names]) => [...names.values()].some(({ untilMs }) => untilMs > nowMs));
    return keys.map(([key]) => JSON.stringify(['end', key, ...this.picture(key, nowMs)])).sort();
  }
}

/** With a lifetime, entries of a map are in the order in which they were set last: it is not compared. */
function inOrder(entries: readonly unknown[]): unknown[] {
  return [...entries].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function comparable(result: unknown): unknown[] {
  return (result as unknown[]).map((part) =>
    Array.isArray(part) && part.every((one) => Array.isArray(one)) ? inOrder(part) : part,
  );
}

class Rig {
  readonly harness = new StageHarness(8);
  readonly storage = memoryCheckpoints();
  readonly model: Model;
  readonly #ttlMs: number | undefined;
  #stage: OperatorStage;
  #checkpoint = 0;

  readonly #backend: StateBackend | undefined;

  constructor(ttlMs: number | undefined, backend: StateBackend | undefined) {
    this.#backend = backend;
    this.#ttlMs = ttlMs;
    this.model = new Model(ttlMs);
    this.#stage = this.#create();
  }

  get nowMs(): number {
    return this.harness.environment.clock.epochMs();
  }

  run(command: Command): void {
    this.#stage.push([command]);
    const results = this.harness.pollAll(this.#stage).flat();
    expect(results.map(comparable).at(0)).toEqual(comparable(this.model.do(command, this.nowMs)));
    const timers = results.slice(1).map((result) => JSON.stringify(comparable(result)));
    expect(timers.sort()).toEqual(this.model.fired(this.nowMs));
  }

  pass(ms: number): void {
    this.harness.environment.advance(ms);
    const results = this.harness.pollAll(this.#stage).flat();
    expect(results.map((result) => JSON.stringify(comparable(result))).sort()).toEqual(this.model.fired(this.nowMs));
  }

  /** Takes a checkpoint, and continues from it or completes it. */
  async checkpoint(isRestored: boolean): Promise<void> {
    const checkpoint = ++this.#checkpoint as CheckpointId;
    const snapshot = this.#stage.snapshot(checkpoint);
    if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
    const state: TaskState = {
      input: { kind: 'gate', channels: [], order: undefined },
      chain: snapshot.state,
      outputs: [],
    };
    const name = { scope: 'run', checkpoint, name: 'process.0#0' };
    const { environment } = this.harness;
    const { handle } = await writeState({ storage: this.storage, name }, state, environment.clock);
    if (!isRestored) return this.#stage.endCheckpoint?.(checkpoint, true);
    const read = await readState(this.storage, structuredClone(handle), undefined, this.#backend);
    this.#stage.close();
    this.#stage = this.#create();
    this.#stage.restore(read.chain);
  }

  end(): void {
    this.#stage.end();
    const results = this.harness.pollAll(this.#stage).flat();
    expect(results.map((result) => JSON.stringify(comparable(result))).sort()).toEqual(this.model.ends(this.nowMs));
    expect(this.#stage.isDone).toBe(true);
    this.#stage.close();
    expect(this.harness.environment.clock.timerCount).toBe(0);
  }

  #create(): OperatorStage {
    const createTable = this.#backend && ((uid: string) => (this.#backend as StateBackend).createTable(uid));
    return createOperatorChain(
      [operator(this.#ttlMs)],
      this.harness.runtime,
      Object.assign(this.harness, { createTable }),
    );
  }
}

type Step = Command | { readonly passMs: number } | { readonly checkpoint: 'complete' | 'restore' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      key: fc.integer({ min: 0, max: 3 }),
      do: fc.constantFrom('add' as const, 'add' as const, 'add' as const, 'clear' as const, 'remove' as const),
      kind: fc.constantFrom<Kind>('value', 'list', 'map', 'reducing', 'aggregating'),
      n: fc.integer({ min: 1, max: 60 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      key: fc.integer({ min: 0, max: 3 }),
      do: fc.constantFrom('timer' as const, 'timer' as const, 'untimer' as const),
      kind: fc.constant<Kind>('value'),
      n: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ checkpoint: fc.constantFrom('complete' as const, 'restore' as const) }) },
);

const lifetimes = [undefined, 50].flatMap((ttlMs) => stateBackends.map((where) => [ttlMs, where] as const));

describe.each(lifetimes)('states that live %s ms, and timers, %s', (ttlMs, where) => {
  const states = useBackend(where);

  it('property: are as plain collections, whatever is restored in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const rig = new Rig(ttlMs, states.backend);
        for (const one of steps) {
          if ('passMs' in one) rig.pass(one.passMs);
          else if ('checkpoint' in one) await rig.checkpoint(one.checkpoint === 'restore');
          else rig.run(one);
        }
        rig.end();
      }),
      { numRuns: where === 'on disk' ? 60 : 150 },
    );
  });
});

/** Records of `[key, what to do]`. */
type Told = readonly [key: number, tell: (context: Context) => void];

function stageOf(parts: Record<string, unknown>, harness = new StageHarness(8)): OperatorStage {
  const description = {
    ...{ kind: 'process', keyOf: ([key]: Told) => key, states: declarations(undefined) },
    onRecord: ([, tell]: Told, context: Context, emit: (out: unknown) => void) => {
      tell(context);
      emit(pictureOf(context));
    },
    ...parts,
  };
  return createOperatorChain([description as unknown as OperatorDescription], harness.runtime, harness);
}

describe('a process with declared states', () => {
  it('refuses a promise as a state, by name', () => {
    const stage = stageOf({});
    const tell = ({ states }: Context): void => states.list.add(Promise.resolve(1) as never);
    expect(() => stage.push([[1, tell]])).toThrow(/state of process.*mapAsync/s);
  });

  it('refuses its context after its function has returned', () => {
    const stage = stageOf({});
    let kept: Context | undefined;
    const keep = (context: Context): void => void (kept = context);
    stage.push([[1, keep]]);
    expect(() => kept?.states.value.get()).toThrow('after it returned');
    expect(() => kept?.setTimer(1)).toThrow('after it returned');
  });

  it('refuses a timer at no time', () => {
    const stage = stageOf({});
    expect(() => stage.push([[1, ({ setTimer }: Context) => setTimer(Number.NaN)]])).toThrow('setTimer');
  });

  it('names the key at which a timer fails', () => {
    const harness = new StageHarness(8);
    const onTimer = (): void => {
      throw new Error('broken');
    };
    const stage = stageOf({ onTimer }, harness);
    stage.push([[7, (context: Context) => context.setTimer(context.nowMs + 5)]]);
    harness.pollAll(stage);
    harness.environment.advance(5);
    expect(harness.wakes).toBeGreaterThan(0);
    expect(() => stage.poll()).toThrow('broken');
    expect(stage.blame).toMatchObject({ operator: 0, key: { value: 7 } });
  });

  it('gives up keys whose time is over, without being asked for them', () => {
    const harness = new StageHarness(8);
    const stage = stageOf({ states: declarations(50) }, harness);
    const feed = (from: number, to: number): void => {
      for (let key = from; key < to; key++) {
        stage.push([[key, ({ states }: Context) => states.value.set(key)]]);
        harness.pollAll(stage);
      }
    };
    const sizeOf = (): number => {
      const snapshot = stage.snapshot();
      return snapshot.kind === 'taken' ? JSON.stringify(snapshot.state).length : 0;
    };
    feed(0, 100);
    harness.environment.advance(60);
    const before = sizeOf();
    feed(100, 300);
    harness.environment.advance(60);
    feed(100, 101);
    feed(100, 101);
    for (let round = 0; round < 300; round++) feed(100, 101);
    expect(sizeOf()).toBeLessThan(before / 5);
  });

  it('frees entries of a map whose time is over while its key lives', () => {
    const harness = new StageHarness(8);
    const stage = stageOf({ states: declarations(50) }, harness);
    const sizes = Array.from({ length: 400 }, (_, n) => {
      stage.push([[1, ({ states }: Context) => states.map.set(`${n}`, n)]]);
      harness.pollAll(stage);
      harness.environment.advance(1);
      const snapshot = stage.snapshot();
      return snapshot.kind === 'taken' ? JSON.stringify(snapshot.state).length : 0;
    });
    expect(sizes.at(-1)).toBeLessThan(2 * (sizes[49] as number));
  });

  it('ends no key of whose map only entries are left whose time is over', () => {
    const harness = new StageHarness(8);
    const onEnd = ({ key }: Context, emit: (out: unknown) => void): void => emit(key);
    const stage = stageOf({ states: declarations(50), onEnd }, harness);
    stage.push([[1, ({ states }: Context) => states.map.set('old', 1)]]);
    harness.environment.advance(13);
    stage.push([[1, ({ states }: Context) => states.map.set('new', 1)]]);
    stage.push([[1, ({ states }: Context) => void states.map.delete('new')]]);
    stage.push([[2, ({ states }: Context) => states.map.set('new', 1)]]);
    harness.environment.advance(37);
    harness.pollAll(stage);
    stage.end();
    expect(harness.pollAll(stage).flat()).toEqual([2]);
  });
});
