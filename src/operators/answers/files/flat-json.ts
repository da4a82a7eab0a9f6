const quote = 0x22;
const backslash = 0x5c;
const closingBrace = 0x7d;

/** Longer texts and numbers, and objects of more properties, are left to `JSON.parse`, which is as fast for them. */
const mostCharacters = 64;
const mostDigits = 15;
const mostNames = 8;

/**
 * Reads JSON texts as `JSON.stringify` writes them, most of which are objects of the same few properties, with short texts
 * and whole numbers: the answers of an operator. `JSON.parse` needs a text made of the bytes, and finds each name again. Here
 * the bytes of the names are compared with those of the object before. Anything else is left to `JSON.parse`.
 */
export class FlatJson {
  /** Those of the latest object. Only if they come twice in a row are they worth learning. */
  #seen: readonly string[] = [];
  /** Those that were learned, and the bytes before each value: `{"score":`, `,"label":`. */
  #names: readonly string[] = [];
  #heads: readonly Uint8Array[] = [];

  /** The value of the text in `bytes`, in objects of its own. @throws SyntaxError */
  parse(bytes: Buffer, at: number, end: number): unknown {
    return this.#parseLearned(bytes, at, end) ?? this.#parseAny(bytes, at, end);
  }

  /** Undefined for what is not simple, or has other names. */
  #parseLearned(bytes: Buffer, start: number, end: number): object | undefined {
    if (this.#heads.length === 0) return undefined;
    const object: Record<string, unknown> = {};
    let at = start;
    for (let index = 0; index < this.#heads.length; index++) {
      const head = this.#heads[index] as Uint8Array;
      for (let byte = 0; byte < head.length; byte++) if (bytes[at + byte] !== head[byte]) return undefined;
      at += head.length;
      const isText = bytes[at] === quote;
      const stop = isText ? endOfText(bytes, at + 1) : endOfDigits(bytes, at);
      if (stop < 0) return undefined;
      object[this.#names[index] as string] = isText
        ? bytes.toString('latin1', at + 1, stop)
        : numberIn(bytes, at, stop);
      at = isText ? stop + 1 : stop;
    }
    return bytes[at] === closingBrace && at + 1 === end ? object : undefined;
  }

  #parseAny(bytes: Buffer, at: number, end: number): unknown {
    const value: unknown = JSON.parse(bytes.toString('utf8', at, end));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) this.#see(Object.keys(value));
    return value;
  }

  #see(names: readonly string[]): void {
    if (isSame(names, this.#names)) return;
    if (!isSame(names, this.#seen)) {
      this.#seen = names;
      return;
    }
    // To assign to one of the names that all objects have may do something else: `__proto__`.
    const isSimple = names.length <= mostNames && !names.some((name) => name in Object.prototype);
    this.#names = isSimple ? names : [];
    this.#heads = this.#names.map((name, index) => Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`));
  }
}

/** Where the closing quote of a text of ASCII without escapes is; −1 for others. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let at = start; at <= start + mostCharacters; at++) {
    const byte = bytes[at] as number;
    if (byte === quote) return at;
    if (byte === backslash || !(byte < 0x80)) return -1;
  }
  return -1;
}

/** Where the digits end; −1 if there are none, or too many. */
function endOfDigits(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isDigit(bytes[at] as number)) at++;
  return at === start || at - start > mostDigits ? -1 : at;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function numberIn(bytes: Uint8Array, start: number, stop: number): number {
  let number = 0;
  for (let at = start; at < stop; at++) number = number * 10 + (bytes[at] as number) - 0x30;
  return number;
}

function isSame(names: readonly string[], others: readonly string[]): boolean {
  return names.length === others.length && names.every((name, index) => name === others[index]);
}
