const deepest = 200;

/** What JSON would change in `value`, and where: `.a[2] is a bigint`. Undefined if JSON preserves `value`. */
export function jsonFault(value: unknown, place = '', depth = 0): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : `${place} is ${value}`;
    case 'object':
      return value === null ? undefined : objectFault(value, place, depth);
    default:
      return `${place} is a ${typeof value}`;
  }
}

function objectFault(value: object, place: string, depth: number): string | undefined {
  if (depth >= deepest) return `${place} is too deep`;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const fault = jsonFault(value[index], `${place}[${index}]`, depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    return `${place} is a ${value.constructor?.name ?? 'foreign object'}`;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return `${place} has a toJSON of its own`;
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const fault = jsonFault(member, `${place}.${key}`, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
