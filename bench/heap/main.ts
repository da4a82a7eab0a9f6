import '../../examples/production.ts';
import { Job, type Sink, type Source, systemEnvironment } from 'kintsugi';
import { type BenchRow, reading } from '../harness.ts';
import { publish } from '../published/figures.ts';

/**
 * Shows that memory does not grow with the input: a source that emits ten times the heap limit, queues, and a slow
 * sink. Run it with `--expose-gc --max-old-space-size=96`: a job that retained too much would run out of memory. With
 * `--publish` the figures go into the tables of the README and docs/performance.md.
 */
const heapLimitBytes = 96 * 1_024 * 1_024;
const recordBytes = 1_000;
const recordCount = Math.ceil((10 * heapLimitBytes) / recordBytes);

interface Large {
  readonly id: number;
  /** A hundred doubles, which live on the limited heap, unlike buffers. */
  readonly payload: readonly number[];
}

const source: Source<Large> = {
  name: 'large records',
  maxParallelism: 64,
  open: ({ subtask, parallelism }) => {
    let next = subtask;
    return {
      read: (max) => {
        if (next >= recordCount) return null;
        const batch = [];
        for (; batch.length < max && next < recordCount; next += parallelism) {
          batch.push({ id: next, payload: Array.from({ length: 112 }, (_, index) => next + index / 7) });
        }
        return batch;
      },
      close: () => {},
    };
  },
};

async function peakHeap(mode: 'batch' | 'streaming'): Promise<{ peakBytes: number; records: number }> {
  let records = 0;
  let checksum = 0;
  let peakBytes = 0;
  const slow: Sink<Large> = {
    name: 'slow',
    guarantee: 'at-least-once',
    open: () => ({
      write: async (batch) => {
        records += batch.length;
        for (const { payload } of batch) checksum += payload[1] as number;
        // Three turns of the event loop per batch: far slower than the source.
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        if (records % (64 * 1_024) < batch.length) {
          globalThis.gc?.();
          peakBytes = Math.max(peakBytes, process.memoryUsage().heapUsed);
        }
      },
      commit: () => {},
      abort: () => {},
    }),
  };
  const job = Job.create('flat', { mode, parallelism: 4 });
  job
    .source('records', source)
    .keyBy((record) => record.id % 97)
    .process<never, Large>({ onRecord: (record, _state, emit) => emit(record) })
    .sink('slow', slow);
  await job.run({ batchSize: 256, memoryBudgetBytes: 16 * 1_024 * 1_024, environment: systemEnvironment() }).result;
  if (records !== recordCount) throw new Error(`${records} of ${recordCount} records arrived`);
  if (checksum === 0) throw new Error('the records arrived empty');
  return { peakBytes, records };
}

const rows: BenchRow[] = [];
for (const mode of ['streaming', 'batch'] as const) {
  const { peakBytes, records } = await peakHeap(mode);
  const carriedMb = (records * recordBytes) / 1e6;
  const isFlat = peakBytes < heapLimitBytes;
  console.log(
    `${mode}: ${Math.round(carriedMb)} MB in ${records} records through a slow sink; ` +
      `at most ${Math.round(peakBytes / 1e6)} MB in use: ${isFlat ? 'flat' : 'NOT FLAT'}`,
  );
  if (!isFlat) process.exitCode = 1;
  const name = `memory in use while 1 GB passes to a slow sink, ${mode}`;
  rows.push(reading(name, 'B', [peakBytes], { atMost: heapLimitBytes }));
}
if (process.argv.includes('--publish')) publish(rows);
