const zeros = Array.from({ length: 4_096 }, () => 0);

/**
 * A list of zeros to be filled, of this length at most. Compared with an empty list it need not grow, and compared with
 * one of `new Array` it has no holes, which would make a structured clone of it slow.
 */
export function blankList(length: number): unknown[] {
  return zeros.slice(0, length);
}
