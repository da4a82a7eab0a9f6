import { isWellFormed } from '../../../partitions/records/plain-data.ts';

/** Deeper values are packed as records are. */
const deepest = 16;

/** Whether JSON gives back plain data as they are: exactly, in the order of their properties. Holes are no JSON. */
export function isJson(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case 'string':
      return isWellFormed(value);
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'boolean':
      return true;
    case 'object':
      if (value === null) return true;
      if (depth >= deepest) return false;
      return Array.isArray(value) ? isJsonArray(value, depth + 1) : isJsonObject(value, depth + 1);
    default:
      return false;
  }
}

function isJsonArray(value: readonly unknown[], depth: number): boolean {
  if (Object.getPrototypeOf(value) !== Array.prototype) return false;
  for (let index = 0; index < value.length; index++) if (!isJson(value[index], depth)) return false;
  return !('toJSON' in value);
}

function isJsonObject(value: object, depth: number): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key of Object.keys(value)) {
    if (!isWellFormed(key)) return false;
    if (!isJson((value as Record<string, unknown>)[key], depth)) return false;
  }
  return !('toJSON' in value);
}
