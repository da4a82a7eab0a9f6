/** A number in a JSON text that a double cannot hold, or holds only by chance. */
export interface WideNumber {
  readonly start: number;
  readonly end: number;
  /** The option that applies. An integer has neither a fraction nor an exponent. */
  readonly kind: 'int64' | 'decimals';
  /** The nearest double is equal: an integer beyond 2^53 that ends in zero bits. */
  readonly isExact: boolean;
}

/** The character codes of a text: its bytes if it is ASCII. Faster to scan than a string. */
export type CharCodes = Uint8Array | Uint16Array;

/**
 * The codes of `text`: `bytes`, its UTF-8, if each character takes one byte; otherwise a copy with two bytes per
 * character.
 */
export function charCodesOf(text: string, bytes: Buffer): CharCodes {
  if (bytes.length === text.length) return bytes;
  const wide = Buffer.from(text, 'utf16le');
  return new Uint16Array(wide.buffer, wide.byteOffset, text.length);
}

const shortestRun = 16;
const farExponent = /\d[eE][-+]?\d\d\d/g;
const point = 0x2e;
const zero = 0x30;
const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;

/**
 * Finds where a text may have numbers with 16 digits or more, or with a three-digit exponent. No other number changes
 * as a double, so a line without suspects is done; {@link wideNumbers} examines the others.
 */
export class NumberSuspects {
  readonly #withDecimals: boolean;
  #text = '';
  #codes: CharCodes = new Uint8Array();
  /** The next suspect of each kind, if it was looked for. */
  #run = -1;
  #exponent = -1;

  /** @param options without `decimals`, only integers are looked for */
  constructor(options: { readonly decimals: boolean }) {
    this.#withDecimals = options.decimals;
  }

  /** Starts over with another text. */
  reset(text: string, codes: CharCodes): void {
    this.#text = text;
    this.#codes = codes;
    this.#run = -1;
    this.#exponent = this.#withDecimals ? -1 : Infinity;
  }

  /** Whether there is a suspect between two indexes. `from` never decreases from call to call. */
  areBetween(from: number, to: number): boolean {
    if (this.#run < from) this.#run = findLongRun(this.#codes, from, this.#withDecimals);
    // The other search is left out while each line has a long number.
    return this.#run < to || this.next(from) < to;
  }

  /** Index of the first suspect at or after `from`, which never decreases from call to call; Infinity if there is none. */
  next(from: number): number {
    if (this.#run < from) this.#run = findLongRun(this.#codes, from, this.#withDecimals);
    if (this.#exponent < from) this.#exponent = findFarExponent(this.#text, from);
    return Math.min(this.#run, this.#exponent);
  }
}

function findFarExponent(text: string, from: number): number {
  farExponent.lastIndex = from;
  return farExponent.exec(text)?.index ?? Infinity;
}

const digitCodes = codesThat(isDigit);
const numericCodes = codesThat((code) => isDigit(code) || code === point);

function codesThat(isMember: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (isMember(code) ? 1 : 0));
}

/**
 * The first run of digits and points that is long enough. It probes one position per run length, since a long run
 * covers one of them. A run right after a quote is a string, and digits after a point are not an integer.
 */
function findLongRun(codes: CharCodes, from: number, withDecimals: boolean): number {
  const members = withDecimals ? numericCodes : digitCodes;
  const length = codes.length;
  for (let at = from + shortestRun - 1; at < length; at += shortestRun) {
    if (!members[codes[at] as number]) continue;
    if (!members[codes[at - 8] as number] && !members[codes[at + 8] as number]) continue;
    let start = at;
    while (start > from && members[codes[start - 1] as number]) start--;
    const before = codes[start - 1];
    if (before === quote || before === point) continue;
    let end = at + 1;
    while (end < length && members[codes[end] as number]) end++;
    if (end - start >= shortestRun) return start;
    at = end;
  }
  return Infinity;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

const highDigits = 9;
const keptDigits = 17;
/** 64-bit integers have no more digits. */
const mostHalvedDigits = 20;

/** The wide numbers in `json`, in order. */
export function wideNumbersOf(json: string): WideNumber[] {
  return wideNumbers(json, charCodesOf(json, Buffer.from(json)), 0);
}

/**
 * The wide numbers in `json`, in order. The codes of `json` begin at `from`; positions in the result count from the
 * start of `json`.
 */
export function wideNumbers(json: string, codes: CharCodes, from: number): WideNumber[] {
  const found: WideNumber[] = [];
  const to = from + json.length;
  let view: DataView | undefined;
  let at = from;
  while (at < to) {
    const code = codes[at] as number;
    if (!isDigit(code)) {
      if (code === quote) for (at++; at < to && codes[at] !== quote; ) at += codes[at] === backslash ? 2 : 1;
      at++;
      continue;
    }
    if (code === zero && codes[at + 1] === point && codes instanceof Uint8Array) {
      view ??= new DataView(codes.buffer, codes.byteOffset, codes.length);
      const end = endOfNearFraction(view, at + 2, to);
      if (end > 0) {
        at = end;
        continue;
      }
    }
    const start = at;
    let digits = 0;
    let high = 0;
    let low = 0;
    let pointAt = -1;
    for (; at < to && digits < highDigits; at++) {
      const digit = (codes[at] as number) - 0x30;
      if (digit >>> 0 <= 9) {
        high = (high * 10 + digit) | 0;
        if (high > 0) digits++;
      } else if (digit === point - 0x30) pointAt = at;
      else break;
    }
    for (; at < to && digits >= highDigits; at++) {
      const digit = (codes[at] as number) - 0x30;
      if (digit >>> 0 <= 9) {
        if (digits++ < keptDigits) low = (low * 10 + digit) | 0;
      } else if (digit === point - 0x30) pointAt = at;
      else break;
    }
    let exponent = pointAt < 0 ? 0 : pointAt + 1 - at;
    const hasExponent = at < to && ((codes[at] as number) | 0x20) === 0x65;
    if (hasExponent) {
      const exponentAt = at + 1;
      for (at = exponentAt + 1; at < to && isDigit(codes[at] as number); ) at++;
      exponent += Number(json.slice(exponentAt - from, at - from));
    }
    const isSmall = digits <= 15 && exponent > -290 && exponent + digits < 300;
    if (isSmall || digits === 0) continue;
    const isInteger = pointAt < 0 && !hasExponent;
    if (!isInteger && isNearDouble(high, low, digits, exponent)) continue;
    const width =
      isInteger && digits <= mostHalvedDigits
        ? widthOfInteger(codes, start, at)
        : widthOf(json.slice(start - from, at - from), isInteger);
    const isNegative = start > from && codes[start - 1] === minus;
    if (width !== undefined) found.push({ start: (isNegative ? start - 1 : start) - from, end: at - from, ...width });
  }
  return found;
}

/**
 * A fast path for fractions: where the digits after `0.` end, if there are 16 or 17 without leading zeros and
 * {@link isNearDouble} accepts them; otherwise 0, which says nothing. Reads four digits at once.
 */
function endOfNearFraction(view: DataView, from: number, to: number): number {
  let first = from;
  while (first < from + 5 && first < to && view.getUint8(first) === zero) first++;
  const end = first + 16;
  if (end + 2 > to || view.getUint8(first) === zero) return 0;
  const a = view.getUint32(first, true);
  const b = view.getUint32(first + 4, true);
  const c = view.getUint32(first + 8, true);
  const d = view.getUint32(first + 12, true);
  // The test also accepts the six codes after the digits; none of them can occur in or right after a number.
  if ((a & b & c & d & 0x30303030) !== 0x30303030 || ((a | b | c | d) & 0xc0c0c0c0) !== 0) return 0;
  const high = fourDigits(a) * 10_000 + fourDigits(b);
  const low = fourDigits(c) * 10_000 + fourDigits(d);
  const next = view.getUint8(end);
  if (!isDigit(next)) {
    return (next | 0x20) !== 0x65 && isNearQuotient(high * 1e8, low, from - end) ? end : 0;
  }
  const last = view.getUint8(end + 1);
  if (isDigit(last) || (last | 0x20) === 0x65) return 0;
  return isNearQuotient(high * 1e9, low * 10 + next - zero, from - end - 1) ? end + 1 : 0;
}

/** The number made by the four digits in `word`, whose lowest byte is the first digit. */
function fourDigits(word: number): number {
  const ones = word & 0x0f0f0f0f;
  const pairs = Math.imul(ones, 10) + (ones >>> 8);
  return (pairs & 0xff) * 100 + ((pairs >>> 16) & 0xff);
}

function widthOf(number: string, isInteger: boolean): Pick<WideNumber, 'kind' | 'isExact'> | undefined {
  if (!isInteger) return survives(number) ? undefined : { kind: 'decimals', isExact: false };
  const double = Number(number);
  if (double <= Number.MAX_SAFE_INTEGER) return undefined;
  return { kind: 'int64', isExact: double < Infinity && BigInt(double) === BigInt(number) };
}

/** A fast `widthOf` for integers with 10 to {@link mostHalvedDigits} digits. */
function widthOfInteger(
  codes: CharCodes,
  start: number,
  end: number,
): Pick<WideNumber, 'kind' | 'isExact'> | undefined {
  const middle = end - highDigits;
  const high = integerBetween(codes, start, middle);
  const product = high * 1e9;
  const rest = integerBetween(codes, middle, end) + errorOfProduct(high, 1e9, product);
  const double = product + rest;
  if (double <= Number.MAX_SAFE_INTEGER) return undefined;
  return double - product === rest ? exactInteger : roundedInteger;
}

const exactInteger = { kind: 'int64', isExact: true } as const;
const roundedInteger = { kind: 'int64', isExact: false } as const;

function integerBetween(codes: CharCodes, start: number, end: number): number {
  let integer = 0;
  for (let at = start; at < end; at++) integer = integer * 10 + (codes[at] as number) - zero;
  return integer;
}

/** Whether the nearest double prints as the same decimal, either with as many digits or in its shortest form. */
function survives(decimal: string): boolean {
  const [mantissa = ''] = decimal.split(/e/i);
  const digits = mantissa.replace('.', '').replace(/^0+/, '').replace(/0+$/, '');
  if (digits.length > 100) return false;
  const double = Number(decimal);
  return [double.toExponential(digits.length - 1), double.toExponential()].some(
    (written) => written.slice(0, written.indexOf('e')).replace('.', '') === digits,
  );
}

const powersOfTen = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const splitter = 2 ** 27 + 1;
/** Below one half by more than the error of `restOf`, about 2^-40. */
const almostHalf = 0.4999;

/**
 * A fast `survives` for most decimals with 16 or 17 digits, which are common in arrays of floats: whether a double lies
 * within half a unit of the last digit.
 */
function isNearDouble(high: number, low: number, digits: number, exponent: number): boolean {
  if (digits <= highDigits || digits > keptDigits || exponent >= 0 || exponent < -22) return false;
  return isNearQuotient(high * (powersOfTen[digits - highDigits] as number), low, exponent);
}

/** Whether a double lies within half of 1 from `top + low`, both divided by the power of ten. */
function isNearQuotient(top: number, low: number, exponent: number): boolean {
  const divisor = powersOfTen[-exponent] as number;
  const quotient = (top + low) / divisor;
  const rest = restOf(top, low, quotient, divisor);
  if (Math.abs(rest) < almostHalf) return true;
  return Math.abs(restOf(top, low, quotient + rest / divisor, divisor)) < almostHalf;
}

/** `top + low - quotient * divisor`, without the rounding error of the product. */
function restOf(top: number, low: number, quotient: number, divisor: number): number {
  const product = quotient * divisor;
  return top - product + low - errorOfProduct(quotient, divisor, product);
}

/** The rounding error of `product`, the double of `a * b`. Exact, after Dekker (1971). */
function errorOfProduct(a: number, b: number, product: number): number {
  const aHead = headOf(a);
  const aTail = a - aHead;
  const bHead = headOf(b);
  const bTail = b - bHead;
  return aHead * bHead - product + aHead * bTail + aTail * bHead + aTail * bTail;
}

/** The upper half of the bits of a double. */
function headOf(double: number): number {
  const scaled = double * splitter;
  return scaled - (scaled - double);
}
