import { isWellFormed } from './plain-data.ts';

/** No text in UTF-8 begins with it. */
const notUtf8 = 0xff;

const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The bytes of a text, other ones for each text: its UTF-8, or, because that would make all lone surrogates one, a mark and
 * its UTF-16. A text that was cut to a length may end with such a half of a character.
 */
export function exactBytes(text: string): Uint8Array {
  if (isWellFormed(text)) return Buffer.from(text);
  return Buffer.concat([Uint8Array.of(notUtf8), Buffer.from(text, 'utf16le')]);
}

/** The text that {@link exactBytes} made these of. */
export function exactText(bytes: Uint8Array): string {
  if (bytes[0] !== notUtf8) return fromUtf8.decode(bytes);
  return Buffer.from(bytes.subarray(1)).toString('utf16le');
}
