import { createReadStream } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { Flight } from './json-job.ts';

/** One part of a file: whole lines. */
export interface FilePart {
  readonly path: string;
  readonly start: number;
  /** Its last byte. */
  readonly end: number;
}

// A worker of a hand-written pool: sums the flights of its part, and answers with the sums.
const { path, start, end } = workerData as FilePart;
const totals = new Map<string, { delay: number; flights: number }>();

function add(line: string): void {
  if (line === '') return;
  const { to, delay } = JSON.parse(line) as Flight;
  const total = totals.get(to);
  if (total === undefined) totals.set(to, { delay, flights: 1 });
  else {
    total.delay += delay;
    total.flights++;
  }
}

let rest = '';
const chunks = createReadStream(path, { start, end, encoding: 'utf8', highWaterMark: 1 << 18 });
for await (const chunk of chunks as AsyncIterable<string>) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) add(line);
}
add(rest);
parentPort?.postMessage([...totals]);
