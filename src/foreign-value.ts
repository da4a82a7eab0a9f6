import { isSecretName } from './secret-name.ts';

/**
 * Values that came from outside and may resist being looked at: revoked proxies, getters and `toJSON` that throw, objects
 * without a prototype. Nothing here throws.
 */

/** Characters of a message: what users' data, names and errors add to it may be of any length. */
const mostOfMessage = 2_000;
/** Characters of a value or name in it. */
const mostShown = 120;

/** `value[key]`; undefined where there is no such property, or where reading it throws. */
export function propertyOf(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Nobody will wait for `value`: if it is a promise, of whatever realm, its rejection must not end the process. */
export function ignoreRejection(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  try {
    void Promise.prototype.then.call(value, undefined, () => {});
  } catch {
    // It is no promise, or one that resists: then it is its maker's to listen to it.
  }
}

/** `text`, or its beginning and its end where it has more than `most` characters: what is said last is often the remedy. */
export function cutToFit(text: string, most = mostOfMessage): string {
  if (text.length <= most) return text;
  const mark = ` … (${text.length} characters) … `;
  const tail = Math.floor((most - mark.length) / 3);
  return `${text.slice(0, most - mark.length - tail)}${mark}${text.slice(-tail)}`;
}

/** A name or path of the user's, in quotes, for a message. */
export function inQuotes(text: string): string {
  return JSON.stringify(cutToFit(text, mostShown));
}

/** A short rendering of any value for an error message; fields that are named like a secret are left out. */
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
  // JSON has nothing to say of a map, a promise or an Observable.
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
    return 'something that cannot be looked at';
  }
}

function shortened(text: string): string {
  return text.length > mostShown ? `${text.slice(0, mostShown - 3)}...` : text;
}
