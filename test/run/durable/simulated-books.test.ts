import { planJob } from '../../../src/api/job-planner.ts';
import type { ExecutionVertexId, RunId } from '../../../src/ids.ts';
import { openLog } from '../../../src/journal/journal-log.ts';
import { runJournalFormat } from '../../../src/journal/run/run-entry-codec.ts';
import { RunJournal } from '../../../src/run/durable/run-journal.ts';
import { jobShape } from '../../../src/run/folds/job-shape.ts';
import { jobIdentity } from '../../../src/run/identity/job-identity.ts';
import { simulate } from '../../../src/testing/index.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';
import { drawJob } from '../../simulation/drawn-job.ts';
import { draws } from '../../support/draws.ts';

/** Where the books of a simulated run differ from its tasks, after some event. */
async function differencesOf(seed: number): Promise<string[]> {
  const job = drawJob(seed);
  const { drawn, history } = await simulate(job, { seed });
  const plan = planJob({ ...drawn, name: job.name, steps: job.steps });
  const shape = jobShape(plan);
  const { log } = openLog(new MemoryJournalStorage(), 'journal', runJournalFormat);
  const journal = new RunJournal({ log, shape, clock: { epochMs: () => 0 }, failed: () => {} });
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
    if (!isSame) found.push(`seed ${seed}, event ${index} ${event.type}: ${booked.length} instead of ${finished.size}`);
  }
  return found;
}

const seeds = draws(20, 60);

it(`RE1: after every event of ${seeds} simulated runs, the finished tasks of the books are those that finished and will not restart`, async () => {
  for (let seed = 1; seed <= seeds; seed++) expect(await differencesOf(seed)).toEqual([]);
});
