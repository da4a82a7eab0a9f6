import { type CheckpointStorage, fileCheckpoints, forEach, Job } from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { tickingSource } from '../support/abandoned-run.ts';
import { failureOf, Runs } from '../support/savepoint-runs.ts';
import { storageOver } from '../support/storage-over.ts';

const streamCount = 20;
const cancellationTimeoutMs = 1_000;

/** Streams that nothing connects. */
function streamsOf(): Job {
  const job = Job.create('streams', { mode: 'streaming' });
  for (let stream = 0; stream < streamCount; stream++) {
    job
      .source(`ticks-${stream}`, tickingSource(400), { version: 1 })
      .sink(
        `out-${stream}`,
        forEach(() => {}),
        { version: 1 },
      );
  }
  return job;
}

const never = (): Promise<never> => new Promise(() => {});

describe('a storage that never answers a removal', () => {
  it.each([
    ['with a state directory, when it begins and when it ends', 'state'],
    ['without one, when it ends', undefined],
  ])('holds up a run of many streams for one limit: %s', async (_, state) => {
    using runs = new Runs();
    const files = fileCheckpoints(runs.path('checkpoints'));
    const stateDirectory = state && runs.path(state);
    const optionsOf = (storage: CheckpointStorage) => ({
      ...{ stateDirectory, cancellationTimeoutMs },
      checkpoints: { intervalMs: 5, storage },
    });
    const first = runs.start(streamsOf(), optionsOf(files));
    await runs.wait(20);
    await runs.until(first.cancel());
    await failureOf(first.result);

    const silent = storageOver(files, { sweep: never, remove: never });
    const environment = virtualEnvironment({ seed: 1 });
    const beganMs = environment.clock.now();
    const second = streamsOf().run({ ...optionsOf(silent), environment });
    const times: number[] = [];
    second.events$.subscribe((event) => void (event.type === 'task.stateChanged' && event.state === 'running' && times.push(event.atMs)));
    await environment.drive(second.result);
    const endedMs = environment.clock.now();
    expect(Math.min(...times) - beganMs).toBeLessThan(2 * cancellationTimeoutMs);
    expect(endedMs - Math.max(...times)).toBeLessThan(2 * cancellationTimeoutMs);
  });
});
