import type { TimeUnit } from 'hyparquet';

/** Units per second, and their number of digits. */
const units = {
  MILLIS: { perSecond: 1_000n, digits: 3 },
  MICROS: { perSecond: 1_000_000n, digits: 6 },
  NANOS: { perSecond: 1_000_000_000n, digits: 9 },
} as const satisfies Record<TimeUnit, { perSecond: bigint; digits: number }>;

const secondsPerDay = 86_400n;

/** Units per day. */
export function unitsPerDay(unit: TimeUnit): bigint {
  return secondsPerDay * units[unit].perSecond;
}

/** `count` units since 1970 in ISO 8601, with all digits of the unit: `1969-12-31T23:59:59.999999`. Any range. */
export function isoTimestamp(count: bigint, unit: TimeUnit): string {
  const perDay = unitsPerDay(unit);
  const ofDay = ((count % perDay) + perDay) % perDay;
  return `${isoDate(Number((count - ofDay) / perDay))}T${isoTime(ofDay, unit)}`;
}

/** `count` units since midnight: `01:02:03.000004`. */
export function isoTime(count: bigint, unit: TimeUnit): string {
  const { perSecond, digits } = units[unit];
  const second = count / perSecond;
  const parts = [second / 3_600n, (second / 60n) % 60n, second % 60n].map((part) => String(part).padStart(2, '0'));
  return `${parts.join(':')}.${String(count % perSecond).padStart(digits, '0')}`;
}

/** `days` since 1970 as a date in the proleptic Gregorian calendar. Any range; `Date` ends in the year 275760. */
export function isoDate(days: number): string {
  const daysPerEra = 146_097;
  const yearsPerEra = 400;
  const era = Math.floor(days / daysPerEra);
  // All eras (400 years) are alike, and `Date` covers the one of 1970.
  const inFirstEra = new Date((days - era * daysPerEra) * 86_400_000);
  const year = inFirstEra.getUTCFullYear() + era * yearsPerEra;
  return `${isoYear(year)}${inFirstEra.toISOString().slice(4, 10)}`;
}

function isoYear(year: number): string {
  if (year >= 0 && year <= 9_999) return String(year).padStart(4, '0');
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`;
}

/** A Parquet INTERVAL (months, days, milliseconds) as an ISO 8601 duration: `P14M3DT12.345S`. */
export function isoDuration(months: number, days: number, milliseconds: number): string {
  const seconds = `${Math.floor(milliseconds / 1_000)}.${String(milliseconds % 1_000).padStart(3, '0')}`;
  return `P${months}M${days}DT${seconds}S`;
}
