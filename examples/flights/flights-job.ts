import { createRequire } from 'node:module';
import { join } from 'node:path';
import { defineJob, type ExchangeName, Job, parquetFile, toCsvFile } from 'kintsugi';

/** 3 000 000 flights in 11 row groups: date, delay in minutes, distance in miles, origin and destination airport. */
export const flightsFile: string = join(dataDirectory(), 'flights-3m.parquet');

export interface Flight {
  readonly origin: string;
  readonly delay: number;
}

/** One line of the result. */
export interface Airport {
  readonly origin: string;
  readonly flights: number;
  readonly meanDelay: number;
  readonly worstDelay: number;
}

/** The parameters of the job. */
export interface FlightsJobOptions {
  readonly parallelism: number;
  /** Where to write the result: one CSV file per subtask. */
  readonly output: string;
  /** Of both edges. Default: as drawn below. */
  readonly exchange?: ExchangeName | undefined;
}

/**
 * By origin airport: flights, mean and worst delay.
 *
 * ```
 *  flights[0] ─┬─▶ by-airport[0] ──▶ airports[0]      ─┬─▶ blocking: re-read after a failure
 *              ╳                                      ──▶ pipelined: fails and restarts together
 *  flights[1] ─┴─▶ by-airport[1] ──▶ airports[1]
 * ```
 */
export function flightsJob({ parallelism, output, exchange }: FlightsJobOptions): Job {
  const job = Job.create('flights', { parallelism });
  job
    .source('flights', parquetFile<Flight>(flightsFile, { columns: ['origin', 'delay'] }))
    .keyBy((flight) => flight.origin, { exchange })
    .aggregate(
      {
        create: () => ({ flights: 0, sum: 0, worst: Number.NEGATIVE_INFINITY }),
        add: (total, { delay }) => {
          total.flights++;
          total.sum += delay;
          if (delay > total.worst) total.worst = delay;
          return total;
        },
        result: ({ flights, sum, worst }, origin): Airport => ({
          origin,
          flights,
          meanDelay: sum / flights,
          worstDelay: worst,
        }),
      },
      { uid: 'by-airport' },
    )
    .forward({ exchange: exchange ?? 'pipelined' })
    .sink('airports', toCsvFile<Airport>(output, { columns: ['origin', 'flights', 'meanDelay', 'worstDelay'] }));
  return job;
}

/** The same for those who load this module: worker threads, and `kintsugi run`. */
export default defineJob<keyof FlightsJobOptions>(({ parallelism = '4', output = 'out/airports.csv', exchange }) =>
  flightsJob({ parallelism: Number(parallelism), output, exchange: exchange as ExchangeName | undefined }),
);

/** The package exports code only; its data file lies beside it. */
function dataDirectory(): string {
  return join(createRequire(import.meta.url).resolve('vega-datasets'), '..', '..', 'data');
}
