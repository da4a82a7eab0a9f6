/**
 * A deep copy of plain data, which later changes of the original do not affect. Values that nobody can change are not
 * copied.
 */
export function copyState(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return isPlainArray(value) ? value.map(copyState) : structuredClone(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return copyObject(value as Record<string, unknown>, {});
  if (prototype === null) return copyObject(value as Record<string, unknown>, Object.create(null) as object);
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [copyState(key), copyState(one)]));
  if (value instanceof Set) return new Set([...value].map(copyState));
  if (value instanceof Date || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return copyBytes(value);
  // Not plain data: it is as it is, and the next snapshot says what is wrong with it.
  return value;
}

function copyObject(from: Record<string, unknown>, to: object): object {
  for (const key of Object.keys(from)) {
    const copy = copyState(from[key]);
    if (key === '__proto__')
      Object.defineProperty(to, key, { value: copy, enumerable: true, writable: true, configurable: true });
    else (to as Record<string, unknown>)[key] = copy;
  }
  return to;
}

function copyBytes(value: Date | ArrayBufferView | ArrayBuffer): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  return structuredClone(value);
}

/** Whether it has no holes, which `map` would keep but a for loop reads as undefined. */
function isPlainArray(value: readonly unknown[]): boolean {
  return Object.getPrototypeOf(value) === Array.prototype;
}
