import { types } from 'node:util';
import { inQuotes } from '../../foreign-value.ts';
import { isThenable, swallowRejection } from '../../user-code.ts';

/** How to write values that JSON lacks. */
export interface JsonTextOptions {
  /**
   * How to write a bigint. Default: an error that names its key. `number` writes its digits, which `jsonLinesFile`
   * reads back with `int64: 'bigint'`; `string` writes them in quotes.
   */
  readonly int64?: 'number' | 'string' | undefined;
}

/** JSON would change a value. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError';
  /** The value and its place, without the remedy. */
  readonly problem: string;

  constructor(problem: string, remedy: string) {
    super(`${problem}. ${remedy}`);
    this.problem = problem;
  }
}

/**
 * `value` as JSON that parses to an equal value. Values that `JSON.stringify` turns into null, `{}` or nothing are
 * refused. A `Date` becomes its ISO 8601 text, an object with `toJSON` the returned value, and any other object its own
 * properties; undefined properties are left out. Integers beyond 2^53 have all their digits, and -0 its sign.
 *
 * @throws NotJsonError
 */
export function jsonTextOf(value: unknown, options: JsonTextOptions): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (error) {
    if (error instanceof RangeError) throw error;
    // A bigint, a cycle or a `toJSON` that throws: found again below, with its place.
  }
  return text === undefined || needsCare(value) ? new CarefulText(options).write(value) : text;
}

/** Whether `value` contains something that `JSON.stringify` would not write as it is. */
function needsCare(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return false;
    case 'number':
      return value === 0 ? 1 / value < 0 : !Number.isFinite(value) || isUnsafeInteger(value);
    case 'object':
      return value !== null && (Array.isArray(value) ? doItemsNeedCare(value) : doMembersNeedCare(value));
    default:
      return true;
  }
}

function doItemsNeedCare(items: readonly unknown[]): boolean {
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined || needsCare(item)) return true;
  }
  return false;
}

function doMembersNeedCare(value: object): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    if (value instanceof Date) return Number.isNaN(value.getTime());
    if (nameOfOpaque(value) !== undefined || isBoxed(value) || 'toJSON' in value) return true;
  }
  const members = value as Readonly<Record<string, unknown>>;
  for (const key in members) if (needsCare(members[key])) return true;
  return false;
}

/** JavaScript prints 2^60 as 1152921504606847000, a different integer. */
function isUnsafeInteger(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21;
}

/** A name for an object whose content is not in its properties; undefined for all others. */
function nameOfOpaque(value: object): string | undefined {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.constructor.name;
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  if (opaqueTags.has(tag)) return tag;
  return isBoxed(value) || !isEmptyInstance(value) ? undefined : `an instance of ${value.constructor?.name ?? tag}`;
}

/** Whether an instance hides its content: a Blob, Headers, an iterator. */
function isEmptyInstance(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype || Array.isArray(value) || 'toJSON' in value) return false;
  // In another realm, the prototype of plain objects is a different object, but also has no prototype.
  return Object.getPrototypeOf(prototype) !== null && Object.keys(value).length === 0;
}

/** Whether `value` is a boxed primitive: `new Number(1)`. */
function isBoxed(value: object): boolean {
  return (
    types.isNumberObject(value) ||
    types.isStringObject(value) ||
    types.isBooleanObject(value) ||
    types.isBigIntObject(value)
  );
}

const opaqueTags = new Set([
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'RegExp',
  'Error',
  'Promise',
  'SharedArrayBuffer',
]);

/** Writes JSON piece by piece and tracks its place in the value. */
class CarefulText {
  readonly #options: JsonTextOptions;
  readonly #path: (string | number)[] = [];
  readonly #parents = new Set<object>();

  constructor(options: JsonTextOptions) {
    this.#options = options;
  }

  write(value: unknown): string {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return JSON.stringify(value);
      case 'number':
        if (!Number.isFinite(value)) return this.#refuse(`${value} has no JSON form`);
        if (Object.is(value, -0)) return '-0';
        return isUnsafeInteger(value) ? String(BigInt(value)) : JSON.stringify(value);
      case 'bigint': {
        const { int64 } = this.#options;
        if (int64 === undefined)
          return this.#refuse('a bigint has no JSON form', "Set `int64` to 'number' or 'string'");
        return int64 === 'number' ? String(value) : `"${value}"`;
      }
      case 'object':
        return value === null ? 'null' : this.#inside(value, () => this.#writeObject(value));
      default:
        return this.#refuse(`${typeof value} has no JSON form`);
    }
  }

  #writeObject(value: object): string {
    if (isBoxed(value)) return this.write(value.valueOf());
    const opaque = nameOfOpaque(value);
    if (opaque !== undefined) {
      if (isThenable(value)) swallowRejection(value);
      return this.#refuse(`${opaque} has no JSON form`);
    }
    if (value instanceof Date && Number.isNaN(value.getTime())) return this.#refuse('an invalid Date has no JSON form');
    const { toJSON } = value as { readonly toJSON?: unknown };
    if (typeof toJSON === 'function') return this.write(toJSON.call(value, String(this.#path.at(-1) ?? '')));
    if (Array.isArray(value)) {
      return `[${Array.from(value, (item, index) => this.#at(index, () => this.write(item))).join()}]`;
    }
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => `${JSON.stringify(key)}:${this.#at(key, () => this.write(member))}`);
    return `{${members.join()}}`;
  }

  #inside(value: object, write: () => string): string {
    if (this.#parents.has(value)) return this.#refuse('it contains itself');
    this.#parents.add(value);
    const text = write();
    this.#parents.delete(value);
    return text;
  }

  #at(key: string | number, write: () => string): string {
    this.#path.push(key);
    const text = write();
    this.#path.pop();
    return text;
  }

  #refuse(problem: string, remedy = 'Map to plain data before the sink'): never {
    const place = this.#path.length === 0 ? '' : `${inQuotes(this.#path.join('.'))}: `;
    throw new NotJsonError(`${place}${problem}`, remedy);
  }
}
