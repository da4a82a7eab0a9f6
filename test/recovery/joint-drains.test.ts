import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckpointStorage, type Exchange, fileCheckpoints, type Job, type JobRun } from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';
import { eventsOf, failureOf, Runs } from '../support/runs.ts';
import { checkpoints, count, expected, type Fold, foldsOf, recordsIn, totals } from '../support/drained-runs.ts';
import { storageOver } from '../support/storage-over.ts';

const all = Array.from({ length: count }, (_, n) => n);

/** Nothing can be removed from it. */
const readOnly: Partial<CheckpointStorage> = { discard: () => Promise.reject(new Error('read-only')) };

/** Two components of a job, which write to sinks with transactions, and their state directory. */
class Two {
  readonly world: World<Fold>;
  readonly other: World<number>;
  readonly stateDirectory: string;
  readonly #runs: Runs;
  readonly #exchange: Exchange;

  constructor(runs: Runs, exchange: Exchange = 'pipelined', from?: Two) {
    this.#runs = runs;
    this.#exchange = exchange;
    this.world = from?.world.copy() ?? new World<Fold>();
    this.other = from?.other.copy() ?? new World<number>();
    this.stateDirectory = runs.path(from === undefined ? 'state' : 'left');
  }

  /** @param storage of its checkpoints; default: in its directory */
  start(storage?: CheckpointStorage, timeoutMs = 10_000): JobRun {
    const { stateDirectory } = this;
    return this.#runs.start(this.#job(), {
      stateDirectory,
      checkpoints: { ...checkpoints, timeoutMs, ...(storage && { storage }) },
    });
  }

  #job(): Job {
    const job = foldsOf(transactionalSink(this.world), { exchange: this.#exchange });
    const others = job.source('others', tickingSource(count), { version: 1, parallelism: 1 });
    others.sink('other', transactionalSink(this.other), { version: 1 });
    return job;
  }

  /** Its files, where what the second component commits as drained is committed otherwise. */
  storage(
    commit: (store: () => Promise<void>) => Promise<void>,
    changes?: Partial<CheckpointStorage>,
    of = 'others',
  ): CheckpointStorage {
    const files = fileCheckpoints(join(this.stateDirectory, 'checkpoints'));
    return storageOver(files, {
      ...changes,
      commit: (manifest) => {
        const { isDrained } = manifest.content as { readonly isDrained?: boolean };
        const store = (): Promise<void> => files.commit(manifest);
        return isDrained === true && manifest.scope.includes(of) ? commit(store) : store();
      },
    });
  }

  /** What the next process finds if this one dies now. */
  die(): Two {
    const left = new Two(this.#runs, this.#exchange, this);
    const filter = (path: string): boolean => !path.includes('owner.kintsugi');
    cpSync(this.stateDirectory, left.stateDirectory, { recursive: true, filter });
    return left;
  }

  /** Every record is in one committed result. */
  expectAll(): void {
    expect(totals(this.world.transacted)).toEqual(expected());
    expect(this.world.transacted).toHaveLength(23);
    expect(this.other.transacted).toEqual(all);
  }
}

describe('a drain of two components', () => {
  it.each<[Exchange, boolean]>([
    ['pipelined', false],
    ['reliable', false],
    ['pipelined', true],
  ])(
    'over %s: the process dies when one is stored (and tasks failed before: %s): neither is drained in the next one, which reads on',
    async (exchange, restarts) => {
      using runs = new Runs();
      const two = new Two(runs, exchange);
      let left: Two | undefined;
      const storage = two.storage(async (store) => {
        await runs.sleep(20);
        left ??= two.die();
        await store();
      });
      const run = two.start(storage);
      await runs.wait(12);
      if (restarts) insideOf(run).controls.failTask(insideOf(run).shape.graph.vertexAt(0, 0));
      await runs.wait(6);
      await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
      await runs.until(run.result);
      expect(recordsIn(two.world.transacted)).toBeLessThan(count);
      const next = left as unknown as Two;
      const again = next.start();
      const events = eventsOf(again);
      await runs.until(again.result);
      next.expectAll();
      expect(events.filter(({ type }) => type === 'checkpoint.restored').length).toBeGreaterThan(1);
    },
  );

  it.each<Exchange>(['pipelined', 'reliable'])(
    'over %s: DA2 the storage refuses one of them: neither ends, and both read on',
    async (exchange) => {
      using runs = new Runs();
      const two = new Two(runs, exchange);
      let refused = 0;
      const storage = two.storage(() => {
        refused++;
        return Promise.reject(new Error('disk full'));
      });
      const run = two.start(storage);
      const events = eventsOf(run);
      await runs.wait(18);
      const failure = await runs.until(failureOf(run.stopWithSavepoint(runs.path('savepoint'), { drain: true })));
      expect(failure).toMatchObject({ code: 'SAVEPOINT_FAILED', reason: 'storing' });
      expect(failure.message).toContain('disk full');
      await runs.until(run.result);
      expect(refused).toBe(1);
      two.expectAll();
      const reasons = events.flatMap((event) => (event.type === 'checkpoint.failed' ? [event.reason] : []));
      expect(reasons.filter((reason) => reason === 'storing')).toHaveLength(2);
    },
  );

  it('RE5: the storage stores one of them too late, nothing can be removed, and the process dies: the next one reads on', async () => {
    using runs = new Runs();
    const two = new Two(runs);
    let left: Two | undefined;
    const storage = two.storage(async (store) => {
      await store();
      await runs.sleep(3_000);
    }, readOnly);
    const run = two.start(storage, 1_000);
    run.events$.subscribe((event) => {
      if (event.type === 'checkpoint.failed') runs.environment.clock.setImmediate(() => (left ??= two.die()));
    });
    await runs.wait(18);
    const stopping = run.stopWithSavepoint(runs.path('savepoint'), { drain: true });
    expect(await runs.until(failureOf(stopping))).toMatchObject({ code: 'SAVEPOINT_FAILED' });
    await runs.until(run.result);
    two.expectAll();
    const next = left as unknown as Two;
    await runs.until(next.start().result);
    next.expectAll();
  });

  it.each([
    ['one', 'others'],
    ['none', ''],
  ])(
    'CK3: the run is stopped while %s is stored, and nothing can be removed: the savepoint fails, and the next run reads on',
    async (_, slowed) => {
      using runs = new Runs();
      const two = new Two(runs);
      let isStoring: () => void = () => {};
      const storing = new Promise<void>((resolve) => {
        isStoring = resolve;
      });
      const slow = async (store: () => Promise<void>): Promise<void> => {
        isStoring();
        await runs.sleep(40);
        await store();
      };
      const storage = two.storage(slow, readOnly, slowed);
      const run = two.start(storage);
      await runs.wait(18);
      const failed = failureOf(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
      await runs.until(storing);
      await runs.until(run.stop());
      expect(await runs.until(failed)).toMatchObject({ code: 'SAVEPOINT_FAILED', reason: 'stopped' });
      await runs.wait(100);
      await runs.until(two.start().result);
      two.expectAll();
    },
  );
});
