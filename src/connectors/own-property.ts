/**
 * Defines an own property of `record` under any name. Assigning to `__proto__` would replace the prototype and lose a
 * column of that name.
 */
export function setOwn(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(record, name, { value, writable: true, enumerable: true, configurable: true });
  } else {
    record[name] = value;
  }
}
