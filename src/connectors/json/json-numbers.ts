/** A number in a JSON text that a double cannot hold, or that only happens to be one. */
export interface WideNumber {
  readonly start: number;
  readonly end: number;
  /** The option that decides about it. An integer has neither a fraction nor an exponent. */
  readonly kind: 'int64' | 'decimals';
  /** The nearest double is the same number: an integer beyond 2^53 with zero bits at its end. */
  readonly isExact: boolean;
}

/** The characters of a text by their codes: its bytes if it is ASCII. Faster to walk than a string. */
export type CharCodes = Uint8Array | Uint16Array;

/** `bytes`, which are `text` in UTF-8, if that has one byte for each character; a copy with two otherwise. */
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
 * Finds where a text may hold numbers of 16 digits or more, or with an exponent of three. No other number changes when
 * it becomes a double, so lines without suspects need no second look; {@link wideNumbers} takes one at the others.
 */
export class NumberSuspects {
  readonly #withDecimals: boolean;
  #text = '';
  #codes: CharCodes = new Uint8Array();
  /** The next of each kind, as far as one was looked for. */
  #run = -1;
  #exponent = -1;

  /** Without `decimals` it looks for integers alone. */
  constructor(options: { readonly decimals: boolean }) {
    this.#withDecimals = options.decimals;
  }

  /** Takes another text. */
  reset(text: string, codes: CharCodes): void {
    this.#text = text;
    this.#codes = codes;
    this.#run = -1;
    this.#exponent = this.#withDecimals ? -1 : Infinity;
  }

  /** Whether there is one between two indexes, of which the first never goes back. */
  areBetween(from: number, to: number): boolean {
    if (this.#run < from) this.#run = findLongRun(this.#codes, from, this.#withDecimals);
    if (this.#run < to) return true;
    if (this.#exponent < from) this.#exponent = findFarExponent(this.#text, from);
    return this.#exponent < to;
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
 * The first run of digits, and points, that is long enough. Of so many places, one in as many tells that it is none. What
 * follows a quote at once is no number but a text, and digits that follow a point are no integer.
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
/** Integers of 64 bits have no more. */
const mostHalvedDigits = 20;

/** The wide numbers of `json`, in their order. */
export function wideNumbersOf(json: string): WideNumber[] {
  return wideNumbers(json, charCodesOf(json, Buffer.from(json)), 0);
}

/** The wide numbers of `json`, whose codes begin at `from`, in their order. Places are told in `json`. */
export function wideNumbers(json: string, codes: CharCodes, from: number): WideNumber[] {
  const found: WideNumber[] = [];
  const to = from + json.length;
  let view: DataView | undefined;
  let at = from;
  while (at < to) {
    const code = codes[at] as number;
    if (code === quote) {
      at++;
      while (at < to && codes[at] !== quote) at += codes[at] === backslash ? 2 : 1;
      at++;
      continue;
    }
    if (!isDigit(code)) {
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
 * Where the digits behind a `0.` end, if these are 16 or 17 without leading zeros that {@link isNearDouble} takes; 0 if
 * not, or if that is not told so fast. Reads four digits at once.
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
  // Between the digits and the letters are six more codes, none of which comes in a number or behind one.
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

/** The number that the four digits in `word` make, of which the first is in its lowest byte. */
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

/** A fast way to `widthOf` for integers of 10 to {@link mostHalvedDigits} digits. */
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

/** Whether the nearest double, written with as many digits or with as few as it needs, is the same decimal. */
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
/** What the errors of `restOf`, some 2^-40, cannot make a half. */
const almostHalf = 0.4999;

/**
 * A fast way to `survives` for most decimals of 16 and 17 digits, which arrays of floats are full of: whether a double
 * lies nearer to it than half of its last digit.
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

/** `top + low - quotient * divisor`, without the error of the product. */
function restOf(top: number, low: number, quotient: number, divisor: number): number {
  const product = quotient * divisor;
  return top - product + low - errorOfProduct(quotient, divisor, product);
}

/** By how much `a * b` is more than `product`, its double. Exact, after Dekker (1971). */
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
