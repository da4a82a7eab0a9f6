import { endianness } from 'node:os';

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

/** The longest text that {@link blake3OfText} hashes, in bytes of UTF-8: one chunk, so that there is no tree. */
const longestChunk = 1_024;

/** Most bytes of UTF-8 per unit of a text. */
const mostBytesPerUnit = 3;

const blockBytes = 64;
const wordBytes = 4;
const rounds = 7;

/** How a block says where in the text it is. */
const flag = { chunkStart: 1, chunkEnd: 2, root: 8 } as const;

const initial = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19].map(
  (word) => word | 0,
);

/** The words of the state that are mixed with each other, in this order: its columns, then its diagonals. */
const quarters = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

/** Which word of a block comes to each place of the next round. */
const permutation = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

/** One mixing: four words of the state, and two of the block. */
type Mixing = readonly [a: number, b: number, c: number, d: number, x: number, y: number];

/** All mixings of a block. */
function mixingsOfBlock(): readonly Mixing[] {
  return Array.from({ length: rounds }).flatMap((_, round) => {
    let order = permutation.map((_word, index) => index);
    for (let times = 0; times < round; times++) order = permutation.map((from) => order[from] as number);
    return quarters.map((quarter, at): Mixing => [...quarter, order[2 * at] as number, order[2 * at + 1] as number]);
  });
}

/** A text, as it is hashed: its bytes, and zeros up to the end of the last block. */
const input = new Uint8Array(longestChunk);
/** Its words, of which the first byte is the lowest. */
const words = new Int32Array(input.buffer);
const isSwapped = endianness() === 'BE';
const text = new TextEncoder();

/** What the blocks before have made of the text. */
const chain = new Int32Array(8);

/** Mixes the block at an offset of the input into the chain. @param length its bytes without the zeros */
type Compress = (at: number, length: number, flags: number) => void;

/** Made for the first text: most processes hash none. */
let compress: Compress = (...block) => {
  compress = compiledCompress() ?? plainCompress();
  compress(...block);
};

/**
 * BLAKE3 of the UTF-8 of a short text; undefined if that is longer than 1 KiB.
 *
 * A call of OpenSSL costs more than to hash a hundred bytes, which is what most records are: this takes half of it. Libraries
 * take longer than OpenSSL.
 */
export function blake3OfText(value: string): HashWords | undefined {
  if (value.length > longestChunk) return undefined;
  const { read, written: length } = text.encodeInto(value, input);
  if (value.length * mostBytesPerUnit > longestChunk && read < value.length) return undefined;
  const end = Math.max(blockBytes, Math.ceil(length / blockBytes) * blockBytes);
  for (let at = length; at < end; at++) input[at] = 0;
  if (isSwapped) Buffer.from(input.buffer).swap32();
  for (let index = 0; index < chain.length; index++) chain[index] = initial[index] as number;
  for (let at = 0; at < end; at += blockBytes) {
    const isLast = at + blockBytes === end;
    const flags = (at === 0 ? flag.chunkStart : 0) | (isLast ? flag.chunkEnd | flag.root : 0);
    compress(at, isLast ? length - at : blockBytes, flags);
  }
  return { a: chain[0] as number, b: chain[1] as number, c: chain[2] as number, d: chain[3] as number };
}

/** {@link Compress} with the state in an array, which is slower. */
function plainCompress(): Compress {
  const mixings = mixingsOfBlock();
  const state = new Int32Array(16);
  const block = new Int32Array(16);
  const mix = (to: number, from: number, word: number, turned: number, by: number): void => {
    state[to] = (state[to] as number) + (state[from] as number) + word;
    state[turned] = rotated((state[turned] as number) ^ (state[to] as number), by);
  };
  return (at, length, flags) => {
    for (let word = 0; word < block.length; word++) block[word] = words[at / wordBytes + word] as number;
    state.set(chain);
    state.set(initial.slice(0, 4), 8);
    state.set([0, 0, length, flags], 12);
    for (const [a, b, c, d, x, y] of mixings) {
      mix(a, b, block[x] as number, d, 16);
      mix(c, d, 0, b, 12);
      mix(a, b, block[y] as number, d, 8);
      mix(c, d, 0, b, 7);
    }
    for (let index = 0; index < chain.length; index++) {
      chain[index] = (state[index] as number) ^ (state[index + 8] as number);
    }
  };
}

function rotated(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/**
 * {@link Compress} with all mixings one after the other, and the state in variables. Undefined where code generation from strings is
 * forbidden.
 */
function compiledCompress(): Compress | undefined {
  const indexes = permutation.map((_, index) => index);
  const block = indexes.map((word) => `m${word} = words[at + ${word}]`);
  const begun = indexes.map((word) => (word < 8 ? `chain[${word}]` : `${initial[word - 8] as number}`));
  const state = [...begun.slice(0, 12), '0', '0', 'length', 'flags'].map((value, index) => `v${index} = ${value}`);
  const step = (to: number, from: number, word: string, turned: number, by: number): string =>
    `v${to} = v${to} + v${from}${word} | 0; v${turned} ^= v${to}; v${turned} = v${turned} >>> ${by} | v${turned} << ${32 - by};`;
  const steps = mixingsOfBlock().map(([a, b, c, d, x, y]) =>
    [step(a, b, ` + m${x}`, d, 16), step(c, d, '', b, 12), step(a, b, ` + m${y}`, d, 8), step(c, d, '', b, 7)].join(
      '\n',
    ),
  );
  const results = initial.map((_, index) => `chain[${index}] = v${index} ^ v${index + 8};`);
  const body = `const ${block.join(', ')}; let ${state.join(', ')}; ${steps.join('\n')} ${results.join(' ')}`;
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- there is no foreign text in it
    const make = new Function(
      'words',
      'chain',
      `"use strict"; return (start, length, flags) => { const at = start / ${wordBytes}; ${body} };`,
    );
    return (make as (...arrays: readonly Int32Array[]) => Compress)(words, chain);
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return undefined;
  }
}
