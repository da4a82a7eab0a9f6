import {
  aggregatingState,
  fromArray,
  Job,
  listState,
  mapState,
  reducingState,
  type StandardSchema,
  type StateDeclaration,
  StateMigrationError,
  StateVersionError,
  valueState,
} from '../../../src/index.ts';
import { stateBackends, useBackend } from '../../support/disk-states.ts';
import { type Handle, StateRig } from '../state-rig.ts';

type Declaration = StateDeclaration<Handle>;

const get = (state: Handle): unknown => [state.get()];
const thrownBy = (call: () => unknown): Error => {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('It did not throw');
};

const ofVersion = (version: number, migrate?: (stored: unknown, version: number) => string): Declaration =>
  valueState<string>({ version, ...(migrate && { migrate }) }) as Declaration;
const noting = (stored: unknown, version: number): string => `${stored as string} of ${version}`;

describe.each(stateBackends)('a value of a version, %s', (where) => {
  const states = useBackend(where);

  type Outcome = { readonly value: string } | { readonly remedy: RegExp };
  const asIs = { value: 'tea' };
  const needsMigrate = { remedy: /Give it `migrate`, or another name/ };
  const isNewer = { remedy: /Run the code that declares version [23] or a later one/ };

  it.each<[stored: number, declared: number, migrates: boolean, outcome: Outcome]>([
    [1, 1, false, asIs],
    [2, 2, false, asIs],
    [2, 2, true, asIs],
    [3, 3, true, asIs],
    [1, 2, true, { value: 'tea of 1' }],
    [1, 3, true, { value: 'tea of 1' }],
    [2, 3, true, { value: 'tea of 2' }],
    [1, 2, false, needsMigrate],
    [2, 3, false, needsMigrate],
    [2, 1, false, isNewer],
    [3, 1, false, isNewer],
    [3, 2, false, isNewer],
    [3, 2, true, isNewer],
  ])('%i is read by version %i (migrate: %s) as it should be', async (stored, declared, migrates, outcome) => {
    const rig = new StateRig(ofVersion(stored, stored > 1 ? noting : undefined), states.backend);
    rig.tell('a', (state) => state.set?.('tea'));
    await rig.checkpoint(ofVersion(declared, migrates ? noting : undefined));
    if ('value' in outcome) {
      expect(rig.tell('a', get)).toEqual([outcome.value]);
      expect(rig.tell('b', get)).toEqual([undefined]);
      return;
    }
    const error = thrownBy(() => rig.tell('a', get));
    expect(error).toBeInstanceOf(StateVersionError);
    expect(error).toMatchObject({
      operator: 'orders',
      state: 'cart',
      storedVersion: stored,
      declaredVersion: declared,
    });
    expect(error.message).toContain('State "cart" of "orders"');
    expect(error.message).toMatch(outcome.remedy);
  });

  it('is migrated once, when it is first used, whatever is restored afterwards', async () => {
    const calls: unknown[] = [];
    const counting = (stored: unknown, version: number): string => {
      calls.push(stored);
      return noting(stored, version);
    };
    const rig = new StateRig(ofVersion(1), states.backend);
    for (const key of ['a', 'b']) rig.tell(key, (state) => state.set?.(key));
    await rig.checkpoint(ofVersion(2, counting));
    expect(calls).toEqual([]);
    for (let round = 0; round < 2; round++) expect(rig.tell('a', get)).toEqual(['a of 1']);
    await rig.checkpoint(ofVersion(2, counting));
    expect(rig.tell('a', get)).toEqual(['a of 1']);
    expect(calls).toEqual(['a']);
    expect(rig.tell('b', get)).toEqual(['b of 1']);
    expect(calls).toEqual(['a', 'b']);
  });

  it('is kept with each value: increments of several versions are read together', async () => {
    const rig = new StateRig(ofVersion(1), states.backend);
    for (let key = 0; key < 300; key++) rig.tell(`${key}`, (state) => state.set?.('tea'));
    await rig.checkpoint(ofVersion(2, noting));
    rig.tell('7', get);
    rig.tell('8', (state) => state.set?.('gold'));
    expect(await rig.checkpoint(ofVersion(3, noting))).toBeGreaterThan(0);
    expect(rig.tell('7', get)).toEqual(['tea of 1 of 2']);
    expect(rig.tell('8', get)).toEqual(['gold of 2']);
    expect(rig.tell('9', get)).toEqual(['tea of 1']);
  });

  it('that is only replaced is not migrated', async () => {
    const rig = new StateRig(ofVersion(1), states.backend);
    rig.tell('a', (state) => state.set?.('tea'));
    await rig.checkpoint(
      ofVersion(2, () => {
        throw new Error('not this one');
      }),
    );
    rig.tell('a', (state) => state.set?.('gold'));
    expect(rig.tell('a', get)).toEqual(['gold']);
  });
});

describe.each(stateBackends)('a state that is migrated, %s', (where) => {
  const states = useBackend(where);

  const double = (stored: unknown): number => (stored as number) * 2;
  const v2 = { version: 2, migrate: double };
  const mean = {
    create: () => 0,
    add: (sum: number, n: number) => sum + n,
    result: (sum: number) => `sum ${sum}`,
  };
  const add = (state: Handle): void => {
    for (const n of [1, 2]) state.add?.(n);
  };

  it.each<[kind: string, before: unknown, now: unknown, fill: (state: Handle) => unknown, after: unknown]>([
    ['value', valueState<number>(), valueState<number>(v2), (state) => state.set?.(4), 8],
    ['list', listState<number>(), listState<number>(v2), add, [2, 4]],
    ['map', mapState<string, number>(), mapState<string, number>(v2), (state) => state.set?.('x', 4), 8],
    [
      'reducing',
      reducingState((a: number, b: number) => a + b),
      reducingState((a: number, b: number) => a + b, v2),
      add,
      6,
    ],
    ['aggregating', aggregatingState(mean), aggregatingState(mean, v2), add, 'sum 6'],
  ])('of kind %s: each item, or value, or accumulator', async (kind, before, now, fill, after) => {
    const rig = new StateRig(before as Declaration, states.backend);
    rig.tell('a', fill);
    await rig.checkpoint(now as Declaration);
    expect(rig.tell('a', (state) => [state.get(...(kind === 'map' ? ['x'] : []))])).toEqual([after]);
  });

  it('keeps its time to live, and of a map that of each entry', async () => {
    const ttlMs = 50;
    const value = new StateRig(valueState<number>({ ttlMs }), states.backend);
    const map = new StateRig(mapState<string, number>({ ttlMs }), states.backend);
    const passAll = (ms: number): void => {
      for (const { harness } of [value, map]) harness.environment.advance(ms);
    };
    value.tell('a', (state) => state.set?.(1));
    map.tell('a', (state) => state.set?.('x', 1));
    passAll(30);
    map.tell('a', (state) => state.set?.('y', 2));
    await value.checkpoint(valueState<number>({ ttlMs, ...v2 }));
    await map.checkpoint(mapState<string, number>({ ttlMs, ...v2 }));
    expect(value.tell('a', get)).toEqual([2]);
    expect(map.tell('a', (state) => [state.get('x'), state.get('y')])).toEqual([2, 4]);
    passAll(30);
    expect(value.tell('a', get)).toEqual([undefined]);
    expect(map.tell('a', (state) => [state.get('x'), state.get('y')])).toEqual([undefined, 4]);
  });

  it('names operator, state, key and cause if `migrate` throws, and is as it was', async () => {
    let isBroken = true;
    const rig = new StateRig(valueState<string>(), states.backend);
    rig.tell('ada', (state) => state.set?.('tea'));
    await rig.checkpoint(
      ofVersion(2, (stored, version) => {
        if (isBroken) throw new TypeError('no currency');
        return noting(stored, version);
      }),
    );
    const error = thrownBy(() => rig.tell('ada', get));
    expect(error).toBeInstanceOf(StateMigrationError);
    expect(error).toMatchObject({
      operator: 'orders',
      state: 'cart',
      key: '"ada"',
      storedVersion: 1,
      declaredVersion: 2,
    });
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(/State "cart" of "orders".*from version 1 to 2 at key "ada": no currency/);
    isBroken = false;
    expect(rig.tell('ada', get)).toEqual(['tea of 1']);
  });

  it('refuses a promise of `migrate`, by name', async () => {
    const rig = new StateRig(valueState<string>(), states.backend);
    rig.tell('a', (state) => state.set?.('tea'));
    await rig.checkpoint(ofVersion(2, () => Promise.resolve('tea') as never));
    expect(thrownBy(() => rig.tell('a', get)).message).toMatch(/migrate of cart.*promise/i);
  });
});

describe.each(stateBackends)('the schema of a state, %s', (where) => {
  const states = useBackend(where);

  const schema = (validate: (value: unknown) => unknown): StandardSchema<string> =>
    ({ '~standard': { version: 1, vendor: 'test', validate } }) as StandardSchema<string>;
  const readWith = async (validate: (value: unknown) => unknown): Promise<unknown> => {
    const rig = new StateRig(valueState<string>(), states.backend);
    rig.tell('a', (state) => state.set?.('tea'));
    await rig.checkpoint(valueState<string>({ version: 2, migrate: noting, schema: schema(validate) }));
    return rig.tell('a', get);
  };

  it('is given what `migrate` returned, and its answer is kept', async () => {
    expect(await readWith((value) => ({ value: `${value as string}, checked` }))).toEqual(['tea of 1, checked']);
  });

  it('refuses a value, saying what and where', async () => {
    const refusing = readWith(() => ({
      issues: [{ message: 'not a price', path: ['items', { key: 0 }, 'price'] }, { message: 'too old' }],
    }));
    await expect(refusing).rejects.toThrow(StateMigrationError);
    await expect(refusing).rejects.toThrow(/schema refuses.*items\.0\.price: not a price; too old/);
  });

  it('must answer at once', async () => {
    await expect(readWith(async (value) => ({ value }))).rejects.toThrow(/schema of cart.*at once/);
  });
});

describe('the declaration of a version', () => {
  const declare = (options: Record<string, unknown>) => (): unknown =>
    Job.create('orders')
      .source('ids', fromArray([1]))
      .keyBy((id) => id)
      .process({ states: { cart: valueState(options) }, onRecord: () => {} });

  it.each<[options: Record<string, unknown>, message: RegExp]>([
    [{ version: 0 }, /version of states\.cart of process: expected an integer/],
    [{ version: 1.5 }, /version of states\.cart/],
    [{ version: 2, migrate: 'it' }, /migrate of states\.cart of process: expected a function/],
    [{ version: 2, migrate: async () => {} }, /migrate of states\.cart of process: expected a synchronous function/],
    [{ migrate: () => 1 }, /migrate of states\.cart.*unless `version` is 2 or more/],
    [{ version: 2, schema: {} }, /schema of states\.cart.*unless `migrate` is given/],
    [{ version: 2, migrate: () => 1, schema: {} }, /schema of states\.cart.*a Standard Schema/],
  ])('refuses %j by name', (options, message) => {
    expect(declare(options)).toThrow(message);
  });
});
