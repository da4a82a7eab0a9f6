import { InvalidArgumentError } from '../../errors/usage-errors.ts';

const scratch = new DataView(new ArrayBuffer(8));

const groupBits = 15;

/** Number of key groups: equal, contiguous ranges of the hashes of keys. More tasks than that cannot share keys. */
export const keyGroupCount = 2 ** groupBits;

/**
 * The subpartition, of `count`, for records with this key: the same in every process and version, and for keys that a
 * `Map` holds equal. Each subpartition has a contiguous range of key groups, and their sizes differ by one at most.
 *
 * @param count at most 65 536
 * @throws InvalidArgumentError for a key that is not a string, number, bigint, boolean, null or undefined.
 */
export function subpartitionOfKey(key: unknown, count: number): number {
  return Math.imul(hashKey(key) >>> (32 - groupBits), count) >>> groupBits;
}

/** The key group of a key. @throws InvalidArgumentError as {@link subpartitionOfKey} */
export function keyGroupOf(key: unknown): number {
  return hashKey(key) >>> (32 - groupBits);
}

/** The key groups of a subpartition of `count`: from `first` up to `end`, which is that of the next one. */
export function keyGroupsOf(subpartition: number, count: number): { readonly first: number; readonly end: number } {
  return {
    first: Math.ceil((subpartition * keyGroupCount) / count),
    end: Math.ceil(((subpartition + 1) * keyGroupCount) / count),
  };
}

/**
 * The hash of a key, uniform over 32 bits. −0 and 0 have the same hash, and so do all NaNs. Strings: murmur3 over
 * UTF-16 code units.
 */
function hashKey(key: unknown): number {
  switch (typeof key) {
    case 'string':
      return hashString(key);
    case 'number':
      return (key | 0) === key ? mix(key) : hashFloat(key);
    case 'boolean':
      return mix(key ? 0x6b_43_a9_b5 : 0x52_dc_e7_29);
    case 'undefined':
      return mix(0x1b_87_35_93);
    case 'bigint':
      return mix(hashString(key.toString(36)) ^ 0x5b_d1_e9_95);
    default:
      if (key === null) return mix(0x38_b3_4a_e5);
      throw new InvalidArgumentError(
        'key',
        key,
        'a string, number, bigint, boolean, null or undefined (for several parts, build one string)',
      );
  }
}

function hashString(text: string): number {
  let hash = 0x9747_b28c | 0;
  const { length } = text;
  const even = length & ~1;
  for (let index = 0; index < even; index += 2) {
    let block = text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16);
    block = Math.imul(block, 0xcc_9e_2d_51);
    block = (block << 15) | (block >>> 17);
    hash ^= Math.imul(block, 0x1b_87_35_93);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6_54_6b_64) | 0;
  }
  if (even < length) {
    let block = Math.imul(text.charCodeAt(even), 0xcc_9e_2d_51);
    block = (block << 15) | (block >>> 17);
    hash ^= Math.imul(block, 0x1b_87_35_93);
  }
  return mix(hash ^ length);
}

function hashFloat(key: number): number {
  if (Number.isNaN(key)) return mix(0x7f_f8_00_00);
  // For the caller, −0 was an integer: `(−0 | 0) === −0` is true.
  scratch.setFloat64(0, key);
  return mix(scratch.getInt32(0) ^ Math.imul(scratch.getInt32(4), 0x9e_37_79_b1));
}

/** The finalizer of murmur3: every bit of the input affects every bit of the hash. */
function mix(bits: number): number {
  let hash = bits;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85_eb_ca_6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2_b2_ae_35);
  return hash ^ (hash >>> 16);
}
