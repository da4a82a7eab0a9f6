/** Powers of ten that a double holds exactly. */
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
/** Below this, all digits of an integer survive in a double, with or without a decimal point. */
const anyFifteenDigits = 10 ** 15;
const maxQuickBytes = 6;

/** A decimal as text, with all digits of its scale: `-0.50`. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const sign = unscaled < 0n ? '-' : '';
  const point = digits.length - scale;
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** The number that prints with the digits of a decimal; undefined if there is none. */
export function decimalNumber(unscaled: bigint | number, scale: number): number | undefined {
  const quick = Number(unscaled);
  const power = powersOfTen[scale];
  // Both operands are exact, so the quotient is the number nearest to the decimal.
  if (power !== undefined && Math.abs(quick) < anyFifteenDigits) return quick / power;
  const exact = BigInt(unscaled);
  const number = Number(decimalText(exact, scale));
  return hasDigits(number, exact, scale) ? number : undefined;
}

/** Whether the shortest representation of `number` equals the decimal. */
function hasDigits(number: number, unscaled: bigint, scale: number): boolean {
  const [mantissa = '', exponent = '0'] = String(number).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const shift = Number(exponent) - fraction.length + scale;
  const digits = BigInt(whole + fraction);
  return shift >= 0 ? digits * 10n ** BigInt(shift) === unscaled : digits === unscaled * 10n ** BigInt(-shift);
}

/** The big-endian two's complement integer in `bytes`; a number if it is short enough, because that is faster. */
export function integerOfBytes(bytes: Uint8Array): bigint | number {
  const sign = ((bytes[0] ?? 0) & 0x80) === 0 ? 0 : 0xff;
  let start = 0;
  while (start < bytes.length && bytes[start] === sign) start++;
  if (bytes.length - start <= maxQuickBytes) {
    let magnitude = 0;
    for (let at = start; at < bytes.length; at++) magnitude = magnitude * 256 + ((bytes[at] as number) ^ sign);
    return sign === 0 ? magnitude : -magnitude - 1;
  }
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}
