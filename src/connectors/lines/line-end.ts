/** The character that ends the lines of a text; before LF there may be a CR. */
export type LineEnd = '\n' | '\r';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;

/**
 * The line end of a CSV text that begins with `bytes`, by its first line; spreadsheets on a Mac write CR. Undefined if
 * the first line does not end in `bytes`.
 */
export function csvLineEndOf(bytes: Uint8Array): LineEnd | undefined {
  let isInQuotes = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) isInQuotes = !isInQuotes;
    else if (isInQuotes) continue;
    else if (byte === lineFeed) return '\n';
    else if (byte === carriageReturn)
      return at + 1 === bytes.length ? undefined : bytes[at + 1] === lineFeed ? '\n' : '\r';
  }
  return undefined;
}
