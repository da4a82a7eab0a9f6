import type { Bench } from './harness.ts';
import { benches as cpuBound } from './workers/cpu-bound.ts';
import { benches as jsonFile } from './workers/json-file.ts';
import { benches as lost } from './workers/lost.ts';
import { benches as shuffle } from './workers/shuffle.ts';

/** Jobs over worker threads. */
export const benches: readonly Bench[] = [...cpuBound, ...shuffle, ...jsonFile, ...lost];
