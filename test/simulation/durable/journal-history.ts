import type { JobEvent } from '../../../src/actors/job-event.ts';
import { planJob } from '../../../src/api/job-planner.ts';
import { collect, fromArray, Job } from '../../../src/index.ts';
import type { ExecutionVertexId, RunId } from '../../../src/ids.ts';
import { openLog } from '../../../src/journal/journal-log.ts';
import { RunBooks } from '../../../src/journal/run/run-books.ts';
import type { FinishedTask } from '../../../src/journal/run/run-entry.ts';
import { decodeEntry, runJournalFormat } from '../../../src/journal/run/run-entry-codec.ts';
import { RunJournal } from '../../../src/run/durable/run-journal.ts';
import { jobShape } from '../../../src/run/folds/job-shape.ts';
import { jobIdentity } from '../../../src/run/identity/job-identity.ts';
import { type SeededRandom, seededRandom } from '../../../src/testing/index.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';

/** The finished tasks that count, each with the attempt that produced its results. */
type Standing = ReadonlyMap<string, string>;

const parallelism = 3;
const job = Job.create('sums', { parallelism });
job
  .source('numbers', fromArray([1, 2]))
  .rebalance({ exchange: 'reliable' })
  .map((number) => number, { uid: 'doubled' })
  .rebalance({ exchange: 'reliable' })
  .sink('out', collect());
const plan = planJob(job);
const shape = jobShape(plan);
const identity = jobIdentity(plan);
const { graph } = shape;

/** What became of a drawn history. */
export interface JournalHistoryReport {
  readonly problems: readonly string[];
  readonly runs: number;
  /** Entries that were written, and those of them that a later run did not find. */
  readonly written: number;
  readonly lost: number;
}

/**
 * Runs after each other that write one journal, each until its process dies or the power is lost, at a drawn operation
 * or between two: what each finds is compared with what stood.
 */
export async function journalHistory(seed: number): Promise<JournalHistoryReport> {
  const history = new JournalHistory(seededRandom(seed));
  const runs = history.random.integer(2, 5);
  for (let run = 0; run < runs; run++) await history.run(`run-${run}` as RunId);
  return { problems: history.problems, runs, written: history.written, lost: history.lost };
}

class JournalHistory {
  readonly random: SeededRandom;
  readonly problems: string[] = [];
  written = 0;
  lost = 0;
  #storage = new MemoryJournalStorage();
  /** What stood after each entry that the next run may find the last of, oldest first: those before are safe. */
  #possible: Standing[] = [new Map()];
  #mayHaveHoles = false;
  #attempts = 0;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  async run(run: RunId): Promise<void> {
    const { log, payloads } = openLog(this.#storage, 'journal', runJournalFormat);
    let found: RunBooks | undefined;
    for (const payload of payloads) found = RunBooks.after(found, decodeEntry(payload));
    const before = standingIn(found);
    this.#check(run, before);
    const finished = [...(found?.finished() ?? [])];
    // RE6: that of every other run is shortened again and again while it goes on.
    const longBytes = this.random.chance(0.5) ? 1 : Number.POSITIVE_INFINITY;
    const journal = new RunJournal({ log, shape, clock: { epochMs: () => 7 }, failed: () => {}, longBytes });
    const mayDie = this.random.chance(0.5);
    if (mayDie) this.#storage.killAfter(this.random.integer(0, 60), this.random.fork(`death of ${run}`));
    this.#possible = [before];
    try {
      // Either the old books are found or the new ones, and both say the same.
      await journal.begin({ type: 'run.began', run, atMs: 1, firstAtMs: 1, identity, finished, parts: [], plans: [] });
      await this.#live(journal, () => log.sync());
    } catch {
      // It was killed.
    }
    this.#die();
  }

  async #live(journal: RunJournal, sync: () => Promise<void>): Promise<void> {
    const standing = new Map(standingIn(journal.books));
    for (let left = this.random.integer(0, 30); left > 0; left--) {
      for (const event of this.#events(standing)) journal.next(event);
      this.written++;
      this.#possible.push(new Map(standing));
      if (!isEqual(standingIn(journal.books), standing)) return;
      const count = this.#possible.length;
      if (!this.random.chance(0.2)) continue;
      await sync();
      this.#possible.splice(0, count - 1);
    }
    if (standing.size === graph.vertexCount && this.random.chance(0.5)) {
      journal.next({ type: 'job.statusChanged', atMs: 9, status: 'finished' });
      // Its results are released with it.
      this.#possible.push(new Map([...standing.keys()].map((task) => [task, 'released'])));
      await journal.compact();
    }
  }

  /** A task that can finish does so, or one restarts with all that has read its results. */
  #events(standing: Map<string, string>): JobEvent[] {
    const tasks = Array.from({ length: graph.vertexCount }, (_, vertex) => vertex);
    const stage = (vertex: number): number => graph.jobVertexIndexOf(vertex as ExecutionVertexId);
    const isDone = (vertex: number): boolean => standing.has(nameOf(vertex));
    const ready = tasks.filter(
      (vertex) => !isDone(vertex) && tasks.every((other) => stage(other) !== stage(vertex) - 1 || isDone(other)),
    );
    if (ready.length === 0 || this.random.chance(0.2)) {
      const first = this.random.pick(tasks);
      const restarted = tasks.filter((vertex) => vertex === first || stage(vertex) > stage(first));
      for (const vertex of restarted) standing.delete(nameOf(vertex));
      const regions = restarted.map((vertex) => shape.regions.regionOf(vertex as ExecutionVertexId));
      return [{ type: 'failover.decided', atMs: 0, regions } as never];
    }
    const vertex = this.random.pick(ready);
    const attempt = this.#attempts++;
    standing.set(nameOf(vertex), `${attempt}`);
    const stored = [{ edge: 0, stored: { run: 'r', partition: vertex, attempt, records: 1, bytes: 1 } }];
    return [
      { type: 'task.ended', atMs: 0, task: '', vertex, attempt, stored } as never,
      { type: 'task.stateChanged', atMs: 0, task: '', vertex, attempt, state: 'finished' } as never,
    ];
  }

  #die(): void {
    this.#mayHaveHoles = false;
    if (this.random.chance(0.3)) {
      // Everything that it wrote is with the operating system.
      this.#storage = this.#storage.afterKill();
      this.#possible.splice(0, this.#possible.length - 2);
      return;
    }
    this.#mayHaveHoles = this.random.chance(0.5);
    this.#storage = this.#storage.afterPowerLoss(this.random, { holes: this.#mayHaveHoles });
  }

  #check(run: RunId, found: Standing): void {
    const [safe] = this.#possible as [Standing];
    const fitting = this.#possible.findLastIndex((standing) =>
      this.#mayHaveHoles ? isBetween(found, safe, standing) : isEqual(found, standing),
    );
    if (fitting >= 0) this.lost += this.#possible.length - 1 - fitting;
    else {
      const possible = this.#possible.map(shown).join(' | ');
      this.problems.push(`${run} finds ${shown(found)}${this.#mayHaveHoles ? ', with holes' : ''}, of ${possible}`);
    }
  }
}

/** Whether all that was found stood, and nothing is missing that was safe and still stood. */
function isBetween(found: Standing, safe: Standing, standing: Standing): boolean {
  return (
    [...found].every(([task, attempt]) => standing.get(task) === attempt) &&
    [...safe].every(([task, attempt]) => standing.get(task) !== attempt || found.has(task))
  );
}

function isEqual(one: Standing, other: Standing): boolean {
  return one.size === other.size && isBetween(one, other, other);
}

function standingIn(books: RunBooks | undefined): Standing {
  const tasks: Iterable<FinishedTask> = books?.finished() ?? [];
  return new Map(
    Array.from(tasks, ({ vertex, subtask, results }) => [
      nameOf(graph.vertexAt(vertex, subtask)),
      `${results[0]?.stored.attempt ?? 'released'}`,
    ]),
  );
}

function nameOf(vertex: number): string {
  return graph.nameOf(vertex as ExecutionVertexId);
}

function shown(standing: Standing): string {
  return `{${[...standing].map(([task, attempt]) => `${task}#${attempt}`).join(' ')}}`;
}
