import { isSecretName } from './secret-name.ts';

/**
 * Functions for foreign values that may throw when read: revoked proxies, throwing getters and `toJSON`, objects
 * without a prototype. Nothing here throws.
 */

/** Maximum characters of a message, because user data, names and errors in it can have any length. */
const mostOfMessage = 2_000;
/** Maximum characters of a value or name in a message. */
const mostShown = 120;

/** `value[key]`; undefined if there is no such property, or reading it throws. */
export function propertyOf(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Several properties at once, each read as by {@link propertyOf}. */
export function propertiesOf<Key extends PropertyKey>(value: unknown, ...keys: readonly Key[]): Record<Key, unknown> {
  const properties = {} as Record<Key, unknown>;
  for (const key of keys) properties[key] = propertyOf(value, key);
  return properties;
}

/** Whether `value` has all of these methods. */
export function hasMethods(value: unknown, ...methods: readonly string[]): boolean {
  return methods.every((method) => typeof propertyOf(value, method) === 'function');
}

/** If `value` is a promise of any realm, prevents its rejection from ending the process. */
export function ignoreRejection(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  try {
    void Promise.prototype.then.call(value, undefined, () => {});
  } catch {
    // Not a promise, or one that throws when read; its creator is responsible for it.
  }
}

/**
 * `text`, cut in the middle if it has more than `most` characters. The end is preserved because it often has the
 * remedy.
 */
export function cutToFit(text: string, most = mostOfMessage): string {
  if (text.length <= most) return text;
  const mark = ` … (${text.length} characters) … `;
  const tail = Math.floor((most - mark.length) / 3);
  return `${text.slice(0, most - mark.length - tail)}${mark}${text.slice(-tail)}`;
}

/** A user's name or path, quoted for a message. */
export function inQuotes(text: string): string {
  return JSON.stringify(cutToFit(text, mostShown));
}

/** A short rendering of any value for an error message, without fields that are named like a secret. */
export function show(value: unknown): string {
  try {
    switch (typeof value) {
      case 'string':
        return shortened(JSON.stringify(value));
      case 'bigint':
        return shortened(`${value}n`);
      case 'function':
        return shortened(`function ${value.name === '' ? '(anonymous)' : value.name}`);
      case 'object':
        return value instanceof Error ? shortened(String(value)) : showObject(value);
      default:
        return shortened(String(value));
    }
  } catch {
    return tagOf(value);
  }
}

function showObject(value: object | null): string {
  const text = JSON.stringify(value, withoutSecrets) as string | undefined;
  if (text !== undefined && text !== '{}') return shortened(text);
  // JSON shows nothing of a Map, a promise or an Observable.
  const tag = tagOf(value);
  const name = propertyOf(propertyOf(value, 'constructor'), 'name');
  if (tag !== '[object Object]' || text === undefined) return tag;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? shortened(`[object ${name}]`) : text;
}

const withoutSecrets = (name: string, value: unknown): unknown => (isSecretName(name) ? '(left out)' : value);

function tagOf(value: unknown): string {
  try {
    if (value instanceof Error) return 'an error that cannot be read';
    return shortened(Object.prototype.toString.call(value));
  } catch {
    return 'a value that cannot be read';
  }
}

function shortened(text: string): string {
  return text.length > mostShown ? `${text.slice(0, mostShown - 3)}...` : text;
}
