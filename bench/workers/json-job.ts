import { collect, defineJob, Job, jsonLinesFile } from 'kintsugi';

export interface Flight {
  readonly to: string;
  readonly delay: number;
}

export interface AirportTotal {
  readonly to: string;
  readonly delay: number;
  readonly flights: number;
}

export const totals = collect<AirportTotal>();

/** The sums by airport of a file of flights, which two tasks parse. */
export default defineJob<'path'>(({ path = 'flights.jsonl' }) => {
  const job = Job.create('delays', { mode: 'streaming', parallelism: 2 });
  job
    .source('flights', jsonLinesFile<Flight>(path))
    .keyBy(({ to }) => to)
    .aggregate(
      {
        create: () => ({ delay: 0, flights: 0 }),
        add: (total, { delay }) => {
          total.delay += delay;
          total.flights++;
          return total;
        },
        merge: (total, other) => {
          total.delay += other.delay;
          total.flights += other.flights;
          return total;
        },
        result: (total, to): AirportTotal => ({ to, ...total }),
      },
      { emit: 'final' },
    )
    .sink('totals', totals);
  return job;
});
