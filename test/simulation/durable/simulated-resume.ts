import { planJob } from '../../../src/api/job-planner.ts';
import type { JobDefinition } from '../../../src/api/stream-graph.ts';
import type { JobEvent } from '../../../src/actors/job-event.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, RegionId, RunId } from '../../../src/ids.ts';
import { compareIdentities } from '../../../src/journal/identity/compare-identities.ts';
import { openLog } from '../../../src/journal/journal-log.ts';
import { RunBooks } from '../../../src/journal/run/run-books.ts';
import { decodeEntry, runJournalFormat } from '../../../src/journal/run/run-entry-codec.ts';
import type { StoredResult } from '../../../src/journal/stored-result.ts';
import { planResume } from '../../../src/run/durable/resume-plan.ts';
import { RunJournal } from '../../../src/run/durable/run-journal.ts';
import { type JobShape, jobShape } from '../../../src/run/folds/job-shape.ts';
import { jobIdentity } from '../../../src/run/identity/job-identity.ts';
import { type SeededRandom, seededRandom, type SimulationReport } from '../../../src/testing/index.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';

/** What the journals of a simulated run would let a later run take over. */
export interface ResumeReport {
  readonly problems: readonly string[];
  /** Prefixes of the journal that a later run was asked about, */
  readonly prefixes: number;
  /** regions that it would take over from them, */
  readonly restored: number;
  /** and that it would run again although they had finished. */
  readonly again: number;
}

/**
 * After each event of a simulated run, as if its process had died there: what a later run takes over from the journal so
 * far, compared with what the run itself knows. Some of the result files are gone.
 */
export async function resumeReport(job: JobDefinition, { drawn, history }: SimulationReport): Promise<ResumeReport> {
  const plan = planJob({ ...drawn, name: job.name, steps: job.steps });
  const shape = jobShape(plan);
  const identity = jobIdentity(plan);
  const storage = new MemoryJournalStorage();
  const { log } = openLog(storage, 'journal', runJournalFormat);
  const journal = new RunJournal({ log, shape, clock: { epochMs: () => 0 }, failed: () => {} });
  const run = 'r' as RunId;
  await journal.begin({ type: 'run.began', run, atMs: 0, firstAtMs: 0, identity, finished: [], parts: [], plans: [] });
  // A job is the same as itself: what cannot be compared is not the subject here.
  const vertices = identity.vertices.map((_, before) => ({ kind: 'unchanged', before }) as const);
  const edges = identity.edges.map((_, before) => ({ kind: 'same', before }) as const);
  const comparison = { ...compareIdentities(identity, identity), vertices, edges };
  const live = new LiveRun(shape, seededRandom(drawn.seed).fork('lost files'));
  const sum = { prefixes: 0, restored: 0, again: 0 };
  const problems: string[] = [];
  let size = 0;
  for (const [index, event] of history.events.entries()) {
    journal.next(event.type === 'task.ended' ? { ...event, stored: live.storedBy(event) } : event);
    live.next(event);
    if (log.size === size) continue;
    size = log.size;
    live.loseFiles();
    const { restored } = planResume(shape, {
      ...{ books: readBooks(storage), comparison, reasons: new Map(), isPartThere: () => true },
      isReadable: (stored) => live.isThere(stored),
      damageOf: () => undefined,
    });
    const expected = live.resumable();
    sum.prefixes++;
    sum.restored += restored.size;
    sum.again += live.finishedRegions - restored.size;
    const found = [...restored.keys()].sort((a, b) => a - b);
    if (found.join() !== expected.join()) {
      problems.push(
        `after event ${index} (${event.type}), it takes over regions ${found.join()}, not ${expected.join()}`,
      );
    }
    for (const results of restored.values()) {
      for (const { partition, attempt } of results.values()) {
        if (attempt === live.finishedAttemptOf(shape.graph.producerOf(partition))) continue;
        problems.push(`after event ${index} (${event.type}), it takes over attempt ${attempt} of result ${partition}`);
      }
    }
  }
  return { problems, ...sum };
}

function readBooks(storage: MemoryJournalStorage): RunBooks {
  let books: RunBooks | undefined;
  for (const payload of openLog(storage, 'journal', runJournalFormat).payloads) {
    books = RunBooks.after(books, decodeEntry(payload));
  }
  return books as RunBooks;
}

/** What a run knows of itself: which tasks have finished and will not restart, and in which attempt. */
class LiveRun {
  readonly #shape: JobShape;
  readonly #random: SeededRandom;
  readonly #finished = new Map<number, AttemptNumber>();
  readonly #lost = new Set<PartitionId>();

  constructor(shape: JobShape, random: SeededRandom) {
    this.#shape = shape;
    this.#random = random;
  }

  /** The files that an attempt leaves, finished or not. */
  storedBy({ vertex, attempt }: Extract<JobEvent, { type: 'task.ended' }>) {
    const { graph } = this.#shape;
    return graph.partitionsOf(vertex as ExecutionVertexId).flatMap((partition) => {
      if (!isKept(graph.exchangeOfPartition(partition).name)) return [];
      const stored = { run: 'r' as RunId, partition, attempt, records: 1, bytes: 1 };
      return [{ edge: graph.edgeIndexOfPartition(partition), stored }];
    });
  }

  next(event: JobEvent): void {
    if (event.type === 'task.stateChanged') {
      if (event.state === 'finished') this.#finished.set(event.vertex, event.attempt);
      else this.#finished.delete(event.vertex);
    }
    if (event.type !== 'failover.decided') return;
    for (const region of event.regions) {
      for (const vertex of this.#shape.regions.verticesOf(region)) this.#finished.delete(vertex);
    }
  }

  /** Draws anew which files are gone. */
  loseFiles(): void {
    this.#lost.clear();
    if (this.#random.chance(0.5)) return;
    for (let partition = 0 as PartitionId; partition < this.#shape.graph.partitionCount; partition++) {
      if (this.#random.chance(0.1)) this.#lost.add(partition);
    }
  }

  isThere({ partition }: Pick<StoredResult, 'partition'>): boolean {
    return !this.#lost.has(partition);
  }

  finishedAttemptOf(vertex: ExecutionVertexId): AttemptNumber | undefined {
    return this.#finished.get(vertex);
  }

  get finishedRegions(): number {
    return this.#regions().filter((region) => this.#hasFinished(region)).length;
  }

  /**
   * The regions that need not run, step by step: all but those that have not finished, those whose results are needed and
   * gone, and those that read from any of these.
   */
  resumable(): RegionId[] {
    const runs = new Set(this.#regions().filter((region) => !this.#hasFinished(region)));
    for (let before = -1; before !== runs.size; ) {
      before = runs.size;
      for (const region of this.#regions()) {
        for (const { producer, partition } of this.#inputsOf(region)) {
          if (runs.has(producer)) runs.add(region);
          if (runs.has(region) && !this.#isReadable(partition)) runs.add(producer);
        }
      }
    }
    return this.#regions().filter((region) => !runs.has(region));
  }

  #isReadable(partition: PartitionId): boolean {
    return isKept(this.#shape.graph.exchangeOfPartition(partition).name) && this.isThere({ partition });
  }

  #hasFinished(region: RegionId): boolean {
    return this.#shape.regions.verticesOf(region).every((vertex) => this.#finished.has(vertex));
  }

  #regions(): RegionId[] {
    return Array.from({ length: this.#shape.regions.count }, (_, region) => region as RegionId);
  }

  /** What a region reads of others. */
  *#inputsOf(region: RegionId): Generator<{ readonly producer: RegionId; readonly partition: PartitionId }> {
    const { graph, regions } = this.#shape;
    for (const vertex of regions.verticesOf(region)) {
      const groups: number[] = [];
      graph.forEachConsumedGroup(vertex as ExecutionVertexId, (group) => groups.push(group));
      for (const group of groups) {
        for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
          const of = producer as ExecutionVertexId;
          if (regions.regionOf(of) === region) continue;
          const partition = graph.partitionOf(graph.edgeIndexOfGroup(group), of);
          yield { producer: regions.regionOf(of), partition };
        }
      }
    }
  }
}

/** Whether a result of this exchange outlives its process. */
function isKept(exchange: string): boolean {
  return exchange === 'reliable' || exchange === 'blocking';
}
