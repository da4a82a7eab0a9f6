import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';

/** A source for plans that are never run. */
export function sourceOf<Out>(name = 'memory', maxParallelism = Infinity, splitLimit?: string): Source<Out> {
  return {
    name,
    maxParallelism,
    ...(splitLimit !== undefined && { splitLimit }),
    open: () => {
      throw new Error(`${name} is not to be opened`);
    },
  };
}

/** A sink for plans that are never run. */
export function sinkOf<In>(name = 'void', maxParallelism?: number): Sink<In> {
  return {
    name,
    guarantee: 'at-least-once',
    ...(maxParallelism !== undefined && { maxParallelism }),
    open: () => {
      throw new Error(`${name} is not to be opened`);
    },
  };
}

export interface Flight {
  readonly origin: string;
  readonly delay: number;
}

export const flights = (maxParallelism?: number): Source<Flight> => sourceOf<Flight>('flights.parquet', maxParallelism);

export const add = (a: Flight, b: Flight): Flight => ({ origin: a.origin, delay: a.delay + b.delay });
