/**
 * Freezes records and what they hold, so that whoever changes a record after handing it on gets a TypeError at that very
 * line. Plain objects and arrays only: other objects (dates, maps, typed arrays, instances) keep their own rules.
 * Stops at what is frozen already.
 */
export function freezeRecords(records: readonly unknown[]): void {
  for (const record of records) freezeDeep(record);
}

function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  if (Array.isArray(value)) {
    Object.freeze(value);
    for (const item of value) freezeDeep(item);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object of another realm has another Object.prototype, whose own prototype is null.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return;
  Object.freeze(value);
  for (const key in value) freezeDeep((value as Record<string, unknown>)[key]);
}
