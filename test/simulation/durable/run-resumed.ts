import { planJob } from '../../../src/api/job-planner.ts';
import type { ExecutionVertexId, RunId } from '../../../src/ids.ts';
import { openLog } from '../../../src/journal/journal-log.ts';
import { runJournalFormat } from '../../../src/journal/run/run-entry-codec.ts';
import { RunJournal } from '../../../src/run/durable/run-journal.ts';
import { jobShape } from '../../../src/run/folds/job-shape.ts';
import { jobIdentity } from '../../../src/run/identity/job-identity.ts';
import { simulate, type SimulationReport } from '../../../src/testing/index.ts';
import type { JobDefinition } from '../../../src/api/stream-graph.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';
import { deleteFiles } from '../changing-file.ts';
import { drawJob } from '../drawn/drawn-job.ts';
import { type DrawnSize, optionOf } from '../drawn/drawn-size.ts';
import { eachSeed } from '../each-seed.ts';
import { resumeReport } from './simulated-resume.ts';

/** Totals over drawn runs that are looked at as if their process had died, after each of their events. */
export interface ResumedSummary {
  readonly passed: number;
  /** Failed runs, by seed. */
  readonly failures: readonly string[];
  /** Prefixes of their journals, regions that a later run takes over from them, and those that it runs again. */
  readonly prefixes: number;
  readonly restored: number;
  readonly again: number;
}

/** Looks at `count` drawn runs, from seed `first` on. @param tell gets failures and progress */
export async function runResumed(
  first: number,
  count: number,
  tell: (line: string) => void,
  size: DrawnSize,
): Promise<ResumedSummary> {
  const sum = { prefixes: 0, restored: 0, again: 0 };
  const seeds = { first, count, what: 'resumed runs', repeat: `--resumed${optionOf(size)}`, tell };
  const failures = await eachSeed(seeds, async (seed) => {
    const job = drawJob(seed, size);
    const report = await simulate(job, { seed, maxParallelism: size.runParallelism });
    const { problems, ...counts } = await resumeReport(job, report);
    for (const [name, value] of Object.entries(counts)) sum[name as keyof typeof sum] += value;
    return [...problems, ...(await differencesOf(job, report))];
  });
  deleteFiles();
  return { passed: count - failures.length, failures, ...sum };
}

/** Where the books of a simulated run differ from its tasks, after some event. */
async function differencesOf(job: JobDefinition, { drawn, history }: SimulationReport): Promise<string[]> {
  const plan = planJob({ ...drawn, name: job.name, steps: job.steps });
  const shape = jobShape(plan);
  const { log } = openLog(new MemoryJournalStorage(), 'journal', runJournalFormat);
  // RE6: every other one is shortened all the time.
  const longBytes = history.events.length % 2 === 0 ? 1 : Number.POSITIVE_INFINITY;
  const journal = new RunJournal({ log, shape, clock: { epochMs: () => 0 }, failed: () => {}, longBytes });
  const began = {
    type: 'run.began',
    run: 'r' as RunId,
    atMs: 0,
    firstAtMs: 0,
    finished: [],
    parts: [],
    plans: [],
  } as const;
  await journal.begin({ ...began, identity: jobIdentity(plan) });
  const finished = new Set<number>();
  const found: string[] = [];
  for (const [index, event] of history.events.entries()) {
    journal.next(event);
    if (event.type === 'task.stateChanged') {
      if (event.state === 'finished') finished.add(event.vertex);
      else finished.delete(event.vertex);
    }
    if (event.type === 'failover.decided') {
      for (const region of event.regions)
        for (const vertex of shape.regions.verticesOf(region)) finished.delete(vertex);
    }
    const booked = Array.from(journal.books?.finished() ?? [], ({ vertex, subtask }) =>
      shape.graph.vertexAt(vertex, subtask),
    );
    const isSame = booked.length === finished.size && booked.every((vertex: ExecutionVertexId) => finished.has(vertex));
    if (!isSame) {
      found.push(`after event ${index} (${event.type}), ${booked.length} tasks are in the books, not ${finished.size}`);
    }
  }
  return found;
}
