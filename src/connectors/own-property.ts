/**
 * Gives `record` a property of its own, whatever its name: assigning to `__proto__` would replace the prototype, and a
 * column of that name would be lost.
 */
export function setOwn(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(record, name, { value, writable: true, enumerable: true, configurable: true });
  } else {
    record[name] = value;
  }
}
