import { propertiesOf, propertyOf } from '../../foreign-value.ts';
import { type PlainError, toPlainError } from '../../plain-error.ts';
import { isSecretName, withoutSecrets } from '../../secret-name.ts';

/**
 * Replaces what must not be recorded: gets each value with its path (`cause.data.user.name`), and returns it or
 * something else instead. A value at which it throws is left out.
 */
export type Redact = (value: unknown, path: string) => unknown;

/** Limits of an encoded value. */
export interface PlainValueLimits {
  /** Values inside values. */
  readonly depth: number;
  /** Entries of one object, array, Map or Set; numbers of a typed array. */
  readonly entries: number;
  /** Characters of a text. */
  readonly characters: number;
  /** Values in all. */
  readonly values: number;
}

const usualLimits: PlainValueLimits = { depth: 6, entries: 100, characters: 2_000, values: 2_000 };

/** More of a text is searched for secrets than is kept, because some are recognizable only by what follows them. */
const lookedAt = 2;

/** What replaces a likely secret. */
const leftOut = '(left out)';

/**
 * The form of a value that JSON cannot express. An object with a property `$` of its own is expressed as `object`.
 * `size` and `length` count everything, also what was cut.
 */
export type Tagged =
  | { readonly $: 'undefined' | 'cycle' | 'deep' | 'more' | 'unreadable' }
  | { readonly $: 'number'; readonly value: 'NaN' | 'Infinity' | '-Infinity' | '-0' }
  | { readonly $: 'bigint' | 'symbol' | 'date' | 'pattern'; readonly value: string }
  | { readonly $: 'text'; readonly start: string; readonly length: number }
  | { readonly $: 'function' | 'instance'; readonly name: string }
  | { readonly $: 'array' | 'set'; readonly values: readonly unknown[]; readonly size: number }
  | { readonly $: 'map'; readonly entries: readonly (readonly [unknown, unknown])[]; readonly size: number }
  | { readonly $: 'object'; readonly entries: readonly (readonly [string, unknown])[]; readonly size: number }
  | { readonly $: 'numbers'; readonly kind: string; readonly values: readonly unknown[]; readonly size: number }
  | { readonly $: 'error'; readonly error: PlainError };

/** Settings of an encoding. */
export interface PlainValueOptions {
  readonly redact?: Redact | undefined;
  readonly limits?: Partial<PlainValueLimits> | undefined;
}

/**
 * A value as JSON can express it: errors with their causes, Maps, Sets, bigints, dates and typed arrays as what they
 * are; instances of classes and functions by name. Likely secrets, and what `redact` says, are left out. Bounded, and
 * never throws.
 *
 * @param path of the value, for `redact`
 */
export function encodeValue(value: unknown, path = '', options: PlainValueOptions = {}): unknown {
  return new Encoding(options).encode(value, path, 0);
}

/** An error in plain form, its data encoded. */
export function encodeError(error: Error | PlainError, path: string, options: PlainValueOptions = {}): PlainError {
  return new Encoding(options).error(error instanceof Error ? toPlainError(error) : error, path, 0);
}

/** A text without likely secrets, and as `redact` wants it. */
export function encodeText(text: string, path: string, options: PlainValueOptions = {}): string {
  return new Encoding(options).text(text, path);
}

/** One encoding: what it may still hold, and where it is. */
class Encoding {
  readonly #limits: PlainValueLimits;
  readonly #redact: Redact | undefined;
  /** The objects around the present value. */
  readonly #around = new Set<object>();
  #valuesLeft: number;

  constructor({ redact, limits }: PlainValueOptions) {
    this.#limits = { ...usualLimits, ...limits };
    this.#redact = redact;
    this.#valuesLeft = this.#limits.values;
  }

  encode(given: unknown, path: string, depth: number): unknown {
    if (--this.#valuesLeft < 0) return { $: 'more' };
    let value: unknown;
    try {
      value = this.#redact === undefined ? given : this.#redact(given, path);
    } catch {
      return leftOut;
    }
    try {
      return this.#plain(value, path, depth);
    } catch {
      return { $: 'unreadable' };
    }
  }

  error(plain: PlainError, path: string, depth: number): PlainError {
    const { name, message, stack, data, cause, errors } = plain;
    const at = (part: string): string => `${path}.${part}`;
    const encodedData = this.#entries(Object.keys(data), (key) => data[key], at('data'), depth);
    return {
      name,
      message: this.text(message, at('message')),
      stack: stack === undefined ? undefined : this.text(stack, at('stack')),
      data: Object.fromEntries(encodedData),
      cause:
        cause === undefined
          ? undefined
          : 'value' in cause
            ? { value: this.encode(cause.value, at('cause'), depth + 1) }
            : this.error(cause, at('cause'), depth),
      errors: errors?.map((error, index) => this.error(error, at(`errors.${index}`), depth)),
    };
  }

  /** A text that stays a text. */
  text(text: string, path: string): string {
    let redacted: unknown;
    try {
      redacted = this.#redact === undefined ? text : this.#redact(text, path);
    } catch {
      redacted = leftOut;
    }
    if (typeof redacted !== 'string') return leftOut;
    const most = 4 * this.#limits.characters;
    const clean = withoutSecrets(redacted.slice(0, lookedAt * most));
    return clean.length > most ? `${clean.slice(0, most)}… (${text.length} characters)` : clean;
  }

  #plain(value: unknown, path: string, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return this.#shortText(value);
      case 'number':
        if (Number.isFinite(value) && !Object.is(value, -0)) return value;
        return { $: 'number', value: Object.is(value, -0) ? '-0' : `${value}` };
      case 'boolean':
        return value;
      case 'undefined':
        return { $: 'undefined' };
      case 'bigint':
        return this.#bigint(value);
      case 'symbol':
        return { $: 'symbol', value: this.#cut(value.description ?? '') };
      case 'function':
        return { $: 'function', name: this.#cut(nameOf(value)) };
      default:
        return value === null ? null : this.#object(value as object, path, depth);
    }
  }

  #object(value: object, path: string, depth: number): unknown {
    if (this.#around.has(value)) return { $: 'cycle' };
    if (depth >= this.#limits.depth) return { $: 'deep' };
    this.#around.add(value);
    try {
      return this.#inside(value, path, depth + 1);
    } finally {
      this.#around.delete(value);
    }
  }

  #inside(value: object, path: string, depth: number): unknown {
    const { entries } = this.#limits;
    if (Array.isArray(value)) {
      const values = Array.from({ length: Math.min(value.length, entries) }, (_, index) =>
        this.encode(value[index], join(path, index), depth),
      );
      return value.length <= entries ? values : { $: 'array', values, size: value.length };
    }
    const builtIn = this.#builtIn(value, path, depth);
    if (builtIn !== undefined) return builtIn;
    const prototype: unknown = Object.getPrototypeOf(value);
    // A class of another realm may be called Object too: `prototype` is the end of its chain then.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return this.#instance(value);
    const keys = Object.keys(value);
    const encoded = this.#entries(keys, (key) => (value as Record<string, unknown>)[key], path, depth);
    if (keys.length <= entries && !Object.hasOwn(value, '$')) return Object.fromEntries(encoded);
    return { $: 'object', entries: encoded, size: keys.length };
  }

  #entries(
    keys: readonly string[],
    valueOf: (key: string) => unknown,
    path: string,
    depth: number,
  ): (readonly [string, unknown])[] {
    return keys.slice(0, this.#limits.entries).map((key) => {
      if (isSecretName(key)) return [key, leftOut];
      try {
        return [key, this.encode(valueOf(key), join(path, key), depth)];
      } catch {
        return [key, { $: 'unreadable' }];
      }
    });
  }

  /** Of any realm: a value inside an error was cloned. An object that only pretends to be built in is none. */
  #builtIn(value: object, path: string, depth: number): Tagged | undefined {
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    if (kind === 'Error' || value instanceof Error) {
      return { $: 'error', error: this.error(toPlainError(value as Error), path, depth) };
    }
    try {
      switch (kind) {
        case 'Date': {
          const ms = Date.prototype.getTime.call(value);
          return { $: 'date', value: Number.isNaN(ms) ? 'Invalid Date' : Date.prototype.toISOString.call(value) };
        }
        case 'RegExp':
          return { $: 'pattern', value: this.#cut(RegExp.prototype.toString.call(value)) };
        case 'Map':
          return this.#map(Map.prototype.entries.call(value), (value as Map<unknown, unknown>).size, path, depth);
        case 'Set': {
          const items = first(Set.prototype.values.call(value), this.#limits.entries);
          const values = items.map((item, index) => this.encode(item, join(path, index), depth));
          return { $: 'set', values, size: (value as Set<unknown>).size };
        }
        case 'ArrayBuffer':
          return this.#numbers(kind, new Uint8Array(value as ArrayBuffer));
        default:
          return ArrayBuffer.isView(value) ? this.#view(kind, value) : undefined;
      }
    } catch {
      return undefined;
    }
  }

  #map(items: Iterable<[unknown, unknown]>, size: number, path: string, depth: number): Tagged {
    const entries = first(items, this.#limits.entries).map(([key, item], index) => {
      const name = typeof key === 'string' ? key : index;
      const isSecret = typeof key === 'string' && isSecretName(key);
      return [this.encode(key, path, depth), isSecret ? leftOut : this.encode(item, join(path, name), depth)] as const;
    });
    return { $: 'map', entries, size };
  }

  #view(kind: string, value: ArrayBufferView): Tagged {
    const isArray = kind !== 'DataView';
    return this.#numbers(
      kind,
      isArray ? (value as Uint8Array) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
    );
  }

  #numbers(kind: string, numbers: Uint8Array): Tagged {
    const kept = Array.from(numbers.subarray(0, this.#limits.entries), (each: unknown) => this.#plain(each, '', 0));
    return { $: 'numbers', kind, values: kept, size: numbers.length };
  }

  #instance(value: object): Tagged {
    const { id, sessionId } = propertiesOf(value, 'id', 'sessionId');
    const name = nameOf(propertyOf(value, 'constructor')) || 'Object';
    const isActor = typeof id === 'string' && typeof sessionId === 'string';
    return { $: 'instance', name: this.#cut(isActor ? `${name} ${id}` : name) };
  }

  #bigint(value: bigint): Tagged {
    const text = `${value}`;
    const { characters } = this.#limits;
    if (text.length <= characters) return { $: 'bigint', value: text };
    return { $: 'text', start: text.slice(0, characters), length: text.length };
  }

  #shortText(value: string): string | Tagged {
    const { characters } = this.#limits;
    if (value.length <= characters) return withoutSecrets(value);
    const clean = withoutSecrets(value.slice(0, lookedAt * characters));
    return { $: 'text', start: clean.slice(0, characters), length: value.length };
  }

  #cut(text: string): string {
    return text.slice(0, 120);
  }
}

function join(path: string, key: string | number): string {
  return path === '' ? `${key}` : `${path}.${key}`;
}

function nameOf(value: unknown): string {
  const name = propertyOf(value, 'name');
  return typeof name === 'string' ? name : '';
}

/** The first items of an iterable; a Map may have millions. */
function first<Item>(items: Iterable<Item>, most: number): Item[] {
  const found: Item[] = [];
  for (const item of items) if (found.push(item) >= most) break;
  return found;
}
