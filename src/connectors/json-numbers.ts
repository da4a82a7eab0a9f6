/** A number in a JSON text that a double cannot hold, or that only happens to be one. */
export interface WideNumber {
  readonly start: number;
  readonly end: number;
  /** The option that decides about it. An integer has neither a fraction nor an exponent. */
  readonly kind: 'int64' | 'decimals';
  /** The nearest double is the same number: an integer beyond 2^53 with zero bits at its end. */
  readonly isExact: boolean;
}

const longRun = new RegExp('[\\d.]'.repeat(16), 'g');
const farExponent = /\d[eE][-+]?\d\d\d/g;

/**
 * Finds where a text may hold numbers of 16 digits or more, or with an exponent of three. No other number changes when
 * it becomes a double, so the lines between suspects need no second look; {@link wideNumbers} takes one at the others.
 */
export class NumberSuspects {
  #text = '';
  #run = Infinity;
  #exponent = Infinity;

  /** Takes another text. */
  reset(text: string): void {
    this.#text = text;
    this.#run = find(longRun, text, 0);
    this.#exponent = find(farExponent, text, 0);
  }

  /** Index of the first suspect that starts at or after `index`, which never goes back; Infinity if there is none. */
  next(index: number): number {
    if (this.#run < index) this.#run = find(longRun, this.#text, index);
    if (this.#exponent < index) this.#exponent = find(farExponent, this.#text, index);
    return Math.min(this.#run, this.#exponent);
  }
}

function find(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? Infinity;
}

const code = { zero: 0x30, nine: 0x39, quote: 0x22, backslash: 0x5c, point: 0x2e, exponent: 0x65, caseBit: 0x20 };

/** The wide numbers in `text`, which is valid JSON, in their order. */
export function wideNumbers(text: string): WideNumber[] {
  const found: WideNumber[] = [];
  const number = new NumberToken();
  for (let at = 0; at < text.length; ) {
    const char = text.charCodeAt(at);
    if (char === code.quote) at = endOfString(text, at);
    else if (!isDigit(char)) at++;
    else {
      number.scan(text, at);
      const wide = number.isSmall() ? undefined : widthOf(number, text);
      if (wide !== undefined) found.push(wide);
      at = number.end;
    }
  }
  return found;
}

function isDigit(char: number): boolean {
  return char >= code.zero && char <= code.nine;
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === code.backslash) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
  return text.length;
}

const highDigits = 9;
const keptDigits = 17;

/** A number without its sign: `(high * 10^n + low) * 10^exponent`, where `low` has the `n` digits after the ninth. */
class NumberToken {
  start = 0;
  end = 0;
  high = 0;
  low = 0;
  /** Digits from the first that is not zero. */
  digits = 0;
  exponent = 0;
  isInteger = true;

  scan(text: string, start: number): void {
    this.start = start;
    this.high = this.low = this.digits = this.exponent = 0;
    let at = this.#scanDigits(text, start);
    this.isInteger = text.charCodeAt(at) !== code.point;
    if (!this.isInteger) {
      const fraction = at + 1;
      at = this.#scanDigits(text, fraction);
      this.exponent = fraction - at;
    }
    if ((text.charCodeAt(at) | code.caseBit) === code.exponent) {
      this.isInteger = false;
      const exponent = at + 1;
      at = exponent + 1;
      while (isDigit(text.charCodeAt(at))) at++;
      this.exponent += Number(text.slice(exponent, at));
    }
    this.end = at;
  }

  /** Of 15 digits and of the size of everyday's numbers: held by a double whatever the digits are. */
  isSmall(): boolean {
    return this.digits <= 15 && this.exponent > -290 && this.exponent + this.digits < 300;
  }

  #scanDigits(text: string, start: number): number {
    let at = start;
    for (let char = text.charCodeAt(at); isDigit(char); char = text.charCodeAt(++at)) {
      const digit = char - code.zero;
      if (this.digits === 0 && digit === 0) continue;
      if (this.digits < highDigits) this.high = this.high * 10 + digit;
      else if (this.digits < keptDigits) this.low = this.low * 10 + digit;
      this.digits++;
    }
    return at;
  }
}

function widthOf(number: NumberToken, text: string): WideNumber | undefined {
  const { start, end } = number;
  if (number.digits === 0) return undefined;
  const digits = text.slice(start, end);
  const signed = text[start - 1] === '-' ? start - 1 : start;
  if (number.isInteger) {
    const double = Number(digits);
    if (double <= Number.MAX_SAFE_INTEGER) return undefined;
    return { start: signed, end, kind: 'int64', isExact: double < Infinity && BigInt(double) === BigInt(digits) };
  }
  if (isNearDouble(number) || survives(digits)) return undefined;
  return { start: signed, end, kind: 'decimals', isExact: false };
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

/**
 * A fast way to `survives` for most decimals of 16 and 17 digits, which arrays of floats are full of: whether a double
 * lies nearer to it than half of its last digit. The error of the division is exact, after Dekker (1971).
 */
function isNearDouble({ digits, exponent, high, low }: NumberToken): boolean {
  if (digits <= highDigits || digits > keptDigits || exponent >= 0 || exponent < -22) return false;
  const top = high * (powersOfTen[digits - highDigits] as number);
  const divisor = powersOfTen[-exponent] as number;
  const quotient = (top + low) / divisor;
  const product = quotient * divisor;
  const quotientHead = headOf(quotient);
  const divisorHead = headOf(divisor);
  const quotientTail = quotient - quotientHead;
  const divisorTail = divisor - divisorHead;
  const missing =
    quotientHead * divisorHead -
    product +
    quotientHead * divisorTail +
    quotientTail * divisorHead +
    quotientTail * divisorTail;
  return Math.abs(top - product + low - missing) < 0.49;
}

/** The upper half of the bits of a double. */
function headOf(double: number): number {
  const scaled = double * splitter;
  return scaled - (scaled - double);
}
