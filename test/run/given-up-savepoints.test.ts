import { planJob } from '../../src/api/job-planner.ts';
import type { CheckpointId } from '../../src/ids.ts';
import { Job, type JobRun, type Sink } from '../../src/index.ts';
import { runJob } from '../../src/run/run-job.ts';
import type { SavepointPlaces } from '../../src/run/savepoints/open-savepoint.ts';
import {
  checkpointMoments,
  type CheckpointMoment,
  Moments,
  OwnTimers,
  type StorageEffect,
} from '../../src/testing/checkpoints/moments.ts';
import { SimulatedStorage } from '../../src/testing/checkpoints/simulated-storage.ts';
import { seededRandom, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';
import { tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';
import { failureOf } from '../support/runs.ts';

const timeoutMs = 20;
const slowMs = 50;
const count = 400;

/** @param bytes of the state of each key: if there are many, states do not travel in messages */
function counting(sink: Sink<number>, bytes: number): Job {
  const job = Job.create('counting', { mode: 'streaming', parallelism: 2 });
  job
    .source('ticks', tickingSource(count), { version: 1, parallelism: 1 })
    .keyBy((n) => n % 23)
    .process<{ large: string }, number>(
      {
        onRecord: (n, context, emit) => {
          context.set({ large: 'x'.repeat(bytes) });
          emit(n);
        },
      },
      { uid: 'count' },
    )
    .sink('out', sink, { version: 1 });
  return job;
}

/** A storage in memory, of which operations go wrong: all of a moment, or all after the first few. */
function storageOf(
  { clock }: VirtualEnvironment,
  ...faults: (readonly [moment: CheckpointMoment, effect: StorageEffect, after?: number])[]
): SimulatedStorage {
  const moments = new Moments();
  const times = Array.from({ length: 100 }, (_, time) => time);
  moments.arm(
    faults.flatMap(([moment, effect, after = 0]) =>
      times.map((time) => ({ moment, effect, skip: after + time, vertex: 'count', subtask: 0 })),
    ),
  );
  const timers = new OwnTimers(clock);
  const random = seededRandom(1);
  return new SimulatedStorage({ timers, random, moments, isShared: true, stuck: () => {}, latencyMs: 0, slowMs });
}

/** One place in memory. */
class Place implements SavepointPlaces {
  readonly holdsTime = false;
  readonly stored: SimulatedStorage;
  isClaimed = false;

  constructor(stored: SimulatedStorage) {
    this.stored = stored;
  }

  readonly open = () => this.stored.storage;
  readonly remove = (): void => this.stored.clear();
  readonly claim = () => {
    this.isClaimed = true;
    return (): void => void (this.isClaimed = false);
  };

  /** What is there. */
  get left(): readonly unknown[] {
    return [...this.stored.files, ...(this.isClaimed ? ['a claim'] : [])];
  }
}

describe('a savepoint that is given up', () => {
  let environment: VirtualEnvironment;
  let world: World<number>;
  beforeEach(() => {
    environment = virtualEnvironment({ seed: 1 });
    world = new World();
  });

  const start = (
    place: Place,
    { storage = storageOf(environment), sink = transactionalSink(world), bytes = 10_000 } = {},
  ): JobRun =>
    runJob(
      planJob(counting(sink, bytes)),
      { environment, batchSize: 8, checkpoints: { intervalMs: 1_000_000, timeoutMs, storage: storage.storage } },
      { savepoints: place },
    );
  const wait = (ms: number): Promise<void> =>
    environment.drive(new Promise<void>((resolve) => void environment.clock.setTimeout(resolve, ms)));

  it('SV3: leaves nothing of what the storage of the run answers too late', async () => {
    const place = new Place(storageOf(environment));
    const storage = storageOf(environment, [checkpointMoments.read, 'is slow'], [checkpointMoments.remove, 'fails']);
    const run = start(place, { storage });
    await wait(5);
    const error = await environment.drive(failureOf(run.savepoint('there')));
    expect(error).toMatchObject({ code: 'SAVEPOINT_FAILED', reason: 'storing' });
    expect(place.left).toEqual([]);
    await wait(100 * slowMs);
    expect(place.left).toEqual([]);
    await environment.drive(run.result);
    expect(world.transacted.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
  });

  it('SV3: leaves nothing if its run has ended, and the storage of the run never answers', async () => {
    const place = new Place(storageOf(environment));
    const run = start(place, { storage: storageOf(environment, [checkpointMoments.read, 'never ends', 1]) });
    await wait(5);
    const taking = failureOf(run.savepoint('there'));
    await wait(5);
    expect(place.left).toEqual([expect.stringContaining('.state'), 'a claim']);
    await environment.drive(run.stop());
    expect(await environment.drive(taking)).toMatchObject({ code: 'SAVEPOINT_FAILED', reason: 'stopped' });
    await wait(1);
    expect(place.left).toEqual([]);
  });

  it('SV3: leaves no manifest of a drain that is given up while that is written', async () => {
    const place = new Place(storageOf(environment, [checkpointMoments.store, 'is slow']));
    const run = start(place);
    await wait(5);
    const error = await environment.drive(failureOf(run.stopWithSavepoint('there', { drain: true })));
    expect(error).toMatchObject({ code: 'SAVEPOINT_FAILED', reason: 'storing' });
    await wait(100 * slowMs);
    expect(place.left).toEqual([]);
    await environment.drive(run.stop());
  });

  it('SV3: has its place to itself until the copy of a sink has ended; its error does not wait for ever', async () => {
    const place = new Place(storageOf(environment));
    let copied = (): void => {};
    let copies = 0;
    const sink: Sink<number> = {
      ...transactionalSink(world),
      exportPrepared: async (prepared) => {
        copies++;
        await new Promise<void>((resolve) => (copied = resolve));
        await place.stored.storage.write({ scope: 'outputs', checkpoint: 1 as CheckpointId, name: 'out.0' }, []);
        return prepared;
      },
    };
    const run = start(place, { sink, bytes: 1 });
    await wait(5);
    const askedMs = environment.clock.now();
    const error = await environment.drive(failureOf(run.savepoint('there')));
    expect(error).toMatchObject({ code: 'SAVEPOINT_FAILED', reason: 'storing' });
    expect(environment.clock.now() - askedMs).toBeLessThan(3 * timeoutMs);
    expect(place.isClaimed).toBe(true);
    copied();
    await wait(1);
    expect(place.left).toEqual([]);
    expect(copies).toBe(1);
    await environment.drive(run.result);
    expect(world.transacted.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
  });
});
