import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type AsyncMapOptions, collect, Job, range, systemEnvironment } from 'kintsugi';
import { openLog } from '../src/journal/journal-log.ts';
import { AnswerStore } from '../src/operators/answers/answer-store.ts';
import { AnswerWriter } from '../src/operators/answers/files/answer-writer.ts';
import { type NewAnswer, packOutcome } from '../src/operators/answers/files/answer-record.ts';
import { OperatorAnswers } from '../src/operators/answers/operator-answers.ts';
import { encodeOwner, ownerOf } from '../src/partitions/claims/owner-note.ts';
import { systemProcesses } from '../src/partitions/claims/process-table.ts';
import { FileJournalStorage } from '../src/partitions/storage/file-journal-storage.ts';
import { type Bench, type BenchOptions, type BenchRow, compare, type Goal, inDirectory, reading } from './harness.ts';

const { clock, logger } = systemEnvironment();

interface Text {
  readonly id: number;
  readonly topic: string;
  readonly text: string;
}

const textOf = (id: number): Text => ({ id, topic: `topic-${id % 12}`, text: `the text of record number ${id}` });

/** Calls of a millisecond: long enough that opening and closing the store hardly counts. */
async function calls(count: number, concurrency: number, remember: AsyncMapOptions<number>['remember']): Promise<void> {
  const job = Job.create('calls');
  job
    .source('numbers', range(0, count))
    .mapAsync((id) => new Promise<number>((resolve) => setTimeout(() => resolve(id * 2), 1)), {
      uid: 'call',
      concurrency,
      remember,
    })
    .sink('out', collect<number>());
  await job.run().result;
}

async function callRow(effort: number, count: number, atOnce: number, goal?: Goal): Promise<BenchRow> {
  return inDirectory((directory) => {
    let round = 0;
    return compare({
      name: `remember: ${count.toLocaleString('en').replaceAll(',', ' ')} calls of 1 ms, ${atOnce} at a time, beside the same without`,
      ours: () => calls(count, atOnce, { directory: join(directory, `${round++}`) }),
      baseline: () => calls(count, atOnce, false),
      ...(goal !== undefined && { goal }),
      rounds: goal === undefined ? 5 : 9,
      warmUp: 2,
      // It would have the code of each round begin unoptimized.
      collectsBefore: false,
      effort,
    });
  });
}

/** Puts of a log, in µs of this thread. */
async function putRows(): Promise<BenchRow[]> {
  const format = { kind: 'BNCH', version: 1, remedy: 'None' };
  const rows: BenchRow[] = [];
  for (const [bytes, atOnce] of [
    [100, 1],
    [1_000, 1],
    [100, 64],
  ] as const) {
    const samples = await inDirectory((directory) => {
      const { log } = openLog(new FileJournalStorage(directory), 'log', format);
      const payloads = Array.from({ length: atOnce }, () => new Uint8Array(bytes).fill(7));
      return Array.from({ length: 9 }, () => cpuUsOf(20_000 / atOnce, () => log.appendAll(payloads)) / atOnce);
    });
    rows.push(reading(`append-only log: put of ${bytes} bytes, ${atOnce} at once`, 'µs', samples.slice(2)));
  }
  return rows;
}

/** CPU time of one run of `work`, in µs. */
function cpuUsOf(times: number, work: (index: number) => unknown): number {
  const before = process.cpuUsage();
  for (let index = 0; index < times; index++) work(index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

const answerCount = 1_000_000;
const segmentName = '0-bench.answers';

async function lookupRows(effort: number): Promise<BenchRow[]> {
  return inDirectory(async (directory) => {
    const storage = new FileJournalStorage(directory);
    const options = {
      operator: 'call',
      version: '1',
      fn: () => 0,
      clock,
      keyOf: undefined,
      ttlMs: Infinity,
      sinceMs: -Infinity,
      remembersErrors: false,
      graceMs: 0,
    };
    const open = (): Promise<AnswerStore> =>
      AnswerStore.open({
        ...{ storage, processes: systemProcesses(), clock, logger },
        ...{ writer: 'bench', maxBytes: Infinity, ttlMsOf: () => Infinity },
      });
    const memoryOf = (store: AnswerStore): OperatorAnswers => new OperatorAnswers({ ...options, store });
    writeAnswers(storage, memoryOf(await open()));
    const openings: number[] = [];
    for (let opening = 0; opening < 3; opening++) {
      const before = process.cpuUsage();
      const opened = await open();
      const { user, system } = process.cpuUsage(before);
      openings.push((user + system) / 1_000);
      await opened.close();
    }
    const store = await open();
    const memory = memoryOf(store);
    const rounds = Math.max(3, Math.round(7 * effort));
    const lookups = 100_000;
    const measured = (recordOf: (index: number) => Text): number[] =>
      Array.from({ length: rounds + 1 }, () =>
        cpuUsOf(lookups, (index) => memory.recall(memory.identify(recordOf(index)))),
      ).slice(1);
    return [
      reading(
        'remember: lookup of an unknown record, at 1 M answers',
        'µs',
        measured((index) => textOf(answerCount + index)),
        { atMost: 3 },
      ),
      reading('remember: lookup of a known record, in order, with its answer', 'µs', measured(textOf), { atMost: 3 }),
      reading(
        'remember: lookup of a known record, anywhere, with its answer',
        'µs',
        measured((index) => textOf((index * 7_919) % answerCount)),
      ),
      reading(
        'remember: the least that a read anywhere in its file costs, by hand',
        'µs',
        readsByHand(join(directory, segmentName), lookups, rounds),
      ),
      reading('remember: index in memory, per answer', 'bytes', [store.indexBytes / store.count]),
      reading('remember: opening 1 M answers, CPU time', 'ms', openings, { atMost: 2_000 }),
    ];
  });
}

/** CPU time of reading as many bytes as an answer takes, at the same places: no look-up there can cost less. */
function readsByHand(path: string, count: number, rounds: number): number[] {
  const file = openSync(path, 'r');
  try {
    const bytes = Math.floor(fstatSync(file).size / answerCount);
    const into = Buffer.allocUnsafeSlow(bytes);
    const read = (index: number): number => readSync(file, into, 0, bytes, ((index * 7_919) % answerCount) * bytes);
    return Array.from({ length: rounds + 1 }, () => cpuUsOf(count, read)).slice(1);
  } finally {
    closeSync(file);
  }
}

function writeAnswers(storage: FileJournalStorage, memory: OperatorAnswers): void {
  const writer = new AnswerWriter(storage, segmentName, encodeOwner(ownerOf(systemProcesses())));
  const origin = { operator: 'call', version: '1' };
  for (let first = 0; first < answerCount; first += 1_000) {
    writer.append(
      clock.epochMs(),
      Array.from({ length: 1_000 }, (_, index): NewAnswer => {
        const identity = memory.identify(textOf(first + index));
        const packed = packOutcome({ kind: 'answered', answer: { score: index, label: 'positive' } });
        return { origin, identity, isError: false, packed };
      }),
    );
  }
  writer.end();
}

export const benches: readonly Bench[] = [
  {
    name: 'remember',
    run: async ({ effort }: BenchOptions) => [
      await callRow(effort, 16_000, 16, { atLeast: 0.95 }),
      await callRow(effort, 1_000, 1),
      await callRow(effort, 4_000, 4),
      await callRow(effort, 64_000, 64),
      ...(await lookupRows(effort)),
      ...(await putRows()),
    ],
  },
];
