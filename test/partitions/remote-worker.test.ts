import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { messageDataPort } from '../../src/partitions/remote/message-data-port.ts';
import { RemoteResults } from '../../src/partitions/remote/remote-results.ts';
import type { StreamElement } from '../../src/partitions/stream-element.ts';
import { bundledCode } from '../support/bundled-script.ts';
import { somePartition } from '../support/partition-harness.ts';
import { owner } from '../support/remote-exchange.ts';

/** Writes batches of all forms into a pipelined result as long as it is writable, and serves it. */
const producer = `
  import { workerData } from 'node:worker_threads';
  import { exchangeTypes } from './src/graph/exchange-type.ts';
  import { PipelinedResultPartition } from './src/partitions/pipelined-result-partition.ts';
  import { messageDataPort } from './src/partitions/remote/message-data-port.ts';
  import { ResultServer } from './src/partitions/remote/result-server.ts';
  import { elementOf } from './src/partitions/stream-element.ts';

  const { id, port, batches } = workerData;
  const partition = new PipelinedResultPartition({ id, exchange: exchangeTypes.pipelined, subpartitionCount: 1 });
  const arrivals = { isToCome: () => false, until: () => Promise.resolve() };
  new ResultServer({ find: () => partition, arrivals }).serve('main', messageDataPort(port));
  let next = 0;
  const recordOf = [
    (record) => record,
    (record) => 'text ' + record,
    (record) => ({ record, text: 'text ' + record, isEven: record % 2 === 0 }),
    (record) => [record],
  ];
  const write = () => {
    for (; next < batches && partition.isWritable; next++) {
      partition.write(0, elementOf(Array.from({ length: 50 }, (_, at) => recordOf[next % 4](next * 50 + at))));
    }
    if (next === batches) partition.finish(() => {});
  };
  partition.onWritable(() => setImmediate(write));
  write();
  setInterval(() => {}, 1_000);`;

describe('over the message ports of a worker', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'kintsugi-'));
  let script: string;
  const workers: Worker[] = [];

  beforeAll(async () => {
    script = await bundledCode(producer, scratch);
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** Reads what a worker writes. */
  const started = (batches: number) => {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(script, {
      workerData: { id: somePartition, port: port2, batches },
      transferList: [port2],
    });
    workers.push(worker);
    const remote = new RemoteResults({ freeze: false });
    remote.connect(owner, messageDataPort(port1));
    worker.on('exit', (code) => remote.lost(owner, `it ended with ${code}`));
    return { worker, view: remote.source(somePartition, owner).read(0) };
  };

  it('records of all forms arrive, in order and once, as many as its consumer asks for', async () => {
    const { view } = started(40);
    const records: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      view.elements$.subscribe({
        next: (element: StreamElement) => {
          if (element.kind === 'records') records.push(...element.records);
          view.request(1);
        },
        error: reject,
        complete: resolve,
      });
      view.request(1);
    });
    const expected = Array.from({ length: 40 * 50 }, (_, record) => {
      const forms = [record, `text ${record}`, { record, text: `text ${record}`, isEven: record % 2 === 0 }, [record]];
      return forms[Math.floor(record / 50) % 4];
    });
    expect(records).toEqual(expected);
  });

  it('a reader fails when the worker is terminated', async () => {
    const { worker, view } = started(1_000_000);
    let count = 0;
    const failure = new Promise<unknown>((resolve) => {
      view.elements$.subscribe({
        next: () => {
          view.request(1);
          if (++count === 100) void worker.terminate();
        },
        error: resolve,
      });
    });
    view.request(1);
    expect(await failure).toBeInstanceOf(PartitionLostError);
  });
});
