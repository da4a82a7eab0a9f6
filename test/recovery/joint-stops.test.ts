import { fixedDelay, Job, type JobRun, type Sink, type Source } from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';
import { eventsOf, failureOf, Runs } from '../support/runs.ts';

const count = 400;
const all = Array.from({ length: count }, (_, n) => n);

/** A sink that takes this long to prepare for a checkpoint. */
function preparingFor(ms: number, sink: Sink<number>): Sink<number> {
  return {
    ...sink,
    open: async (context, from) => {
      const writer = await sink.open(context, from);
      return {
        ...writer,
        prepareCheckpoint: async (about) => {
          await new Promise<void>((resolve) => void context.environment.clock.setTimeout(resolve, ms));
          return writer.prepareCheckpoint?.(about);
        },
      };
    },
  };
}

/** A source whose first reader takes this long to open. */
function openingLate(source: Source<number>, ms: number): Source<number> {
  let isFirst = true;
  return {
    ...source,
    open: async (context, plan, from) => {
      if (isFirst) await new Promise<void>((resolve) => void context.environment.clock.setTimeout(resolve, ms));
      isFirst = false;
      return await source.open(context, plan, from);
    },
  };
}

interface Starting {
  readonly fromSavepoint?: string;
  readonly preparesMs?: number;
  /** How long a task that failed waits. */
  readonly backoffMs?: number;
}

/**
 * ```
 *   first ──▶ one       in the savepoint at once
 *   second ─▶ other     opens its source after 40 ms, and is in it some time later
 * ```
 */
class Two {
  readonly one = new World<number>();
  readonly other = new World<number>();
  readonly #runs: Runs;

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  start({ fromSavepoint, preparesMs = 0, backoffMs = 1 }: Starting = {}): JobRun {
    const job = Job.create('two', { mode: 'streaming', parallelism: 1 });
    const second = tickingSource(count);
    job.source('first', tickingSource(count), { version: 1 }).sink('one', transactionalSink(this.one), { version: 1 });
    job
      .source('second', fromSavepoint === undefined ? openingLate(second, 40) : second, { version: 1 })
      .sink('other', preparingFor(preparesMs, transactionalSink(this.other)), { version: 1 });
    return this.#runs.start(job, {
      checkpoints: { intervalMs: 4, timeoutMs: 60 },
      restartBackoff: fixedDelay({ maxAttempts: 5, delayMs: backoffMs }),
      ...(fromSavepoint !== undefined && { fromSavepoint }),
    });
  }

  expectAll(): void {
    expect([this.one.transacted, this.other.transacted]).toEqual([all, all]);
  }
}

describe('a savepoint with which two components stop', () => {
  it('SV4: fails if a task of one of them begins anew before the other is in it, because that reads on', async () => {
    using runs = new Runs();
    const two = new Two(runs);
    const run = two.start();
    await runs.wait(6);
    const stopped = failureOf(run.stopWithSavepoint(runs.path('savepoint')));
    await runs.wait(10);
    const { controls, shape } = insideOf(run);
    controls.failTask(shape.graph.vertexAt(0, 0));
    expect(await runs.until(stopped)).toMatchObject({ code: 'SAVEPOINT_FAILED', reason: 'failover' });
    await runs.until(run.result);
    two.expectAll();
  });

  it('SV2: is complete if a task of one of them failed meanwhile, and has not begun anew: it is not started again', async () => {
    using runs = new Runs();
    const two = new Two(runs);
    const run = two.start({ backoffMs: 1_000 });
    await runs.wait(6);
    const stopped = run.stopWithSavepoint(runs.path('savepoint'));
    await runs.wait(10);
    const { controls, shape } = insideOf(run);
    controls.failTask(shape.graph.vertexAt(0, 0));
    const fromSavepoint = await runs.until(stopped);
    await runs.until(failureOf(run.result));
    await runs.until(two.start({ fromSavepoint }).result);
    two.expectAll();
  });

  it('TB4: takes no checkpoints of the one that waits for the other: they do not fail, and it stays stopped', async () => {
    using runs = new Runs();
    const two = new Two(runs);
    const run = two.start({ preparesMs: 50 });
    const events = eventsOf(run);
    await runs.wait(6);
    const savepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    await runs.until(failureOf(run.result));
    const reasons = events.flatMap((event) => (event.type === 'checkpoint.failed' ? [event.reason] : []));
    expect(reasons).not.toContain('expired');
    expect(events.map(({ type }) => type)).not.toContain('task.failed');
    await runs.until(two.start({ fromSavepoint: savepoint }).result);
    two.expectAll();
  });
});
