import { types } from 'node:util';
import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import type { Batch } from '../stream-element.ts';

/** Maximum nesting depth of a record. */
const deepest = 200;

/**
 * How a value can be written: `usual` by the fast format; `unusual` only by the exact one (−0, lone surrogates, holes
 * in arrays, no prototype, a key that hides a member of Object, …); `foreign` not at all. In this order: a record has
 * the kind of its worst part.
 */
const usual = 0;
const unusual = 1;
const foreign = 2;
type Kind = typeof usual | typeof unusual | typeof foreign;

/**
 * Checks that every record is plain data, because a record that is only in memory now may have to be written later.
 *
 * Plain data are: null, undefined, booleans, numbers, bigints, strings, arrays, plain objects (with or without a
 * prototype), Date, Map, Set, ArrayBuffer and the views of one, Buffer. Ignored, and not written: keys that are
 * symbols or not enumerable, and properties set on an array, a Map or the like. Getters are read. A value with two
 * references is written twice.
 *
 * @throws RecordNotSerializableError with the path and a description of the value.
 */
export function assertSerializable(records: Batch): void {
  for (let index = 0; index < records.length; index++) {
    if (isForeign(records[index], 0)) throw describeFault(records[index]);
  }
}

/** Whether the kind of a value is `foreign`. Costs a third of asking for the kind, which looks into every text. */
function isForeign(value: unknown, depth: number): boolean {
  if (typeof value !== 'object') return typeof value === 'function' || typeof value === 'symbol';
  if (value === null) return false;
  if (depth < deepest && Object.getPrototypeOf(value) === Object.prototype) {
    for (const key in value) {
      const part = (value as Record<string, unknown>)[key];
      if (typeof part !== 'string' && typeof part !== 'number' && isForeign(part, depth + 1)) return true;
    }
    return false;
  }
  return kindOfObject(value, depth) === foreign;
}

/**
 * Whether the fast format preserves these records.
 *
 * @param depth in how many records they are
 * @throws RecordNotSerializableError like {@link assertSerializable}.
 */
export function areUsual(records: Batch, depth = 0): boolean {
  let worst: Kind = usual;
  for (let index = 0; index < records.length; index++) {
    const kind = kindOf(records[index], depth);
    if (kind === foreign) throw describeFault(records[index]);
    if (kind > worst) worst = kind;
  }
  return worst === usual;
}

/** Runs for every value of every record, so it builds no path and no list. */
function kindOf(value: unknown, depth: number): Kind {
  switch (typeof value) {
    case 'number':
      return value === 0 && 1 / value < 0 ? unusual : usual;
    case 'string':
      return isWellFormed(value) ? usual : unusual;
    case 'object':
      return value === null ? usual : kindOfObject(value, depth);
    case 'function':
    case 'symbol':
      return foreign;
    default:
      return usual;
  }
}

function kindOfObject(value: object, depth: number): Kind {
  if (depth >= deepest) return foreign;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) {
    return kindOfEntries(value, value.constructor === Object ? usual : unusual, depth);
  }
  if (Array.isArray(value)) return kindOfArray(value, depth);
  if (isBareOrOfAnotherRealm(prototype)) return kindOfEntries(value, unusual, depth);
  return kindOfBuiltIn(value, depth);
}

function kindOfEntries(value: object, least: Kind, depth: number): Kind {
  let worst = least;
  for (const key in value) {
    const kind = kindOf((value as Record<string, unknown>)[key], depth + 1);
    if (kind === foreign) return foreign;
    if (kind > worst) worst = kind;
    if (key === '__proto__' || !isWellFormed(key)) worst = unusual;
  }
  return worst;
}

function kindOfArray(value: readonly unknown[], depth: number): Kind {
  let worst: Kind = usual;
  if (Object.getPrototypeOf(value) !== Array.prototype) {
    if (!isDirectInstance(value)) return foreign;
    worst = unusual;
  }
  for (let index = 0; index < value.length; index++) {
    const item = value[index];
    const kind = kindOf(item, depth + 1);
    if (kind === foreign) return foreign;
    if (kind > worst) worst = kind;
    if (item === undefined && !(index in value)) worst = unusual;
  }
  return worst;
}

function kindOfBuiltIn(value: object, depth: number): Kind {
  if (value.constructor === Date && types.isDate(value)) return rankOf(value) === 2 ? usual : foreign;
  if (!isDirectInstance(value)) return foreign;
  let worst: Kind = hasUsualConstructor(value) ? usual : unusual;
  if (types.isMap(value) || types.isSet(value)) {
    for (const [, part] of partsOf(value)) {
      const kind = kindOf(part, depth + 1);
      if (kind === foreign) return foreign;
      if (kind > worst) worst = kind;
    }
  }
  return worst;
}

const usualConstructors: ReadonlySet<unknown> = new Set([Map, Set, Date, ArrayBuffer, DataView]);
const TypedArray = Object.getPrototypeOf(Uint8Array) as new () => ArrayBufferView;

/** Whether the value is a built-in object of this realm, and its tag says so. */
function hasUsualConstructor(value: object): boolean {
  return value instanceof TypedArray ? !Buffer.isBuffer(value) : usualConstructors.has(value.constructor);
}

/** Whether the value is an instance of a built-in class of plain data, in any realm, and not of a subclass. */
function isDirectInstance(value: object): boolean {
  if (ArrayBuffer.isView(value)) {
    if (types.isSharedArrayBuffer(value.buffer)) return false;
    return Buffer.isBuffer(value) || rankOf(value) === (types.isDataView(value) ? 2 : 3);
  }
  const isKnown =
    Array.isArray(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isDate(value) ||
    (types.isAnyArrayBuffer(value) && !types.isSharedArrayBuffer(value));
  return isKnown && rankOf(value) === 2;
}

/**
 * The number of prototypes up to the root: 1 for a plain object, 2 for a Map, 3 for an instance of a subclass of Map.
 */
function rankOf(value: object): number {
  let rank = 0;
  for (let next: unknown = Object.getPrototypeOf(value); next !== null; next = Object.getPrototypeOf(next)) rank++;
  return rank;
}

function isBareOrOfAnotherRealm(prototype: unknown): boolean {
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf'))
  );
}

/** Whether `text` can be encoded in UTF-8: it has no lone surrogates. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}

/** The values in a value, each with its step of the path. */
function* partsOf(value: object): Generator<readonly [step: string, part: unknown]> {
  let index = 0;
  if (types.isMap(value)) {
    for (const [key, item] of value) {
      yield [`.key(${index})`, key];
      yield [`.value(${index++})`, item];
    }
  } else if (types.isSet(value)) {
    for (const item of value) yield [`.value(${index++})`, item];
  } else if (Array.isArray(value)) {
    for (; index < value.length; index++) yield [`[${index}]`, value[index]];
  } else {
    for (const key of Object.keys(value)) {
      yield [
        /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
        (value as Record<string, unknown>)[key],
      ];
    }
  }
}

/** The first value in a record that cannot be written. */
function describeFault(record: unknown): RecordNotSerializableError {
  const pathByAncestor = new Map<object, string>();
  const search = (value: unknown, path: string): RecordNotSerializableError | undefined => {
    if (typeof value === 'function' || typeof value === 'symbol') {
      return new RecordNotSerializableError(path, `a ${typeof value}`);
    }
    if (typeof value !== 'object' || value === null) return undefined;
    const above = pathByAncestor.get(value);
    if (above !== undefined) return new RecordNotSerializableError(path, `${above} again (a cycle)`);
    if (pathByAncestor.size >= deepest) {
      return new RecordNotSerializableError(path, `nested more than ${deepest} levels deep`);
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (!isBareOrOfAnotherRealm(prototype) && !isDirectInstance(value)) {
      return new RecordNotSerializableError(path, describeInstance(value));
    }
    if (ArrayBuffer.isView(value)) return undefined;
    pathByAncestor.set(value, path);
    for (const [step, part] of partsOf(value)) {
      const fault = search(part, path + step);
      if (fault !== undefined) return fault;
    }
    pathByAncestor.delete(value);
    return undefined;
  };
  return search(record, '$') ?? new RecordNotSerializableError('$', 'not plain data');
}

function describeInstance(value: object): string {
  if (ArrayBuffer.isView(value) && types.isSharedArrayBuffer(value.buffer)) return 'a view of shared memory';
  const { constructor } = value as { constructor?: { name?: unknown } };
  const name = constructor?.name;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an instance of a class without a name';
}
