/** A revoked proxy: every access throws a TypeError. */
export function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** A proxy that throws at every access. */
export function trappingProxy(): object {
  const trap = (): never => {
    throw new Error('trap');
  };
  return new Proxy({}, new Proxy({}, { get: () => trap }));
}

/** An error whose property `key` throws when it is read. */
export function errorWithout(key: 'cause' | 'code' | 'message' | 'name' | 'recovery' | 'stack' | 'toString'): Error {
  return Object.defineProperty(new Error('x'), key, {
    get: () => {
      throw new Error(key);
    },
  });
}

/** `value` with a property `then`: a thenable, or nearly one. */
export function withThen<Value extends object>(value: Value, then: unknown): Value {
  // oxlint-disable-next-line unicorn/no-thenable -- that is what it is for
  return Object.defineProperty(value, 'then', { value: then });
}

/** A thenable with this `then`. */
export function thenable<Value>(
  then: (yes: (value: Value) => void, no: (error: unknown) => void) => unknown,
): PromiseLike<Value> {
  return withThen({}, then) as PromiseLike<Value>;
}
