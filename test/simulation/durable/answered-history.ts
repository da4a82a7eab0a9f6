import { planJob } from '../../../src/api/job-planner.ts';
import { LocalDataPlane } from '../../../src/executors/local-data-plane.ts';
import { collect, fixedDelay, fromArray, Job } from '../../../src/index.ts';
import { runJob } from '../../../src/run/run-job.ts';
import { type SeededRandom, seededRandom, virtualEnvironment } from '../../../src/testing/index.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';
import { processesOf } from '../../operators/answers/store-rig.ts';

/** An answer is synced after this time, in ms. */
const syncedMs = 51;

/** What became of a drawn history. */
export interface AnsweredHistoryReport {
  readonly problems: readonly string[];
  readonly runs: number;
  /** Calls made, and those of them for records that an earlier process had called for. */
  readonly calls: number;
  readonly again: number;
}

/** How a process ends early. */
type Cut = 'kill' | 'power loss';

/** The calls of one process, as the paid service sees them. */
class ServiceBooks {
  readonly calls: string[] = [];
  readonly answeredAt = new Map<string, number>();
  /** Records whose answers the next operator has. */
  readonly passedOn = new Set<string>();
}

/**
 * Runs after each other that remember their answers in one directory, each until its process is killed or the power is
 * lost at a drawn time; the last one finishes. No record whose answer must have survived may be called for again: with
 * `sync: 'call'` none that was passed on. The results are those of the undisturbed job.
 */
export async function answeredHistory(seed: number): Promise<AnsweredHistoryReport> {
  const history = new AnsweredHistory(seededRandom(seed));
  const cuts = history.random.integer(1, 3);
  for (let cut = 0; cut < cuts; cut++) await history.run(history.random.chance(0.3) ? 'kill' : 'power loss');
  await history.run(undefined);
  return { problems: history.problems, runs: cuts + 1, calls: history.calls, again: history.again };
}

class AnsweredHistory {
  readonly random: SeededRandom;
  readonly problems: string[] = [];
  calls = 0;
  again = 0;
  readonly #shape;
  #storage = new MemoryJournalStorage();
  #runs = 0;
  /** Records that were called for, and those whose answer must have survived. */
  readonly #called = new Set<string>();
  readonly #safe = new Set<string>();

  constructor(random: SeededRandom) {
    this.random = random;
    const distinct = random.integer(1, 60);
    this.#shape = {
      records: Array.from({ length: random.integer(distinct, 90) }, () => `r${random.integer(0, distinct)}`),
      parallelism: random.integer(1, 3),
      concurrency: random.integer(1, 12),
      ordered: random.chance(0.5),
      hasKeys: random.chance(0.5),
      longestMs: random.integer(1, 40),
      failing: random.chance(0.3),
      sync: random.pick(['grouped', 'call'] as const),
    };
  }

  /** One process. @param cut how it ends; undefined: it finishes */
  async run(cut: Cut | undefined): Promise<void> {
    const run = this.#runs++;
    const environment = virtualEnvironment();
    const books = new ServiceBooks();
    const out = collect<string>();
    const storage = this.#storage;
    const processes = processesOf(run, new Set([run]));
    const job = runJob(
      planJob(this.#job(books, environment, out)),
      { environment, batchSize: 8, restartBackoff: fixedDelay({ maxAttempts: 20, delayMs: 10 }) },
      {
        dataPlane: (plan, options) =>
          new LocalDataPlane(plan, { ...options, maxSteps: () => 8, processes, storageOf: () => storage }),
      },
    );
    const ended = job.result.then(() => true);
    const cutMs = this.random.integer(1, 400);
    const isCut = new Promise<boolean>((resolve) => {
      if (cut !== undefined) environment.clock.setTimeout(() => resolve(false), cutMs);
    });
    const hasFinished = await environment.drive(Promise.race([ended, isCut]));
    if (hasFinished) this.#compareResults(out.records, run);
    this.#close(books, environment.clock.now(), cut, run);
    this.#storage =
      cut === 'power loss'
        ? storage.afterPowerLoss(this.random, { holes: this.random.chance(0.5) })
        : storage.afterKill();
  }

  #job(books: ServiceBooks, { clock }: ReturnType<typeof virtualEnvironment>, out: ReturnType<typeof collect<string>>) {
    const { records, parallelism, concurrency, ordered, hasKeys, longestMs, failing, sync } = this.#shape;
    const latency = this.random.fork('latency');
    const failed = new Set<string>();
    const job = Job.create('answered', { parallelism });
    job
      .source('records', fromArray(records))
      .mapAsync(
        async (record) => {
          books.calls.push(record);
          await new Promise<void>((resolve) => {
            clock.setTimeout(resolve, latency.integer(0, longestMs));
          });
          if (failing && latency.chance(0.2) && !failed.has(record)) {
            failed.add(record);
            throw new Error('busy');
          }
          if (books.answeredAt.has(record)) this.problems.push(`${record} is answered twice in one run`);
          books.answeredAt.set(record, clock.now());
          return `${record}!`;
        },
        {
          uid: 'paid',
          ...{ concurrency, ordered, retries: 1, version: 1 },
          remember: { directory: 'answers', sync, ...(hasKeys && { key: (record: string) => record }) },
        },
      )
      .map((answer) => {
        books.passedOn.add(answer.slice(0, -1));
        return answer;
      })
      .sink('out', out);
    return job;
  }

  #close(books: ServiceBooks, nowMs: number, cut: Cut | undefined, run: number): void {
    const isLost = cut === 'power loss';
    this.calls += books.calls.length;
    for (const call of books.calls) {
      if (this.#called.has(call)) this.again++;
      if (this.#safe.has(call)) this.problems.push(`run ${run} calls again for ${call}, whose answer was remembered`);
    }
    for (const call of books.calls) this.#called.add(call);
    for (const [record, atMs] of books.answeredAt) {
      if (isLost ? atMs + syncedMs < nowMs : atMs < nowMs) this.#safe.add(record);
    }
    if (!isLost || this.#shape.sync === 'call') for (const record of books.passedOn) this.#safe.add(record);
  }

  #compareResults(found: readonly string[], run: number): void {
    const expected = this.#shape.records.map((record) => `${record}!`).sort();
    if ([...found].sort().join() !== expected.join())
      this.problems.push(`run ${run} has other results: ${found.join()}`);
  }
}
