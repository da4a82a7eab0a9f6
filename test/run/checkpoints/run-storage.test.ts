import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, Job, memoryCheckpoints } from '../../../src/index.ts';
import { RunStorage } from '../../../src/run/checkpoints/run-storage.ts';
import { tickingSource } from '../../support/ticking-source.ts';

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
  await turns();
  expect(await storage.lastNumber(scope)).toBeUndefined();
  go();
  await slow;
  expect(await storage.lastNumber(scope)).toBe(1);
  await removed;
  expect(await storage.lastNumber(scope)).toBeUndefined();
});

it('a scope that is removed stays removed: a write that never ends does not keep what others wrote', async () => {
  const storage = new RunStorage(memoryCheckpoints());
  const goOn: (() => void)[] = [];
  const slow = (name: string) =>
    storage.write(
      { scope, checkpoint: 1 as never, name },
      (async function* () {
        await new Promise<void>((resolve) => goOn.push(resolve));
        yield Uint8Array.of(1);
      })(),
    );
  const writes = [slow('soon'), slow('later'), slow('never')];
  void storage.remove(scope);
  for (const at of [0, 1]) {
    await turns();
    goOn[at]?.();
    await writes[at];
    expect(await storage.lastNumber(scope)).toBe(1);
    await turns();
    expect(await storage.lastNumber(scope)).toBeUndefined();
  }
});

it('a scope that is removed stays removed: what is written while the others are removed', async () => {
  const inner = memoryCheckpoints();
  const goOn: (() => void)[] = [];
  const gate = (): Promise<void> => new Promise((resolve) => goOn.push(resolve));
  const storage = new RunStorage({
    description: inner.description,
    address: inner.address,
    write: async (...given) => {
      await gate();
      return await inner.write(...given);
    },
    read: (location) => inner.read(location),
    readChunk: (location, offset) => inner.readChunk(location, offset),
    commit: (given) => inner.commit(given),
    find: (of) => inner.find(of),
    lastNumber: (of) => inner.lastNumber(of),
    discard: (of, checkpoint) => inner.discard(of, checkpoint),
    sweep: (of, before) => inner.sweep(of, before),
    // It has listed what is there before it answers.
    remove: async (of) => {
      await inner.remove(of);
      await gate();
    },
  });
  const write = storage.write({ scope, checkpoint: 1 as never, name: 'late' }, [Uint8Array.of(1)]);
  const removed = storage.remove(scope);
  await turns();
  goOn[0]?.();
  await write;
  for (let at = 1; at < 3; at++) {
    goOn[at]?.();
    await turns();
  }
  await removed;
  expect(await storage.lastNumber(scope)).toBeUndefined();
});

it('at the end of its run each of its scopes is given up, and no other', async () => {
  const given: string[] = [];
  const storage = Object.assign(memoryCheckpoints(), { giveUp: (of: string) => void given.push(of) });
  await storage.commit({ ...manifest, scope: 'of another run' });
  const own = new RunStorage(storage);
  await own.commit(manifest);
  await own.lastNumber('read');
  own.close();
  expect(given).toEqual([scope, 'read']);
  new RunStorage(memoryCheckpoints()).close();
  storage.giveUp = () => {
    throw new Error('odd');
  };
  expect(() => own.close()).not.toThrow();
});

it.each([undefined, 'a state directory'])('a run that ends gives up its scopes, with %s', async (durable) => {
  const given: string[] = [];
  const storage = Object.assign(memoryCheckpoints(), { giveUp: (of: string) => void given.push(of) });
  const job = Job.create('numbers', { mode: 'streaming' });
  job.source('numbers', tickingSource(40, 1)).sink('out', collect());
  const stateDirectory = durable && mkdtempSync(join(tmpdir(), 'kintsugi-giving-'));
  try {
    await job.run({ stateDirectory, checkpoints: { intervalMs: 5, storage } }).result;
  } finally {
    if (stateDirectory !== undefined) rmSync(stateDirectory, { recursive: true });
  }
  expect(given).toEqual([expect.stringMatching(/^numbers\./)]);
});

it('nor does a run whose end cannot be recorded keep them', async () => {
  const given: string[] = [];
  const storage = Object.assign(memoryCheckpoints(), { giveUp: (of: string) => void given.push(of) });
  const job = Job.create('numbers', { mode: 'streaming' });
  job.source('numbers', tickingSource(40, 1)).sink('out', collect());
  const stateDirectory = mkdtempSync(join(tmpdir(), 'kintsugi-giving-'));
  const run = job.run({ stateDirectory, checkpoints: { intervalMs: 5, storage } });
  run.events$.subscribe((event) => {
    if (event.type === 'job.statusChanged' && event.status === 'finished') rmSync(stateDirectory, { recursive: true });
  });
  await expect(run.result).rejects.toMatchObject({ code: 'END_NOT_RECORDED' });
  expect(given).toEqual([expect.stringMatching(/^numbers\./)]);
});

/** Lets whatever does not wait for the test go on. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await Promise.resolve();
}
