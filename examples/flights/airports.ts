import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Airport } from './flights-job.ts';

/** The lines of the result by airport. */
export type Airports = ReadonlyMap<string, Airport>;

/** Where the runs of the demo write their result. */
export const output = 'out/airports.csv';

/** The lines of all part files that the last run has written. */
export async function readOutput(): Promise<Airport[]> {
  const directory = dirname(output);
  const files = (await readdir(directory)).filter((name) => name.endsWith('.csv'));
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => {
        const [origin, flights, meanDelay, worstDelay] = line.split(',');
        return {
          origin: String(origin),
          flights: Number(flights),
          meanDelay: Number(meanDelay),
          worstDelay: Number(worstDelay),
        };
      }),
  );
}

export function keyed(airports: readonly Airport[]): Airports {
  return new Map(airports.map((airport) => [airport.origin, airport]));
}

/** Whether there is one line for each airport, with the same numbers. */
export function sameAirports(lines: readonly Airport[], expected: Airports): boolean {
  return (
    lines.length === expected.size &&
    lines.every((line) => {
      const airport = expected.get(line.origin);
      return (
        airport !== undefined &&
        airport.flights === line.flights &&
        airport.meanDelay === line.meanDelay &&
        airport.worstDelay === line.worstDelay
      );
    })
  );
}
