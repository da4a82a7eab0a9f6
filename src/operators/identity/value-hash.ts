import { createHash, hash, type Hash } from 'node:crypto';
import { types } from 'node:util';
import { exactBytes } from '../../partitions/records/exact-text.ts';
import { assertSerializable, isWellFormed } from '../../partitions/records/plain-data.ts';
import { blake3OfText, type HashWords } from './blake3.ts';

/**
 * The SHA-256 of plain data, in hex: equal for two values only if no function can tell them apart; prototypes, and
 * properties that are symbols or not enumerable, aside. So the order of properties counts, −0 is not 0, and one match of a
 * regular expression is not another at a different index. A value with two references is hashed twice.
 *
 * @throws RecordNotSerializableError for a value that is not plain data, with the path and a description
 */
export function hashOfValue(value: unknown): string {
  return digestOfValue(value).end();
}

/** A hash of plain data that is equal when {@link hashOfValue} is, and costs less: for the many records of a run. */
export function hashWordsOfValue(value: unknown): HashWords {
  const text = simpleText(value, 0);
  return text === undefined ? digestOfValue(value).endInWords() : wordsOf(text);
}

/** The SHA-256 of `text`, in hex: equal only for equal texts. */
export function hashOfText(text: string): string {
  return hash('sha256', exactly(text));
}

/** A hash of `text`: equal only for equal texts. */
export function hashWordsOfText(text: string): HashWords {
  return isWellFormed(text) ? wordsOf(text) : hashWordsIn(hash('sha256', exactBytes(text), 'binary'));
}

/** Of a text without lone surrogates: its BLAKE3 or, if it is long, its SHA-256, which costs less then. */
function wordsOf(text: string): HashWords {
  return blake3OfText(text) ?? hashWordsIn(hash('sha256', text, 'binary'));
}

/** The words in the first characters of a text, each of which stands for a byte. */
export function hashWordsIn(text: string): HashWords {
  return { a: wordIn(text, 0), b: wordIn(text, 4), c: wordIn(text, 8), d: wordIn(text, 12) };
}

function wordIn(text: string, at: number): number {
  return (
    text.charCodeAt(at) |
    (text.charCodeAt(at + 1) << 8) |
    (text.charCodeAt(at + 2) << 16) |
    (text.charCodeAt(at + 3) << 24)
  );
}

/** What is hashed of a text. */
function exactly(text: string): string | Uint8Array {
  return isWellFormed(text) ? text : exactBytes(text);
}

function digestOfValue(value: unknown): Digest {
  assertSerializable([value]);
  const digest = new Digest();
  addValue(digest, value);
  return digest;
}

/** Longest text that waits to be hashed. */
const longestText = 1 << 16;

/** Hashes texts in batches, because a call of the hash costs as much as a short text; a short text in one call. */
class Digest {
  #hash: Hash | undefined;
  #text = '';

  add(text: string): void {
    this.#text += text;
    if (this.#text.length > longestText) this.#flush();
  }

  addBytes(bytes: Uint8Array): void {
    this.#flush();
    this.#hash?.update(bytes);
  }

  /** In hex. */
  end(): string {
    return this.#hash === undefined ? hash('sha256', this.#text) : this.#endLong('hex');
  }

  endInWords(): HashWords {
    return this.#hash === undefined ? wordsOf(this.#text) : hashWordsIn(this.#endLong('binary'));
  }

  #endLong(encoding: 'hex' | 'binary'): string {
    this.#flush();
    return (this.#hash as Hash).digest(encoding);
  }

  #flush(): void {
    this.#hash ??= createHash('sha256');
    this.#hash.update(this.#text);
    this.#text = '';
  }
}

/** Simple values that are nested deeper are hashed like all others. */
const deepestSimple = 8;

/** The names of the latest record's properties, and what is hashed of them: most records have those of the one before. */
const latestNames: string[] = [];
const latestTexts: string[] = [];
const mostNames = 64;

/**
 * What is hashed of a value that is simple: plain objects of texts, numbers and the like. Undefined for others. Only one walk
 * through the value, and one text of it: most records are simple, and each is hashed once per look-up.
 */
function simpleText(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return textOfScalar(value);
  if (depth >= deepestSimple || Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  const names = Object.keys(value);
  // One without properties may be a Map that was given another prototype.
  if (names.length === 0) return undefined;
  let text = `o${names.length}:`;
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    const part = simpleText((value as Record<string, unknown>)[name], depth + 1);
    if (part === undefined) return undefined;
    text += textOfName(name, depth + index) + part;
  }
  return text;
}

/** @param near where it is likely to be known */
function textOfName(name: string, near: number): string {
  if (latestNames[near] === name) return latestTexts[near] as string;
  const text = textOfText(name);
  if (near < mostNames) {
    latestNames[near] = name;
    latestTexts[near] = text;
  }
  return text;
}

/** A type, a length if there is one, and the content: no two values are encoded alike. */
function addValue(digest: Digest, value: unknown): void {
  if (typeof value === 'object' && value !== null) addObject(digest, value);
  else digest.add(textOfScalar(value) as string);
}

/** What is hashed of anything but an object; undefined for what is no data. */
function textOfScalar(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return textOfText(value);
    case 'number':
      return Object.is(value, -0) ? 'd-0;' : `d${value};`;
    case 'bigint':
      return `i${value};`;
    case 'boolean':
      return value ? 't' : 'f';
    case 'undefined':
      return 'u';
    case 'object':
      return 'n';
    default:
      return undefined;
  }
}

function textOfText(value: string): string {
  // UTF-8 would make all lone surrogates one.
  return isWellFormed(value) ? `s${value.length}:${value}` : `e${JSON.stringify(value)}`;
}

function addObject(digest: Digest, value: object): void {
  if (Array.isArray(value)) {
    addArray(digest, value);
  } else if (types.isDate(value)) {
    digest.add(`D${value.getTime()};`);
    addNamed(digest, value, 0);
  } else if (types.isMap(value)) {
    digest.add(`M${value.size}:`);
    for (const [key, item] of value) {
      addValue(digest, key);
      addValue(digest, item);
    }
    addNamed(digest, value, 0);
  } else if (types.isSet(value)) {
    digest.add(`S${value.size}:`);
    for (const item of value) addValue(digest, item);
    addNamed(digest, value, 0);
  } else if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    addBytes(digest, value);
  } else {
    const keys = Object.keys(value);
    digest.add(`o${keys.length}:`);
    addProperties(digest, value, keys);
  }
}

function addArray(digest: Digest, value: readonly unknown[]): void {
  digest.add(`a${value.length}:`);
  let items = 0;
  for (let index = 0; index < value.length; index++) {
    if (index in value) {
      addValue(digest, value[index]);
      items++;
    } else digest.add('h');
  }
  addNamed(digest, value, items);
}

/**
 * Adds properties that were set on an array or the like, such as `index` and `input` of a match. Exchanges drop them, but an
 * operator in the same task sees them.
 *
 * @param items number of properties that are items of it
 */
function addNamed(digest: Digest, value: object, items: number): void {
  const keys = Object.keys(value);
  if (keys.length === items) return;
  // Items come first.
  const named = keys.slice(items);
  assertSerializable([Object.fromEntries(named.map((key) => [key, (value as Record<string, unknown>)[key]]))]);
  digest.add(`p${named.length}:`);
  addProperties(digest, value, named);
}

function addProperties(digest: Digest, value: object, keys: readonly string[]): void {
  for (const key of keys) {
    addValue(digest, key);
    addValue(digest, (value as Record<string, unknown>)[key]);
  }
}

function addBytes(digest: Digest, value: ArrayBufferView | ArrayBufferLike): void {
  const kind = Buffer.isBuffer(value) ? 'Buffer' : Object.prototype.toString.call(value);
  digest.add(`B${kind}${value.byteLength}:`);
  digest.addBytes(
    ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value),
  );
}
