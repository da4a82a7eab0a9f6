/**
 * The path of the first difference of two values, or undefined. Stricter than Jest's equality: distinguishes −0 from 0,
 * a hole from undefined, a missing prototype from the usual one, and orders of keys.
 */
export function difference(actual: unknown, expected: unknown, path = '$'): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (typeof actual !== 'object' || typeof expected !== 'object' || actual === null || expected === null) {
    return `${path}: ${String(actual)}, not ${String(expected)}`;
  }
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return `${path}: another prototype`;
  if (actual instanceof Date) return difference(actual.getTime(), (expected as Date).getTime(), `${path} (time)`);
  if (ArrayBuffer.isView(actual)) return differenceOfBytes(actual, expected as ArrayBufferView, path);
  if (actual instanceof ArrayBuffer) {
    return differenceOfBytes(new Uint8Array(actual), new Uint8Array(expected as ArrayBuffer), path);
  }
  if (actual instanceof Map || actual instanceof Set) {
    return difference([...actual], [...(expected as Set<unknown>)], `${path} (items)`);
  }
  return differenceOfEntries(actual, expected, path);
}

function differenceOfEntries(actual: object, expected: object, path: string): string | undefined {
  const [keys, expectedKeys] = [Object.keys(actual), Object.keys(expected)];
  if (keys.length !== expectedKeys.length || keys.some((key, index) => key !== expectedKeys[index])) {
    return `${path}: keys ${keys.join()}, not ${expectedKeys.join()}`;
  }
  if (Array.isArray(actual) && actual.length !== (expected as unknown[]).length) return `${path}: another length`;
  for (const key of keys) {
    const found = difference(
      (actual as Record<string, unknown>)[key],
      (expected as Record<string, unknown>)[key],
      `${path}.${key}`,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function differenceOfBytes(actual: ArrayBufferView, expected: ArrayBufferView, path: string): string | undefined {
  const [bytes, expectedBytes] = [actual, expected].map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength),
  ) as [Buffer, Buffer];
  return bytes.equals(expectedBytes) ? undefined : `${path}: other bytes`;
}
