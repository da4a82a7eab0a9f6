import { memoryCheckpoints } from '../../../src/index.ts';
import { RunStorage } from '../../../src/run/checkpoints/run-storage.ts';

const scope = 'job.run.head';

const manifest = { scope, checkpoint: 1 as never, completedEpochMs: 0, pieces: [], content: {} };

it('a scope that is removed stays removed: nothing more is written', async () => {
  const storage = new RunStorage(memoryCheckpoints());
  await storage.commit(manifest);
  await storage.remove(scope);
  const refused = await Promise.allSettled([
    storage.commit({ ...manifest, checkpoint: 2 as never }),
    storage.write({ scope, checkpoint: 3 as never, name: 'late' }, [Uint8Array.of(1)]),
  ]);
  for (const one of refused) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'CHECKPOINT_STORAGE' } });
  expect(await storage.lastNumber(scope)).toBeUndefined();
});

it('a scope that is removed stays removed: what was still being written is removed once it is there', async () => {
  const storage = new RunStorage(memoryCheckpoints());
  const piece = (name: string) => ({ scope, checkpoint: 1 as never, name });
  await storage.write(piece('written'), [Uint8Array.of(1)]);
  let go = (): void => {};
  const slow = storage.write(
    piece('slow'),
    (async function* () {
      await new Promise<void>((resolve) => (go = resolve));
      yield Uint8Array.of(2);
    })(),
  );
  const removed = storage.remove(scope);
  // What exists is removed, although a write never ends.
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  expect(await storage.lastNumber(scope)).toBeUndefined();
  go();
  await slow;
  expect(await storage.lastNumber(scope)).toBe(1);
  await removed;
  expect(await storage.lastNumber(scope)).toBeUndefined();
});
