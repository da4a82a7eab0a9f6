import { InvalidArgumentError } from '../../errors/usage-errors.ts';

/** Makes bytes of values that are no plain data, such as instances of a class, and values of bytes. */
export interface StateSerializer<Stored = unknown> {
  /** New bytes, which nobody changes afterwards. Of a list: of one item; of a map: of one value. */
  readonly pack: { of(value: Stored): Uint8Array }['of'];
  readonly unpack: (bytes: Uint8Array) => Stored;
}

/** How values of a state become what it keeps. */
export interface StateCodec<Value> {
  readonly pack: (value: Value) => unknown;
  /** undefined for undefined. */
  readonly unpack: (kept: unknown) => Value | undefined;
}

/** The state that has a codec. */
interface CodedState {
  readonly name: string;
  /** The value itself. @throws if it is a promise */
  checked<Value>(value: Value): Value;
}

/** Without a serializer a state keeps its values themselves. */
export function codecOf<Value>(slot: CodedState, serializer: StateSerializer<Value> | undefined): StateCodec<Value> {
  if (serializer === undefined) return { pack: (value) => slot.checked(value), unpack: (kept) => kept as Value };
  return {
    pack: (value) => packedBy(serializer, slot.checked(value), slot.name),
    unpack: (kept) => {
      if (kept === undefined) return undefined;
      if (kept instanceof Uint8Array) return slot.checked(serializer.unpack(kept));
      throw new InvalidArgumentError(
        `what is kept of state ${slot.name}, which has a serializer`,
        kept,
        'bytes: a state that had none before needs a new version, and `migrate`',
      );
    },
  };
}

/** @throws InvalidArgumentError unless it returns bytes */
export function packedBy<Value>(serializer: StateSerializer<Value>, value: Value, state: string): Uint8Array {
  const bytes: unknown = serializer.pack(value);
  if (bytes instanceof Uint8Array) return bytes;
  throw new InvalidArgumentError(`result of pack of the serializer of state ${state}`, bytes, 'a Uint8Array');
}
