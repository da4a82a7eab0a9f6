import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnswersInUseError, type RememberedAnswers, rememberedAnswers } from '../../../src/index.ts';
import { FileJournalStorage } from '../../../src/partitions/storage/file-journal-storage.ts';
import { recalled, type StoreOptions, StoreRig } from './store-rig.ts';

const root = mkdtempSync(join(tmpdir(), 'kintsugi-remembered-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** A directory with answers of two operators, one of them in two versions and with keys. */
async function filled() {
  const directory = join(root, String(count++));
  const rig = new StoreRig(new FileJournalStorage(directory));
  const write = async (
    records: readonly string[],
    options: Parameters<StoreRig['memory']>[1],
    run: StoreOptions = {},
  ) => {
    const store = await rig.open(run);
    await rig.ask(rig.memory(store, options), records);
    await rig.environment.drive(store.close());
    await rig.pass(10);
  };
  const keyOf = (record: unknown): string => `key of ${String(record)}`;
  await write(['a', 'b'], { operator: 'embed', version: '1', keyOf });
  await write(['a'], { operator: 'embed', version: '2', keyOf });
  await write(['a', 'b', 'c'], { operator: 'rate', version: '1' });
  return { directory, rig, write, answers: rememberedAnswers(directory) };
}

async function exported(answers: RememberedAnswers, filter = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { operator, version, key, answer } of answers.export(filter)) {
    lines.push([operator, version, key ?? '-', answer].join(' '));
  }
  return lines;
}

describe('remembered answers', () => {
  it('are listed by operator and version', async () => {
    const { answers, rig } = await filled();
    const list = await answers.list();
    expect(list.map(({ operator, version, answers: number }) => [operator, version, number])).toEqual([
      ['embed', '1', 2],
      ['embed', '2', 1],
      ['rate', '1', 3],
    ]);
    for (const { oldestMs, newestMs, bytes } of list) {
      expect(newestMs).toBeGreaterThanOrEqual(oldestMs);
      expect(newestMs).toBeLessThan(rig.environment.clock.epochMs());
      expect(bytes).toBeGreaterThan(0);
    }
  });

  it('are counted and exported, all or those that a filter names', async () => {
    const { answers } = await filled();
    expect(await answers.count()).toBe(6);
    expect(await exported(answers, { operator: 'embed' })).toEqual([
      'embed 1 key of a answer to a',
      'embed 1 key of b answer to b',
      'embed 2 key of a answer to a',
    ]);
    expect(await exported(answers, { version: '1', key: 'key of b' })).toEqual(['embed 1 key of b answer to b']);
    expect(await answers.count({ beforeMs: 0 })).toBe(0);
  });

  it.each<[what: string, filter: object, dropped: number]>([
    ['all', {}, 6],
    ['those of an operator', { operator: 'rate' }, 3],
    ['those of a version', { operator: 'embed', version: '1' }, 2],
    ['one by its key', { operator: 'embed', version: '1', key: 'key of a' }, 1],
    ['none', { operator: 'nobody' }, 0],
  ])('are dropped, with their bytes: %s', async (_, filter, dropped) => {
    const { answers, directory } = await filled();
    expect(await answers.drop(filter)).toBe(dropped);
    expect(await answers.count()).toBe(6 - dropped);
    expect(await answers.count(filter)).toBe(0);
    const bytes = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1'));
    expect(bytes.join('').match(/answer to [abc]/g) ?? []).toHaveLength(6 - dropped);
  });

  it('that were dropped are paid again; an earlier answer to the same call does not come to light', async () => {
    const { answers, rig, write } = await filled();
    const second = { operator: 'embed', version: '2', keyOf: (record: unknown) => `key of ${String(record)}` };
    await write(['a'], { ...second, sinceMs: Number.POSITIVE_INFINITY });
    expect(await answers.count({ version: '2' })).toBe(1);
    expect(await answers.drop({ version: '2' })).toBe(1);
    expect(recalled(rig.memory(await rig.open(), second), 'a')).toBeUndefined();
  });

  it('are not dropped while a run writes there', async () => {
    const { answers, rig } = await filled();
    await rig.ask(rig.memory(await rig.open({ pid: process.pid })), ['z']);
    // The processes of the rig are on a machine of their own, of which nobody knows who is alive.
    await expect(answers.drop()).rejects.toThrow(AnswersInUseError);
    expect(await answers.count()).toBe(7);
  });

  it('of a directory that does not exist are none', async () => {
    const answers = rememberedAnswers(join(root, 'nowhere'));
    expect([await answers.list(), await answers.count(), await answers.drop()]).toEqual([[], 0, 0]);
  });

  it('are not found by a filter that does not exist', async () => {
    const { answers } = await filled();
    await expect(answers.count({ operater: 'embed' } as never)).rejects.toThrow('did you mean `operator`?');
  });
});
