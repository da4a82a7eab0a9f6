import type { FoundCheckpoint } from '../../../src/checkpoints/checkpoint-storage.ts';
import { DiskCheckpointFiles } from '../../../src/partitions/checkpoints/disk-checkpoint-files.ts';
import { type SeededRandom, seededRandom } from '../../../src/testing/seeded-random.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';
import { draws } from '../../support/draws.ts';
import { bytesOf, type CheckpointRig, complete, found, id, numbers, rigOf } from './checkpoint-rigs.ts';

const onDisk = (disk: MemoryJournalStorage): CheckpointRig => rigOf(() => new DiskCheckpointFiles(disk));

/** Completes checkpoints and discards old ones until the process dies. Returns the newest one that was reported complete. */
async function runUntilDeath({ storage }: CheckpointRig, first: number, retained: number): Promise<number | undefined> {
  let newest: number | undefined;
  const kept: Awaited<ReturnType<typeof complete>>[] = [];
  try {
    for (let number = first; number < first + 20; number++) {
      // Every third one writes all of its state, the others refer to that of the one before.
      const earlier = number % 3 === 0 ? [] : (kept.at(-1)?.pieces ?? []);
      kept.push(await complete(storage, number, `state of ${number}`, { earlier: [...earlier] }));
      newest = number;
      while (kept.length > retained) await storage.discard('run', id(kept.shift()?.checkpoint as number));
    }
  } catch {
    // It died.
  }
  return newest;
}

/** Reads every byte of what is complete. */
async function readAll({ storage }: CheckpointRig, all: readonly FoundCheckpoint[]): Promise<void> {
  for (const one of all) {
    if (one.kind === 'damaged') continue;
    for (const { location } of one.manifest.pieces) {
      const number = Number(location.slice(4, 14));
      expect(await storage.read(location)).toEqual(bytesOf(`state of ${number}`));
    }
  }
}

/** What becomes of a disk when the process or the machine dies. */
function survivorOf(disk: MemoryJournalStorage, random: SeededRandom): MemoryJournalStorage {
  return random.chance(0.3) ? disk.afterKill() : disk.afterPowerLoss(random, { holes: random.chance(0.5) });
}

describe('checkpoints on a disk that loses power', () => {
  it('CS1, CS2: the newest complete checkpoint is there whenever the process or the machine dies, and nothing else stays', async () => {
    for (let seed = 0; seed < draws(60, 150); seed++) {
      const random = seededRandom(seed);
      const retained = random.integer(1, 3);
      let disk = new MemoryJournalStorage();
      let newest: number | undefined;
      for (let life = 0; life < 3; life++) {
        disk.killAfter(random.integer(1, 120), random);
        const { storage } = onDisk(disk);
        const first = ((await storage.lastNumber('run').catch(() => undefined)) ?? 0) + 1;
        newest = (await runUntilDeath(onDisk(disk), first, retained)) ?? newest;
        disk = survivorOf(disk, random);
        const rig = onDisk(disk);
        const all = await found(rig.storage);
        const complete = (await numbers(rig.storage)).filter((number) => number > 0);
        if (newest !== undefined)
          expect({ seed, newest: (complete[0] ?? 0) >= newest }).toEqual({ seed, newest: true });
        await readAll(rig, all);
        await rig.storage.sweep('run', id(1_000));
        const referredTo = (await found(rig.storage)).flatMap((one) =>
          one.kind === 'complete'
            ? [one.manifest.checkpoint, ...one.manifest.pieces.map(({ location }) => location)]
            : [],
        );
        expect(disk.list()).toHaveLength(new Set(referredTo).size);
      }
    }
  });

  it('rejects, and leaves the checkpoint before, when the disk is full or does not sync', async () => {
    const disk = new MemoryJournalStorage();
    const { storage } = onDisk(disk);
    await complete(storage, 1, 'small');
    disk.capacityBytes = 500;
    await expect(complete(storage, 2, 'large'.repeat(100))).rejects.toMatchObject({
      code: 'CHECKPOINT_STORAGE',
      operation: 'write',
      message: expect.stringContaining('ENOSPC') as string,
    });
    disk.capacityBytes = 1e6;
    disk.failingSyncs = 1;
    await expect(complete(storage, 2, 'again')).rejects.toMatchObject({ code: 'CHECKPOINT_STORAGE' });
    expect(await numbers(storage)).toEqual([1]);
    expect(disk.list()).toHaveLength(2);
    await complete(storage, 2, 'again');
    expect(await numbers(storage)).toEqual([2, 1]);
  });
});
