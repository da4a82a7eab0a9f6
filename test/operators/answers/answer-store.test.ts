import fc from 'fast-check';
import { JournalFormatError } from '../../../src/errors/journal-errors.ts';
import type { AnswerStore } from '../../../src/operators/answers/answer-store.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';
import { seededRandom } from '../../../src/testing/seeded-random.ts';
import { encodeRecord } from '../../../src/journal/record-header.ts';
import type { LogBytes } from '../../../src/journal/journal-storage.ts';
import { journalStorages } from '../../journal/journal-storages.ts';
import { draws } from '../../support/draws.ts';
import { recalled, StoreRig } from './store-rig.ts';

const records = (count: number, from = 0): string[] => Array.from({ length: count }, (_, index) => `r${from + index}`);
const large = 'x'.repeat(1_000);

describe.each(journalStorages)('answers in %s', (_, make) => {
  it('are there for the next run, whatever their values', async () => {
    const rig = new StoreRig(make());
    const values = [
      undefined,
      null,
      -0,
      NaN,
      7,
      1n,
      'text',
      '\ufeffmark',
      '\ud800',
      true,
      ['a', undefined],
      { a: new Date(5), b: new Uint8Array([1]) },
      '',
    ];
    const store = await rig.open();
    const memory = rig.memory(store, { fn: (index) => values[index as number] });
    await rig.ask(memory, [...values.keys()]);
    await rig.environment.drive(store.close());
    const again = rig.memory(await rig.open());
    expect([...values.keys()].map((index) => recalled(again, index))).toEqual(values);
    expect(recalled(again, values.length)).toBeUndefined();
  });

  it('of other runs that are still running are found once they are looked for', async () => {
    const rig = new StoreRig(make());
    const [one, other] = [rig.memory(await rig.open()), rig.memory(await rig.open({ pid: 2 }))];
    await rig.ask(one, ['a']);
    expect(recalled(other, 'a')).toBeUndefined();
    await rig.pass(1_000);
    expect(recalled(other, 'a')).toBe('answer to a');
    await rig.ask(other, ['b']);
    await rig.ask(one, ['c']);
    await rig.pass(1_000);
    expect([recalled(one, 'b'), recalled(other, 'c')]).toEqual(['answer to b', 'answer to c']);
  });
});

it('AS4: an answer that was found stays as it is, whatever is read after it', async () => {
  const rig = new StoreRig();
  const memory = rig.memory(await rig.open(), { fn: (fill) => Buffer.alloc(50_000, fill as number) });
  await rig.ask(memory, [1, 2, 3]);
  const found = [1, 2, 3, 1].map((fill) => recalled(memory, fill));
  expect(found).toEqual([1, 2, 3, 1].map((fill) => Buffer.alloc(50_000, fill)));
});

it('answers are read with their neighbours, in about the order in which they were written', async () => {
  const storage = new ReadCount();
  const rig = new StoreRig(storage);
  const memory = rig.memory(await rig.open());
  const all = records(3_000);
  await rig.ask(memory, all);
  const random = seededRandom(7);
  const asked = all.map((_, index) => all[Math.min(all.length - 1, Math.max(0, index + random.integer(-16, 16)))]);
  storage.reads = 0;
  expect(asked.map((record) => recalled(memory, record))).toEqual(asked.map((record) => `answer to ${record}`));
  // About 300 kB, of which 56 KiB are new with each read.
  expect(storage.reads).toBeLessThanOrEqual(8);
});

/** Counts what is read of files. */
class ReadCount extends MemoryJournalStorage {
  reads = 0;

  override openToRead(name: string): LogBytes | undefined {
    const file = super.openToRead(name);
    if (file === undefined) return undefined;
    return {
      ...file,
      readInto: (...args) => {
        this.reads++;
        return file.readInto(...args);
      },
    };
  }
}

it('AS1: an answer is written before it is passed on: whoever dies then has remembered it', async () => {
  const storage = new MemoryJournalStorage();
  const rig = new StoreRig(storage);
  const memory = rig.memory(await rig.open());
  const afterKills: MemoryJournalStorage[] = [];
  const asked = records(10).map(
    (record) =>
      new Promise<void>((resolve) => {
        const settled = (): void => {
          afterKills.push(storage.afterKill());
          resolve();
        };
        memory.ask(memory.identify(record), record, 0, { begun: () => {}, answered: () => {}, settled });
      }),
  );
  await rig.environment.drive(Promise.all(asked));
  for (const [index, afterKill] of afterKills.entries()) {
    rig.storage = afterKill;
    expect(recalled(rig.memory(await rig.open()), `r${index}`)).toBe(`answer to r${index}`);
  }
});

it('AS2: an answer survives a power loss 50 ms after it was written', async () => {
  const storage = new MemoryJournalStorage();
  const rig = new StoreRig(storage);
  const memory = rig.memory(await rig.open());
  await rig.ask(memory, ['a']);
  const lost = Array.from({ length: 50 }, (_, seed) => storage.afterPowerLoss(seededRandom(seed)));
  await rig.pass(50);
  const kept = Array.from({ length: 50 }, (_, seed) => storage.afterPowerLoss(seededRandom(seed)));
  const found = async (storages: readonly MemoryJournalStorage[]): Promise<number> => {
    let count = 0;
    for (const after of storages) {
      rig.storage = after;
      if (recalled(rig.memory(await rig.open()), 'a') === 'answer to a') count++;
    }
    return count;
  };
  expect(await found(kept)).toBe(50);
  expect(await found(lost)).toBeLessThan(50);
});

function refuse(): never {
  throw new Error('refused');
}

describe("AS7: with sync: 'call'", () => {
  const powerLosses = (storage: MemoryJournalStorage): MemoryJournalStorage[] =>
    Array.from({ length: 20 }, (_, seed) => storage.afterPowerLoss(seededRandom(seed), { holes: seed % 2 === 0 }));

  /** After how many of these power losses an answer is there. */
  const survivalsOf = async (storages: MemoryJournalStorage[], record: string, operator = 'embed'): Promise<number> => {
    let survivals = 0;
    for (const storage of storages) {
      const rig = new StoreRig(storage);
      if (recalled(rig.memory(await rig.open(), { operator }), record) !== undefined) survivals++;
    }
    return survivals;
  };

  it('an answer is synced before it is passed on, and before others find it', async () => {
    const storage = new MemoryJournalStorage();
    const rig = new StoreRig(storage);
    const memory = rig.memory(await rig.open({ sync: 'call' }));
    const heard: { readonly record: string; readonly after: MemoryJournalStorage[] }[] = [];
    for (const record of records(3)) {
      const identity = memory.identify(record);
      memory.ask(identity, record, 0, {
        begun: () => {},
        answered: () => {},
        settled: () => heard.push({ record, after: powerLosses(storage) }),
      });
    }
    let found = 0;
    while (heard.length === 0) {
      found += records(3).filter((record) => recalled(memory, record) !== undefined).length;
      await Promise.resolve();
      rig.environment.clock.step();
    }
    expect(found).toBe(0);
    await rig.pass();
    for (const { record, after } of heard) expect(await survivalsOf(after, record)).toBe(20);
    expect(records(3).map((record) => recalled(memory, record))).toEqual(records(3).map((r) => `answer to ${r}`));
  });

  it('those of other operators in the directory do not wait', async () => {
    const storage = new MemoryJournalStorage();
    const rig = new StoreRig(storage);
    const memory = rig.memory(await rig.open({ sync: 'call' }), { operator: 'cheap' });
    let after: MemoryJournalStorage[] = [];
    const settled = (): void => void (after = powerLosses(storage));
    memory.ask(memory.identify('a'), 'a', 0, { begun: () => {}, answered: () => {}, settled });
    await rig.pass();
    expect(after).toHaveLength(20);
    expect(await survivalsOf(after, 'a', 'cheap')).toBeLessThan(20);
  });

  it('one sync serves all answers of a turn', async () => {
    const storage = new MemoryJournalStorage();
    const rig = new StoreRig(storage);
    const memory = rig.memory(await rig.open({ sync: 'call' }));
    await rig.ask(memory, ['first']);
    const before = storage.syncs;
    await rig.ask(memory, records(16));
    expect(storage.syncs - before).toBe(1);
  });

  it('an answer whose file a call that begins behind it fills is synced before it is passed on', async () => {
    const storage = new MemoryJournalStorage();
    const rig = new StoreRig(storage);
    const store = await rig.open({ sync: 'call', maxBytes: 1 << 20 });
    const memory = rig.memory(store, { fn: () => Promise.resolve(large.repeat(300)) });
    const failing = rig.memory(store, { operator: 'cheap', remembersErrors: true, fn: refuse });
    let after: MemoryJournalStorage[] = [];
    const identity = failing.identify('b');
    memory.ask(memory.identify('a'), 'a', 0, {
      begun: () => {},
      answered: () =>
        failing.ask(identity, 'b', 0, {
          begun: () => {},
          answered: () => {},
          settled: () => failing.rememberError(identity, new Error('refused')),
        }),
      settled: () => (after = powerLosses(storage)),
    });
    await rig.pass();
    expect(after).toHaveLength(20);
    expect(await survivalsOf(after, 'a')).toBe(20);
  });

  it('an answer that cannot be synced is not passed on; it is kept, and written again for who asks next', async () => {
    const storage = new MemoryJournalStorage();
    const rig = new StoreRig(storage);
    let calls = 0;
    const memory = rig.memory(await rig.open({ sync: 'call' }), { fn: () => Promise.resolve(++calls) });
    storage.failingSyncs = 1;
    expect(await rig.ask(memory, ['a'])).toMatchObject([{ kind: 'failed', error: { code: 'JOURNAL_ACCESS' } }]);
    expect(await rig.ask(memory, ['a'])).toEqual([{ kind: 'answered', answer: 1 }]);
    rig.storage = storage.afterPowerLoss(seededRandom(1));
    expect(recalled(rig.memory(await rig.open()), 'a')).toBe(1);
  });

  it.each([
    ['a run that was killed before its sync', 'killed'],
    ['another run', 'running'],
  ] as const)('the answers of %s are synced before they are found', async (_, other) => {
    const storage = new MemoryJournalStorage();
    const rig = new StoreRig(storage);
    const early = other === 'running' ? rig.memory(await rig.open({ sync: 'call' })) : undefined;
    const writer = rig.memory(await rig.open({ pid: 2 }));
    await rig.pass(1_000);
    await rig.ask(writer, ['a']);
    expect(await survivalsOf(powerLosses(storage), 'a')).toBeLessThan(20);
    const memory = early ?? rig.memory(await rig.open({ sync: 'call' }));
    // It looks for answers of others now.
    recalled(memory, 'a');
    for (let hop = 0; hop < 20 && recalled(memory, 'a') === undefined; hop++) await Promise.resolve();
    expect(recalled(memory, 'a')).toBe('answer to a');
    expect(await survivalsOf(powerLosses(storage), 'a')).toBe(20);
  });
});

it('AS3: files of runs that may be running are not written anew, those of dead ones are, when there are many', async () => {
  const rig = new StoreRig();
  for (let run = 0; run < 12; run++) await rig.ask(rig.memory(await rig.open({ pid: 2 })), records(3, run * 3));
  const alive = await rig.open();
  expect(rig.storage.list()).toHaveLength(12);
  await rig.environment.drive(alive.close());
  rig.alive.delete(2);
  const memory = rig.memory(await rig.open());
  expect(rig.storage.list()).toHaveLength(1);
  expect(records(36).map((record) => recalled(memory, record))).toEqual(
    records(36).map((record) => `answer to ${record}`),
  );
});

it('AS3: answers that another run writes anew while the files are read are found', async () => {
  const rig = new StoreRig();
  for (let run = 0; run < 3; run++) await rig.ask(rig.memory(await rig.open()), records(2, run * 2));
  const { storage } = rig;
  const open = storage.openToRead.bind(storage);
  const listed = storage.list();
  jest.spyOn(storage, 'openToRead').mockImplementation((name) => {
    // The other run does so between the list of the files and the first of them.
    for (const old of listed.splice(0)) storage.rename(old, old.replace(/-000000/, '-rewritten-000000'));
    return open(name);
  });
  const memory = rig.memory(await rig.open());
  expect(records(6).filter((record) => recalled(memory, record) === undefined)).toEqual([]);
});

it('AS3: a kill while files are written anew loses no answer', async () => {
  for (let operations = 0; operations < 60; operations++) {
    const rig = new StoreRig();
    for (let run = 0; run < 10; run++) await rig.ask(rig.memory(await rig.open({ pid: 2 })), records(2, run * 2));
    rig.alive.delete(2);
    const storage = rig.storage as MemoryJournalStorage;
    storage.killAfter(operations, seededRandom(operations));
    await rig.open().catch(() => {});
    rig.storage = storage.afterKill();
    const memory = rig.memory(await rig.open({ pid: 3 }));
    expect(records(20).filter((record) => recalled(memory, record) === undefined)).toEqual([]);
  }
});

it('AS4: damage costs the answers that it hits, is reported, and is never a wrong answer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.boolean(), async (drawn, whileOpen) => {
      const storage = new MemoryJournalStorage();
      const rig = new StoreRig(storage);
      const store = await rig.open({ pid: 2 });
      await rig.ask(rig.memory(store), records(20));
      const bytes = storage.contentOf(storage.list()[0] as string) as Uint8Array;
      const reader = whileOpen ? rig.memory(await rig.open()) : undefined;
      const bit = drawn % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const memory = reader ?? rig.memory(await rig.open());
      const found = records(20).map((record) => recalled(memory, record));
      const wrong = found.filter((answer, index) => answer !== undefined && answer !== `answer to r${index}`);
      expect(wrong).toEqual([]);
      expect(found.filter((answer) => answer === undefined).length).toBeLessThanOrEqual(1);
    }),
    { numRuns: draws(80, 200) },
  );
});

it('a damaged answer is paid again, but its call was not in flight when its process died', async () => {
  const storage = new MemoryJournalStorage();
  const rig = new StoreRig(storage);
  const dead = rig.memory(await rig.open({ pid: 2 }));
  await rig.ask(dead, records(5));
  const bytes = storage.contentOf(storage.list()[0] as string) as Uint8Array;
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('answer to r2');
  bytes[at] = (bytes[at] as number) ^ 1;
  rig.alive.delete(2);
  const store = await rig.open();
  const memory = rig.memory(store);
  expect(records(5).map((record) => recalled(memory, record) === undefined)).toEqual([
    ...[false, false, true, false, false],
  ]);
  expect(records(5).map((record) => store.takeLost(memory.identify(record)))).not.toContain(true);
});

it('AS4: an answer that is too old is not found, and goes when its file is written anew', async () => {
  const rig = new StoreRig();
  const store = await rig.open({ ttlMs: 1_000 });
  const memory = rig.memory(store, { ttlMs: 1_000 });
  await rig.ask(memory, ['a']);
  await rig.pass(1_000);
  expect(recalled(memory, 'a')).toBe('answer to a');
  await rig.pass(1);
  expect(recalled(memory, 'a')).toBeUndefined();
  await rig.environment.drive(store.close());
  for (let run = 0; run < 9; run++) {
    const next = await rig.open({ ttlMs: 1_000 });
    await rig.ask(rig.memory(next), [`b${run}`]);
    await rig.environment.drive(next.close());
  }
  const storage = rig.storage as MemoryJournalStorage;
  const bytes = storage.list().map((name) => Buffer.from(storage.contentOf(name) as Uint8Array).toString('latin1'));
  expect(bytes.join('').match(/answer to b\d/g)).toHaveLength(9);
  expect(bytes.join('')).not.toContain('answer to a');
});

it('past maxBytes, the oldest answers are dropped, and the newest are there', async () => {
  const rig = new StoreRig();
  const store = await rig.open({ maxBytes: 300_000 });
  const memory = rig.memory(store, { fn: (record) => Promise.resolve(`${String(record)} ${large}`) });
  for (let turn = 0; turn < 20; turn++) await rig.ask(memory, records(50, turn * 50));
  await rig.environment.drive(store.close());
  const again = rig.memory(await rig.open({ maxBytes: 300_000 }));
  const found = records(1_000).filter((record) => recalled(again, record) !== undefined);
  expect(found.at(-1)).toBe('r999');
  expect(found).toEqual(records(found.length, 1_000 - found.length));
  expect(found.length).toBeGreaterThan(150);
  expect(found.length).toBeLessThan(300);
});

it('past maxBytes, what was dropped takes no memory either', async () => {
  const rig = new StoreRig();
  const store = await rig.open({ maxBytes: 1 << 18 });
  const memory = rig.memory(store, { fn: (record) => `${large}${String(record)}` });
  await rig.ask(memory, records(600));
  const { indexBytes } = store;
  for (let from = 600; from < 3_000; from += 50) await rig.ask(memory, records(50, from));
  expect(store.indexBytes).toBe(indexBytes);
  expect(records(100, 2_900).filter((record) => recalled(memory, record) === undefined)).toEqual([]);
});

it('a disk that is full before a call fails it, and nothing is paid', async () => {
  const storage = new MemoryJournalStorage();
  const rig = new StoreRig(storage);
  let calls = 0;
  const memory = rig.memory(await rig.open(), { fn: () => Promise.resolve(++calls) });
  storage.capacityBytes = 0;
  const [failed] = await rig.ask(memory, ['a']);
  expect([failed, calls]).toMatchObject([{ kind: 'failed', error: { code: 'JOURNAL_ACCESS' } }, 0]);
  storage.capacityBytes = Number.POSITIVE_INFINITY;
  expect(await rig.ask(memory, ['a'])).toEqual([{ kind: 'answered', answer: 1 }]);
});

it('a disk that fills up during a call fails it; the answer is kept in memory, and written when asked for again', async () => {
  const storage = new MemoryJournalStorage();
  const rig = new StoreRig(storage);
  let calls = 0;
  const fn = (record: unknown): Promise<string> => {
    if (record === 'b') storage.capacityBytes = 0;
    return Promise.resolve(`${String(record)} ${++calls}`);
  };
  const memory = rig.memory(await rig.open(), { fn });
  await rig.ask(memory, ['a']);
  const [failed] = await rig.ask(memory, ['b']);
  expect(failed).toMatchObject({ kind: 'failed', error: { code: 'JOURNAL_ACCESS' } });
  expect((await rig.ask(memory, ['b']))[0]?.kind).toBe('failed');
  storage.capacityBytes = Number.POSITIVE_INFINITY;
  expect(await rig.ask(memory, ['b'])).toEqual([{ kind: 'answered', answer: 'b 2' }]);
  expect(calls).toBe(2);
  rig.storage = storage.afterKill();
  const again = rig.memory(await rig.open());
  expect([recalled(again, 'a'), recalled(again, 'b')]).toEqual(['a 1', 'b 2']);
});

it('a file of an unknown version is refused, by name', async () => {
  const storage = new MemoryJournalStorage(
    new Map([['000-old-0.answers', encodeRecord({ kind: 'ANSW', version: 99 }, Uint8Array.of(1))]]),
  );
  const rig = new StoreRig(storage);
  await expect(rig.open()).rejects.toThrow(JournalFormatError);
  await expect(rig.open()).rejects.toThrow(
    /000-old-0.answers: it is a log of kind ANSW, format 99.*pay for its answers/,
  );
});

describe('AS5: calls in flight when a process died', () => {
  /** Asks a memory whose calls are never answered, fail, or are answered; tells which of them were made again. */
  const ask = async (rig: StoreRig, store: AnswerStore, asked: readonly string[]): Promise<string[]> => {
    const again: string[] = [];
    const fn = (record: unknown): Promise<unknown> => {
      if (String(record).startsWith('hang')) return new Promise(() => {});
      return String(record).startsWith('fail') ? Promise.reject(new Error('no')) : Promise.resolve(record);
    };
    const memory = rig.memory(store, { fn });
    for (const record of asked) {
      const begun = (isAgain: boolean): void => void (isAgain && again.push(record));
      memory.ask(memory.identify(record), record, 0, { begun, answered: () => {}, settled: () => {} });
    }
    await rig.pass();
    return again;
  };
  const all = ['hang1', 'hang2', 'fail', 'answered'];

  it('are counted by the next run when it makes them again, once', async () => {
    const rig = new StoreRig();
    const first = await rig.open({ pid: 2 });
    expect(await ask(rig, first, [...all, 'hang3'])).toEqual([]);
    await rig.pass(50);
    expect(await ask(rig, await rig.open(), ['hang3'])).toEqual([]);
    rig.alive.delete(2);
    const next = await rig.open();
    expect(await ask(rig, next, [...all, 'new'])).toEqual(['hang1', 'hang2']);
    expect(await ask(rig, next, all)).toEqual([]);
  });

  it('are known before they are made: at any instant of a kill, those that were made are among them', async () => {
    const storage = new MemoryJournalStorage();
    const rig = new StoreRig(storage);
    const made: string[] = [];
    const kills: { readonly after: MemoryJournalStorage; readonly made: readonly string[] }[] = [];
    const fn = (record: unknown): Promise<unknown> => {
      made.push(String(record));
      kills.push({ after: storage.afterKill(), made: [...made] });
      return new Promise(() => {});
    };
    const memory = rig.memory(await rig.open({ pid: 2 }), { fn });
    for (const record of records(12)) {
      memory.ask(memory.identify(record), record, 0, { begun: () => {}, answered: () => {}, settled: () => {} });
      if (record.endsWith('5')) await rig.pass();
    }
    await rig.pass();
    rig.alive.delete(2);
    expect(kills).toHaveLength(12);
    for (const { after, made: before } of kills) {
      rig.storage = after;
      const again = await ask(rig, await rig.open(), records(12));
      expect(again).toEqual(expect.arrayContaining([...before]));
      expect(again.length).toBeLessThanOrEqual(before.length <= 6 ? 6 : 12);
    }
  });

  it('are counted although another run makes the same call meanwhile: one that goes on, fails, or dies too', async () => {
    const rig = new StoreRig();
    rig.alive.add(3);
    const [dying, other] = [await rig.open({ pid: 2 }), await rig.open({ pid: 3 })];
    const asked = ['hang', 'fail'];
    const memory = rig.memory(dying, { fn: () => new Promise(() => {}) });
    for (const record of asked) {
      memory.ask(memory.identify(record), record, 0, { begun: () => {}, answered: () => {}, settled: () => {} });
    }
    await rig.pass();
    expect(await ask(rig, other, asked)).toEqual([]);
    await rig.pass(50);
    rig.alive.delete(2);
    const next = await rig.open();
    expect(await ask(rig, next, asked)).toEqual(asked);
    await rig.environment.drive(next.close());
    rig.alive.delete(3);
    expect(await ask(rig, await rig.open(), ['hang'])).toEqual(['hang']);
  });

  it('are known to the run after the next, also when files are written anew', async () => {
    const rig = new StoreRig();
    for (let run = 0; run < 12; run++) {
      await ask(rig, await rig.open({ pid: 2 }), run % 2 === 0 ? [`hang${run}`] : [`hang${run}`, `a${run}`]);
    }
    rig.alive.delete(2);
    await rig.environment.drive((await rig.open()).close());
    expect(rig.storage.list()).toHaveLength(1);
    const asked = Array.from({ length: 12 }, (_, run) => `hang${run}`);
    expect(await ask(rig, await rig.open(), [...asked, 'a1'])).toEqual(asked);
  });

  it('include those that the end of a run aborted', async () => {
    const rig = new StoreRig();
    const store = await rig.open();
    await ask(rig, store, all);
    await rig.environment.drive(store.close());
    expect(await ask(rig, await rig.open(), all)).toEqual(['hang1', 'hang2']);
  });
});
