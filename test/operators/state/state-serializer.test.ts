import {
  aggregatingState,
  fromArray,
  Job,
  listState,
  mapState,
  reducingState,
  type StateSerializer,
  valueState,
} from '../../../src/index.ts';
import { stateBackends, useBackend } from '../../support/disk-states.ts';
import { type Handle, StateRig } from '../state-rig.ts';

/** An amount that is no plain data. */
class Money {
  readonly #cents: bigint;

  constructor(cents: bigint) {
    this.#cents = cents;
  }

  plus(other: Money): Money {
    return new Money(this.#cents + other.#cents);
  }

  toString(): string {
    return `${this.#cents}`;
  }
}

const money: StateSerializer<Money> = {
  pack: (amount) => new TextEncoder().encode(amount.toString()),
  unpack: (bytes) => new Money(BigInt(new TextDecoder().decode(bytes))),
};
const of = (cents: number): Money => new Money(BigInt(cents));
const options = { serializer: money };
const sum = (a: Money, b: Money): Money => a.plus(b);
const total = { create: () => of(0), add: sum, result: (amount: Money) => `total ${amount.toString()}` };

const addAll = (state: Handle): void => {
  for (const cents of [1, 2]) state.add?.(of(cents));
};

const shown = (value: unknown): unknown => (Array.isArray(value) ? value.map(shown) : value?.toString());

describe.each(stateBackends)('a state with a serializer, %s', (where) => {
  const states = useBackend(where);

  it.each<[kind: string, state: unknown, fill: (state: Handle) => unknown, after: unknown]>([
    ['value', valueState<Money>(options), (state) => state.set?.(of(4)), '4'],
    ['list', listState<Money>(options), addAll, ['1', '2']],
    ['list', listState<Money>(options), (state) => state.set?.([of(5)]), ['5']],
    ['map', mapState<string, Money>(options), (state) => state.set?.('x', of(4)), '4'],
    ['reducing', reducingState(sum, options), addAll, '3'],
    ['aggregating', aggregatingState(total, options), addAll, 'total 3'],
  ])('of kind %s keeps instances of a class, also over a checkpoint', async (kind, state, fill, after) => {
    const names = kind === 'map' ? ['x'] : [];
    const rig = new StateRig(state, states.backend);
    rig.tell('a', fill);
    expect(shown(rig.tell('a', (cart) => cart.get(...names)))).toEqual(after);
    await rig.checkpoint(state);
    expect(shown(rig.tell('a', (cart) => cart.get(...names)))).toEqual(after);
    expect(rig.tell('b', (cart) => cart.get(...names))).toEqual(kind === 'list' ? [] : undefined);
    if (kind === 'map') expect(shown(rig.tell('a', (cart) => cart.entries?.()))).toEqual([['x', '4']]);
  });

  it('is migrated from plain data, and from the bytes of another serializer', async () => {
    const rig = new StateRig(valueState<number>(), states.backend);
    rig.tell('a', (cart) => cart.set?.(7));
    rig.tell('b', (cart) => cart.set?.(8));
    await rig.checkpoint(valueState<Money>({ version: 2, migrate: (cents: number) => of(cents), serializer: money }));
    expect(shown(rig.tell('a', (cart) => cart.get()))).toBe('7');
    const inHex: StateSerializer<Money> = {
      pack: (amount) => new TextEncoder().encode(BigInt(amount.toString()).toString(16)),
      unpack: (bytes) => new Money(BigInt(`0x${new TextDecoder().decode(bytes)}`)),
    };
    const migrate = (stored: unknown, version: number): Money =>
      version === 1 ? of(stored as number) : money.unpack(stored as Uint8Array);
    const now = valueState<Money>({ version: 3, migrate, serializer: inHex });
    await rig.checkpoint(now);
    rig.tell('a', (cart) => cart.set?.((cart.get() as Money).plus(of(13))));
    await rig.checkpoint(now);
    expect(shown(rig.tell('a', (cart) => cart.get()))).toBe('20');
    expect(shown(rig.tell('b', (cart) => cart.get()))).toBe('8');
  });

  it('may be an object with methods', async () => {
    class InCents implements StateSerializer<Money> {
      readonly #serializer = money;

      pack(amount: Money): Uint8Array {
        return this.#serializer.pack(amount);
      }

      unpack(bytes: Uint8Array): Money {
        return this.#serializer.unpack(bytes);
      }
    }
    const rig = new StateRig(valueState<number>(), states.backend);
    rig.tell('b', (cart) => cart.set?.(3));
    const serializer = new InCents();
    await rig.checkpoint(valueState<Money>({ version: 2, migrate: (cents: number) => of(cents), serializer }));
    rig.tell('a', (cart) => cart.set?.(of(7)));
    expect(shown(rig.tell('a', (cart) => cart.get()))).toBe('7');
    expect(shown(rig.tell('b', (cart) => cart.get()))).toBe('3');
  });

  it('that had none refuses what is kept, by name and with the remedy', async () => {
    const rig = new StateRig(valueState<number>(), states.backend);
    rig.tell('a', (cart) => cart.set?.(7));
    await rig.checkpoint(valueState<Money>(options));
    expect(() => rig.tell('a', (cart) => cart.get())).toThrow(/kept of state cart.*needs a new version, and `migrate`/);
  });

  it('refuses a `pack` that returns no bytes, by name', () => {
    const rig = new StateRig(valueState<Money>({ serializer: { ...money, pack: String as never } }), states.backend);
    expect(() => rig.tell('a', (cart) => cart.set?.(of(1)))).toThrow(
      /pack of the serializer of state cart.*Uint8Array/,
    );
  });

  it.each([
    [
      { pack: money.pack },
      /serializer of states\.cart of process: expected an object with the functions pack and unpack/,
    ],
    [{ ...money, unpack: async () => of(1) }, /unpack of states\.cart of process: expected a synchronous function/],
  ])('refuses %o by name', (serializer, message) => {
    const declare = (): unknown =>
      Job.create('orders')
        .source('ids', fromArray([1]))
        .keyBy((id) => id)
        .process({ states: { cart: valueState({ serializer: serializer as never }) }, onRecord: () => {} });
    expect(declare).toThrow(message);
  });
});
