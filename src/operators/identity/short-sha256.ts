/**
 * The first 128 bits of a hash, as four signed words of four bytes each, of which the first is the lowest. Words take no
 * memory of their own, and bytes for each hash would cost more than the hash.
 */
export interface HashWords {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** One block of 64 bytes holds this many, an end and the length. */
const mostBytes = 55;

/** The first 32 bits behind the point of the square roots of eight primes, and of the cube roots of 64. */
const initial = new Int32Array(8);
const added = new Int32Array(64);
/** The block, and the words that are made of it. */
const words = new Int32Array(64);

for (let prime = 2, found = 0; found < added.length; prime++) {
  if (!isPrime(prime)) continue;
  if (found < initial.length) initial[found] = fractionOf(Math.sqrt(prime));
  added[found++] = fractionOf(Math.cbrt(prime));
}

/**
 * The SHA-256 (FIPS 180-4) of at most 55 characters of ASCII; undefined for another text. A call of the native one is mostly
 * its way there: between the calls of a paid service, whose pauses cool all caches, it takes twice as long.
 */
export function shortSha256(text: string): HashWords | undefined {
  const { length } = text;
  if (length > mostBytes) return undefined;
  for (let index = 0; index < 15; index++) words[index] = 0;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return undefined;
    (words[index >> 2] as number) |= unit << (24 - 8 * (index & 3));
  }
  (words[length >> 2] as number) |= 0x80 << (24 - 8 * (length & 3));
  words[15] = 8 * length;
  return hashOfBlock();
}

/** Turns of words are written out: calls of a function for them take half as long again. */
function hashOfBlock(): HashWords {
  for (let index = 16; index < 64; index++) {
    const early = words[index - 15] as number;
    const late = words[index - 2] as number;
    const low = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3);
    const high = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10);
    words[index] = (low + high + (words[index - 7] as number) + (words[index - 16] as number)) | 0;
  }
  let a = initial[0] as number;
  let b = initial[1] as number;
  let c = initial[2] as number;
  let d = initial[3] as number;
  let e = initial[4] as number;
  let f = initial[5] as number;
  let g = initial[6] as number;
  let h = initial[7] as number;
  for (let index = 0; index < 64; index++) {
    const high = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const choice = (e & f) ^ (~e & g);
    const first = (h + high + choice + (added[index] as number) + (words[index] as number)) | 0;
    const low = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  return { a: sumOf(0, a), b: sumOf(1, b), c: sumOf(2, c), d: sumOf(3, d) };
}

/** A word of the result, whose first byte becomes the lowest. */
function sumOf(index: number, word: number): number {
  const sum = ((initial[index] as number) + word) | 0;
  return (((sum >>> 8) | (sum << 24)) & 0xff00ff00) | (((sum >>> 24) | (sum << 8)) & 0x00ff00ff);
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return true;
}

function fractionOf(number: number): number {
  return ((number - Math.floor(number)) * 2 ** 32) | 0;
}
