import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { exchangeTypes } from '../src/graph/exchange-type.ts';
import type { ExecutorId, ResultPartitionId } from '../src/ids.ts';
import { PipelinedResultPartition } from '../src/partitions/pipelined-result-partition.ts';
import type { DataPort } from '../src/partitions/remote/data-port.ts';
import { RemoteResults } from '../src/partitions/remote/remote-results.ts';
import { ResultServer } from '../src/partitions/remote/result-server.ts';
import type { ResultPartition, SubpartitionView } from '../src/partitions/result-partition.ts';
import { elementOf } from '../src/partitions/stream-element.ts';
import { type Bench, type BenchOptions, type BenchRow, compare } from './harness.ts';

const batchSize = 1_024;
const batchCount = 100;

/** Records of one kind, and a number that shows that they arrived. */
interface Load {
  readonly name: string;
  readonly batches: readonly (readonly unknown[])[];
  readonly valueOf: (record: never) => number;
}

/** Every batch has strings of its own, as those from a file are. Made when it is asked for: it takes megabytes. */
const load =
  <One>(name: string, recordOf: (id: number) => One, valueOf: (record: One) => number) =>
  (): Load => ({
    name,
    batches: Array.from({ length: batchCount }, (_, batch) =>
      Array.from({ length: batchSize }, (_record, at) => recordOf(batch * batchSize + at)),
    ),
    valueOf,
  });

const loads: readonly (() => Load)[] = [
  load(
    'numbers',
    (id) => id * 7,
    (number) => number,
  ),
  load(
    'texts that repeat',
    (id) => `sensor-${id % 1_000}`,
    (text) => text.length,
  ),
  load(
    'texts that differ',
    (id) => `some text of its own, number ${id}`,
    (text) => text.length,
  ),
  load(
    'flat objects',
    (id) => ({ id, sensor: `sensor-${id % 1_000}`, price: id * 0.7, isNew: id % 2 === 0 }),
    ({ id }) => id,
  ),
  load(
    'objects in objects',
    (id) => ({ id, at: { x: id, y: -id }, tags: ['a', 'b'] }),
    ({ id }) => id,
  ),
];

const id = { partition: 0, attempt: 0 } as ResultPartitionId;
const [here, there] = ['here', 'there'] as [ExecutorId, ExecutorId];

/** Two ends on this thread, whose messages are delivered by `pump`. Returns whether there were any. */
function pumped(): { readonly ends: readonly [DataPort<never, never>, DataPort<never, never>]; pump(): boolean } {
  const { port1, port2 } = new MessageChannel();
  const listeners = new Map<MessagePort, (message: never) => void>();
  const end = (port: MessagePort): DataPort<never, never> => ({
    post: (message, transfer) => port.postMessage(message, transfer),
    onMessage: (listener) => listeners.set(port, listener),
    close: () => port.close(),
  });
  return {
    ends: [end(port1), end(port2)],
    pump: () => {
      let pumpedAny = false;
      for (const port of [port1, port2]) {
        for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
          listeners.get(port)?.((next as { readonly message: never }).message);
          pumpedAny = true;
        }
      }
      return pumpedAny;
    },
  };
}

/** Sums what a reader gets, while all batches are written. */
function readAll({ batches, valueOf }: Load, partition: ResultPartition, view: SubpartitionView, pump: () => void) {
  let [sum, count] = [0, 0];
  view.elements$.subscribe((element) => {
    if (element.kind !== 'records') return;
    for (const record of element.records) sum += valueOf(record as never);
    count += element.records.length;
    view.request(1);
  });
  view.request(2);
  for (const batch of batches) {
    while (!partition.isWritable) pump();
    partition.write(0, elementOf(batch));
  }
  partition.finish(() => {});
  pump();
  if (count !== batchCount * batchSize) throw new Error(`${count} records arrived`);
  return sum;
}

const pipelined = (): ResultPartition =>
  new PipelinedResultPartition({ id, exchange: exchangeTypes.pipelined, subpartitionCount: 1 });

function byReference(of: Load): number {
  const partition = pipelined();
  return readAll(of, partition, partition.read(0), () => {});
}

function overPort(of: Load): number {
  const partition = pipelined();
  const { ends, pump } = pumped();
  const remote = new RemoteResults({ freeze: false });
  const server = new ResultServer({
    find: () => partition,
    arrivals: { isToCome: () => false, until: () => Promise.resolve() },
  });
  remote.connect(there, ends[0]);
  server.serve(here, ends[1]);
  const sum = readAll(of, partition, remote.source(id, there).read(0), () => {
    while (pump());
  });
  remote.close();
  server.close();
  return sum;
}

function byClone({ batches, valueOf }: Load): number {
  const { port1, port2 } = new MessageChannel();
  let sum = 0;
  for (const batch of batches) {
    port1.postMessage(batch);
    const { message } = receiveMessageOnPort(port2) as { readonly message: readonly unknown[] };
    for (const record of message) sum += valueOf(record as never);
  }
  port1.close();
  return sum;
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const report: BenchRow[] = [];
  for (const made of loads) {
    const of = made();
    const rounds = { rounds: 25, warmUp: 40, clock: 'cpu', collectsBefore: false, effort } as const;
    const what = `${(batchCount * batchSize) / 1e6} M ${of.name} to another executor`;
    report.push(
      await compare({
        name: `${what}, beside structured clones`,
        ours: () => overPort(of),
        baseline: () => byClone(of),
        ...rounds,
      }),
      await compare({
        name: `${what}, beside reading them by reference`,
        ours: () => overPort(of),
        baseline: () => byReference(of),
        ...rounds,
      }),
    );
  }
  return report;
}

/** What it costs to send records to another executor. */
export const benches: readonly Bench[] = [{ name: 'remote exchange', run }];
