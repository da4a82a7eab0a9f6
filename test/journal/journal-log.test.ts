import fc from 'fast-check';
import { JournalAccessError, JournalFormatError } from '../../src/errors/journal-errors.ts';
import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import { type JournalLog, type OpenedLog, openLog, readLog, recordBytes } from '../../src/journal/journal-log.ts';
import type { JournalFile, JournalStorage } from '../../src/journal/journal-storage.ts';
import { encodeRecords } from '../../src/journal/record-header.ts';
import { MemoryJournalStorage } from '../support/memory-journal-storage.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { draws } from '../support/draws.ts';
import { format, numbered, numberOf, payloads } from './drawn-log.ts';
import { journalStorages } from './journal-storages.ts';

const [first, second, third] = [Uint8Array.of(1, 1), Uint8Array.of(2, 2), Uint8Array.of(3, 3)];
const open = (storage: JournalStorage): OpenedLog => openLog(storage, 'log', format);
const held = (storage: JournalStorage): number[][] => open(storage).payloads.map((payload) => [...payload]);

/** Counts the syncs of files and lets them fail. */
class SyncWatch {
  syncs = 0;
  failure: Error | undefined;

  watch(storage: JournalStorage): JournalStorage {
    const watched = (file: JournalFile): JournalFile => ({
      ...file,
      sync: async () => {
        this.syncs++;
        await file.sync();
        if (this.failure !== undefined) throw this.failure;
      },
    });
    return new Proxy(storage, {
      get: (target, key) =>
        key === 'open'
          ? (name: string) => watched(target.open(name))
          : (target[key as never] as () => void).bind(target),
    });
  }
}

describe.each(journalStorages)('a log, in %s', (_, make) => {
  it('has its records when it is opened again, and continues', async () => {
    const storage = make();
    const { log, payloads, losses } = open(storage);
    expect([payloads, losses]).toEqual([[], []]);
    expect(log.append(first)).toBe(0);
    expect(log.appendAll([second, third])).toBe(recordBytes(2));
    expect(log.size).toBe(3 * recordBytes(2));
    await log.sync();
    await log.close();
    const again = open(storage);
    expect(again.losses).toEqual([]);
    again.log.append(first);
    expect(held(storage)).toEqual([[...first], [...second], [...third], [...first]]);
  });

  it('is cut at a torn end, says so, and continues from there', () => {
    const storage = make();
    const file = storage.open('log');
    file.write(0, encodeRecords(format, [first, new Uint8Array(100)], 0).subarray(0, -1));
    storage.open('log.next').write(0, Buffer.from('remains of a compaction'));
    const { log, losses } = open(storage);
    expect(losses).toEqual([
      expect.objectContaining({ kind: 'torn', file: storage.pathOf('log'), offset: recordBytes(2) }),
    ]);
    log.append(third);
    expect(open(storage)).toMatchObject({ payloads: [first, third], losses: [] });
    expect(storage.list()).toEqual(['log']);
  });

  it('can be read while its owner writes it: what is torn and left of a compaction stays', () => {
    const storage = make();
    expect(readLog(storage, 'log', format)).toEqual([]);
    expect(storage.list()).toEqual([]);
    const bytes = encodeRecords(format, [first, new Uint8Array(100)], 0).subarray(0, -1);
    storage.open('log').write(0, bytes);
    storage.open('log.next').write(0, Buffer.from('a compaction under way'));
    expect(readLog(storage, 'log', format)).toEqual([first]);
    expect(storage.open('log').size()).toBe(bytes.length);
    expect(storage.list().sort()).toEqual(['log', 'log.next']);
  });

  it('is refused in an unknown version, and left unchanged', () => {
    const storage = make();
    const bytes = encodeRecords({ kind: 'TEST', version: 9 }, [first], 0);
    storage.open('log').write(0, bytes);
    expect(thrownBy(() => open(storage))).toBeInstanceOf(JournalFormatError);
    expect(Buffer.from(storage.open('log').read(0, 1_000))).toEqual(Buffer.from(bytes));
  });

  it('is read in every version from the oldest readable one on, and goes on in the newest', async () => {
    const storage = make();
    const readable = { ...format, version: 9, oldestVersion: 8 };
    storage.open('log').write(0, encodeRecords({ kind: 'TEST', version: 8 }, [first], 0));
    const { log, payloads } = openLog(storage, 'log', readable);
    log.append(second);
    await log.close();
    expect(payloads).toEqual([first]);
    expect(readLog(storage, 'log', readable)).toEqual([first, second]);
    expect(thrownBy(() => readLog(storage, 'log', { ...format, version: 8 }))).toBeInstanceOf(JournalFormatError);
    expect(thrownBy(() => readLog(storage, 'log', { ...readable, oldestVersion: 9 }))).toBeInstanceOf(
      JournalFormatError,
    );
  });

  it('is compacted, keeps appends made meanwhile, and can be compacted again', async () => {
    const storage = make();
    const { log } = open(storage);
    log.appendAll([first, first]);
    const compacted = log.replaceWith([second]);
    log.append(third);
    await log.sync();
    await compacted;
    log.append(first);
    await log.close();
    expect(held(storage)).toEqual([[...second], [...third], [...first]]);
    expect(storage.list()).toEqual(['log']);
    const again = open(storage).log;
    await again.replaceWith([third]);
    await again.close();
    expect(held(storage)).toEqual([[...third]]);
  });

  it('keeps its records when it is closed, and refuses further calls', async () => {
    const storage = make();
    const { log } = open(storage);
    log.append(first);
    void log.sync();
    await Promise.all([log.close(), log.close()]);
    expect(thrownBy(() => log.append(second))).toBeInstanceOf(IllegalStateError);
    await expect(log.sync()).rejects.toThrow(IllegalStateError);
    expect(held(storage)).toEqual([[...first]]);
  });
});

it('JL1: an append that does not fit on the disk leaves nothing, and the error has the remedy', () => {
  const storage = new MemoryJournalStorage();
  const { log } = open(storage);
  log.append(first);
  storage.capacityBytes = 2.5 * recordBytes(2);
  const error = thrownBy(() => log.appendAll([second, third]));
  expect(error).toBeInstanceOf(JournalAccessError);
  expect(error).toMatchObject({
    message: 'Cannot append to memory/log: ENOSPC: no space left on device. Free space on its disk, and run again',
    file: 'memory/log',
  });
  expect(storage.contentOf('log')).toHaveLength(recordBytes(2));
  log.append(second);
  expect(held(storage)).toEqual([[...first], [...second]]);
});

it('JL2: syncs requested at the same time share one, which covers all earlier appends', async () => {
  const watch = new SyncWatch();
  const storage = new MemoryJournalStorage();
  const { log } = openLog(watch.watch(storage), 'log', format);
  const syncs = Array.from({ length: 100 }, () => {
    log.append(first);
    return log.sync();
  });
  await Promise.all(syncs);
  expect(watch.syncs).toBe(1);
  await log.sync();
  expect(watch.syncs).toBe(1);
  expect(held(storage.afterPowerLoss(seededRandom(1)))).toHaveLength(100);
});

it('JL3: nothing is reported as synced before the new name of its file is', async () => {
  const waiting: { readonly what: string; readonly go: () => void }[] = [];
  const hand = (what: string): Promise<void> => new Promise((go) => waiting.push({ what, go }));
  const memory = new MemoryJournalStorage();
  const watched = (name: string, file: JournalFile): JournalFile => ({
    ...file,
    sync: () => hand(name).then(() => file.sync()),
  });
  const storage = new Proxy<JournalStorage>(memory, {
    get: (target, key) => {
      if (key === 'open') return (name: string) => watched(name, memory.open(name));
      if (key === 'syncDirectory') return () => hand('directory').then(() => memory.syncDirectory());
      return (target[key as never] as () => void).bind(target);
    },
  });
  const settled = async (): Promise<void> => {
    for (let hop = 0; hop < 20; hop++) await Promise.resolve();
  };
  const go = async (what: string): Promise<void> => {
    await settled();
    const at = waiting.findIndex((one) => one.what === what);
    if (at >= 0) waiting.splice(at, 1)[0]?.go();
    await settled();
  };
  const { log } = openLog(storage, 'log', format);
  log.append(first);
  const begun = log.sync();
  await go('log');
  await go('directory');
  await begun;
  // While one sync is under way, and the next one waits for it, the log gets a new file.
  log.append(first);
  void log.sync();
  await settled();
  log.append(first);
  const replaced = log.replaceWith([second]);
  void log.sync();
  await go('log.next');
  log.append(third);
  let isSynced = false;
  const synced = log.sync().then(() => (isSynced = true));
  await go('log');
  await go('log.next');
  await go('log.next');
  expect([isSynced, waiting.map(({ what }) => what)]).toEqual([false, ['directory']]);
  expect(held(memory.afterPowerLoss(seededRandom(1)))).not.toContainEqual([...third]);
  await go('directory');
  await go('log.next');
  await Promise.all([replaced, synced]);
  expect(held(memory.afterPowerLoss(seededRandom(1)))).toEqual([[...second], [...third]]);
});

it('JL4: after a failed sync, it neither accepts nor syncs anything', async () => {
  const watch = new SyncWatch();
  const { log } = openLog(watch.watch(new MemoryJournalStorage()), 'log', format);
  log.append(first);
  watch.failure = new Error('EIO: i/o error');
  const message = 'Cannot sync memory/log: EIO: i/o error. Check its disk and directory, and run again';
  await expect(log.sync()).rejects.toThrow(message);
  watch.failure = undefined;
  await expect(log.sync()).rejects.toThrow(message);
  expect(() => log.append(second)).toThrow(message);
});

it('a failed compaction leaves the log unchanged, without remains', async () => {
  const storage = new MemoryJournalStorage();
  const { log } = open(storage);
  log.append(first);
  storage.capacityBytes = 2.5 * recordBytes(2);
  await expect(log.replaceWith([second, third])).rejects.toThrow('Cannot replace memory/log: ENOSPC');
  log.append(second);
  expect(held(storage)).toEqual([[...first], [...second]]);
  expect(storage.list()).toEqual(['log']);
});

/** What a drawn owner of a log does. */
type Step =
  | { readonly kind: 'append'; readonly payloads: readonly Uint8Array[] }
  | { readonly kind: 'sync' | 'compact' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        payloads: fc.array(payloads, { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('sync' as const, 'compact' as const) }) },
  ),
  { minLength: 1, maxLength: 25 },
);

/** An owner that numbers its records, compacts by dropping every other one, and knows which appends were confirmed. */
class Owner {
  /** Numbers that were appended and not dropped, in order. */
  appended: number[] = [];
  /** Numbers of an append that threw. */
  unsure: number[] = [];
  synced: number[] = [];
  dropped = new Set<number>();
  #next = 0;

  async run(log: JournalLog, plan: readonly Step[]): Promise<void> {
    const inFlight: Promise<unknown>[] = [];
    for (const step of plan) {
      try {
        if (step.kind === 'append') this.#append(log, step.payloads);
        else inFlight.push(step.kind === 'sync' ? this.#sync(log) : this.#compact(log));
      } catch {
        break;
      }
      // Half of the syncs are under way while the next step runs.
      if (this.#next % 2 === 0) await inFlight.at(-1);
    }
    await Promise.all(inFlight);
  }

  #append(log: JournalLog, drawn: readonly Uint8Array[]): void {
    const batch = drawn.map((payload) => [this.#next++, payload] as const);
    this.unsure = batch.map(([number]) => number);
    log.appendAll(batch.map(([number, payload]) => numbered(number, payload)));
    this.appended.push(...this.unsure);
    this.unsure = [];
  }

  async #sync(log: JournalLog): Promise<void> {
    const appended = [...this.appended];
    await log.sync().then(
      () => (this.synced = appended),
      () => {},
    );
  }

  async #compact(log: JournalLog): Promise<void> {
    const kept = this.appended.filter((_, index) => index % 2 === 0);
    const before = [...this.appended];
    const compacted = log.replaceWith(kept.map((number) => numbered(number, Uint8Array.of(number)))).catch(() => {});
    for (const number of before) if (!kept.includes(number)) this.dropped.add(number);
    await compacted;
  }

  /** What is wrong with what a successor finds. */
  faultsIn(found: readonly number[], promised: readonly number[]): string[] {
    const faults: string[] = [];
    const isInOrder = found.every((number, index) => index === 0 || (found[index - 1] as number) < number);
    if (!isInOrder) faults.push(`not in order: ${found.join()}`);
    const known = new Set([...this.appended, ...this.unsure, ...this.dropped]);
    for (const number of found) if (!known.has(number)) faults.push(`never appended: ${number}`);
    for (const number of promised) {
      if (!found.includes(number) && !this.dropped.has(number)) faults.push(`lost: ${number}`);
    }
    return faults;
  }
}

const numbersIn = (storage: JournalStorage): number[] => open(storage).payloads.map(numberOf);

describe('whenever its process dies', () => {
  it('JL3: a log has everything appended before, and perhaps the beginning of the last append', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(60), fc.nat(), async (plan, operations, seed) => {
        const storage = new MemoryJournalStorage();
        const { log } = open(storage);
        storage.killAfter(operations, seededRandom(seed));
        const owner = new Owner();
        await owner.run(log, plan);
        const found = numbersIn(storage.afterKill());
        expect(owner.faultsIn(found, owner.appended)).toEqual([]);
      }),
      { numRuns: draws(200, 500) },
    );
  });
});

describe.each([
  ['in order', false],
  ['in any order', true],
])('whenever the power is lost, with blocks written %s', (_, holes) => {
  it('JL3: a log has everything synced before, and otherwise only appended records', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(60), fc.nat(), async (plan, operations, seed) => {
        const random = seededRandom(seed);
        const storage = new MemoryJournalStorage();
        const { log } = open(storage);
        storage.killAfter(operations, random);
        const owner = new Owner();
        await owner.run(log, plan);
        const found = numbersIn(storage.afterPowerLoss(random, { holes }));
        expect(owner.faultsIn(found, owner.synced)).toEqual([]);
        if (holes) return;
        // Without a hole, and without what a compaction drops, what is there is a prefix.
        const known = [...owner.appended, ...owner.unsure].filter((number) => !owner.dropped.has(number));
        const kept = found.filter((number) => !owner.dropped.has(number));
        expect(kept).toEqual(known.slice(0, kept.length));
      }),
      { numRuns: draws(400, 1_000) },
    );
  });
});
