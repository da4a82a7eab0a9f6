/**
 * Freezes records and their contents, so that code that changes a record after emitting it gets a TypeError at that
 * line. Only plain objects and arrays: other objects (dates, maps, typed arrays, instances) are left alone. Stops at
 * frozen objects.
 */
export function freezeRecords(records: readonly unknown[]): void {
  for (const record of records) freezeRecord(record);
}

/** Freezes one record, as {@link freezeRecords} does. */
export function freezeRecord(record: unknown): void {
  if (!isFreezable(record)) return;
  // Not recursive: a linked list of 100 000 items would overflow the stack.
  const open: object[] = [record];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    Object.freeze(value);
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) if (isFreezable(item)) open.push(item);
    } else {
      for (const key in value) {
        const item = (value as Record<string, unknown>)[key];
        if (isFreezable(item)) open.push(item);
      }
    }
  }
}

function isFreezable(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object of another realm has another Object.prototype, whose own prototype is null.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
