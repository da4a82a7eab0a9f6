import { virtualEnvironment } from '../../src/testing/index.ts';
import type { CheckpointId } from '../../src/ids.ts';
import { checkpointMoments, Moments, OwnTimers } from '../../src/testing/checkpoints/moments.ts';
import { SimulatedStorage } from '../../src/testing/checkpoints/simulated-storage.ts';
import { StoredFilesRule } from '../../src/testing/checkpoints/stored-files.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';

const settings = {
  intervalMs: 5,
  timeoutMs: 1_000,
  minPauseMs: 0,
  maxConcurrent: 1,
  retained: 2,
  tolerableFailures: 0,
};
/** Those that are retained; and of one under way, and one being removed, the checkpoint itself and the one before. */
const most = 2 + 2 + 2;

/** A storage in which the checkpoints of a component complete, one after the other. */
class History {
  readonly #simulated = new SimulatedStorage({
    ...{
      timers: new OwnTimers(virtualEnvironment({ seed: 0 }).clock),
      random: seededRandom(0),
      moments: new Moments(),
    },
    ...{ latencyMs: 0, slowMs: 0, isShared: false, stuck: () => {} },
  });
  readonly rule = new StoredFilesRule(this.#simulated, settings as never);
  #last = 0;

  async complete(count: number, kept: number, scope = 'run.a'): Promise<void> {
    const { storage } = this.#simulated;
    for (const end = this.#last + count; this.#last < end; ) {
      const checkpoint = ++this.#last as CheckpointId;
      const { location, bytes, crc } = await storage.write({ scope, checkpoint, name: 'a.0' }, [Uint8Array.of(1)]);
      const pieces = [{ location, bytes, crc }];
      await storage.commit({ scope, checkpoint, completedEpochMs: 0, pieces, content: {} });
      this.rule.completed();
      if (checkpoint > kept) await storage.discard(scope, (checkpoint - kept) as CheckpointId);
    }
  }

  async remove(scope = 'run.a'): Promise<void> {
    await this.#simulated.storage.remove(scope);
  }
}

describe('K8: the files of checkpoints', () => {
  it('are fine if those that are superfluous go, and all do when the run has ended', async () => {
    const history = new History();
    await history.complete(20, settings.retained);
    await history.complete(20, settings.retained, 'run.b');
    await history.remove();
    await history.remove('run.b');
    expect(history.rule.violations([])).toEqual([]);
  });

  it(`pile up if more than ${most} of a component are there when one completes, and although they go in the end`, async () => {
    const history = new History();
    await history.complete(most, Infinity);
    expect(history.rule.violations([]).filter((told) => !told.includes('left'))).toEqual([]);
    await history.complete(1, Infinity);
    await history.remove();
    expect(history.rule.violations([])).toEqual([
      `K8: ${most + 1} checkpoints of a component were in the storage, not ${most}`,
    ]);
  });

  it('are left: each is named', async () => {
    const history = new History();
    await history.complete(1, settings.retained);
    await history.complete(1, settings.retained, 'run.b');
    await history.remove('run.b');
    expect(
      history.rule.violations([
        { moment: checkpointMoments.write, effect: 'is torn' },
        { moment: checkpointMoments.remove, effect: 'is slow' },
      ]),
    ).toEqual([
      'K8: it left run.a/0000000001-a.0.state in the storage',
      'K8: it left run.a/0000000001.manifest in the storage',
    ]);
  });

  it.each([
    { moment: checkpointMoments.list, effect: 'fails' },
    { moment: checkpointMoments.remove, effect: 'fails' },
    { moment: checkpointMoments.read, effect: 'never ends' },
  ] as const)('may stay where the storage keeps them: $moment $effect', async (fault) => {
    const history = new History();
    await history.complete(20, Infinity);
    expect(history.rule.violations([fault])).toEqual([]);
  });
});
