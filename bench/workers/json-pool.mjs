// A worker of a hand-written pool: sums the lines of one part of a file, and answers with its sums.
import { createReadStream } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { path, start, end } = workerData;
const totals = new Map();

function add(line) {
  if (line === '') return;
  const { to, delay } = JSON.parse(line);
  const total = totals.get(to);
  if (total === undefined) totals.set(to, { delay, flights: 1 });
  else {
    total.delay += delay;
    total.flights++;
  }
}

let rest = '';
for await (const chunk of createReadStream(path, { start, end, encoding: 'utf8', highWaterMark: 1 << 18 })) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) add(line);
}
add(rest);
parentPort?.postMessage([...totals]);
