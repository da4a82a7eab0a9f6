import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataStream, explain, fromArray, Job, noRestart, toJsonLinesFile } from '../../../src/index.ts';
import { spillFaultPoints } from '../../../src/partitions/storage/spill-store.ts';
import { type FaultPlan, faultPlan } from '../../../src/testing/index.ts';
import { runStory, type StoryEnd } from '../../support/run-story.ts';

interface Text {
  readonly id: number;
  readonly by: string;
}

const texts = Array.from({ length: 240 }, (_, id): Text => ({ id, by: `author ${(id * 7) % 41}` }));

let home: string;
let paid: number;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'divided-again-'));
  paid = 0;
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const at = (name: string): string => join(home, name);

/** The job of one run, and what the user may change before the next. */
interface Version {
  readonly divide: 'keyBy' | 'rebalance' | 'broadcast';
  /** Parallelism of the paid step, and of the one behind it. */
  readonly labelers: number;
  readonly readers: number;
  readonly hasBug?: boolean;
  readonly deterministic?: boolean;
  readonly key?: (text: Text) => string;
}

const exchange = 'blocking';
const byAuthor = ({ by }: Text): string => by;

//  texts → label (paid) ─blocking─▶ fix → out
function labels({ divide, labelers, readers, hasBug = false, deterministic, key = byAuthor }: Version): Job {
  const job = Job.create('labels', { parallelism: labelers });
  const fix = (text: Text): Text => {
    if (hasBug) throw new TypeError('no label');
    return text;
  };
  const behind = { uid: 'fix', version: hasBug ? 'bug' : 'fixed', parallelism: readers };
  const label = (text: Text): Promise<Text> => {
    paid++;
    return Promise.resolve(text);
  };
  const labeled = job
    .source('texts', fromArray(texts))
    .mapAsync(label, { uid: 'label', remember: false, deterministic });
  const fixed: Readonly<Record<Version['divide'], () => DataStream<Text>>> = {
    keyBy: () =>
      labeled
        .keyBy(key, { exchange, version: 1 })
        .process<Text, Text>({ onRecord: (text, _, emit) => emit(fix(text)) }, behind),
    rebalance: () => labeled.rebalance({ exchange }).map(fix, behind),
    broadcast: () => labeled.broadcast({ exchange }).map(fix, behind),
  };
  fixed[divide]().sink('out', toJsonLinesFile(at('out.jsonl')));
  return job;
}

const options = { restartBackoff: noRestart() } as const;
const run = (version: Version, state = 'state', faults?: FaultPlan): Promise<StoryEnd> =>
  runStory(labels(version), { ...options, stateDirectory: at(state), ...(faults && { faults }) });
const fails = (version: Version): Promise<void> =>
  expect(run({ ...version, hasBug: true })).rejects.toThrow('no label');

/** By part file: the ids written there by each producer, and of each key if `keyed`. */
function written({ divide, labelers }: Version): unknown {
  const parts = readdirSync(home).filter((name) => name.startsWith('out'));
  return parts.map((name) => {
    const lines = readFileSync(at(name), 'utf8').split('\n').slice(0, -1);
    const orders = new Map<string, number[]>();
    for (const { id, by } of lines.map((line) => JSON.parse(line) as Text)) {
      const producer = Math.floor((id * labelers) / texts.length);
      const key = divide === 'keyBy' ? `${producer} ${by}` : `${producer}`;
      const order = orders.get(key) ?? [];
      orders.set(key, order);
      order.push(id);
    }
    return { name, orders: [...orders].sort(([a], [b]) => a.localeCompare(b)) };
  });
}

/** What a job writes that never failed. */
async function undisturbed(version: Version): Promise<unknown> {
  const here = paid;
  await run(version, 'undisturbed');
  const parts = written(version);
  for (const name of readdirSync(home)) if (name.startsWith('out')) rmSync(at(name));
  paid = here;
  return parts;
}

describe.each(['keyBy', 'rebalance', 'broadcast'] as const)('behind %s', (divide) => {
  it.each([
    [1, 1, 3],
    [2, 5, 2],
    [3, 4, 1],
  ])(
    'DV2: a paid result of %i tasks for %i tasks is divided anew for %i, and nothing is paid again',
    async (labelers, before, now) => {
      const version: Version = { divide, labelers, readers: now };
      const expected = await undisturbed(version);
      await fails({ ...version, readers: before });
      expect(paid).toBe(240);
      const { receipt } = await run(version);
      expect(paid).toBe(240);
      expect(written(version)).toEqual(expected);
      expect(receipt.resumed?.divided).toEqual([
        { source: 'texts', target: 'fix', consumers: now, results: labelers, records: 240 },
      ]);
    },
  );
});

const version: Version = { divide: 'keyBy', labelers: 2, readers: 5 };
const narrow: Version = { ...version, readers: 2 };

it('is said by explain, by the receipt and in the log', async () => {
  await fails(narrow);
  const { resume } = await explain(labels(version), { stateDirectory: at('state') });
  expect(resume.divided).toEqual([{ source: 'texts', target: 'fix', consumers: 5, results: 2, records: 240 }]);
  expect(resume.toString()).toMatch(/Divided anew\n +texts → fix +for 5 tasks: 240 records/);
  const { receipt } = await run(version);
  expect(receipt.toString()).toContain('results of "texts" divided anew for 5 tasks of "fix": 240 records');
});

it('may be divided several times', async () => {
  await fails(narrow);
  for (const readers of [5, 1, 4]) await fails({ ...version, readers });
  const expected = await undisturbed({ ...version, readers: 3 });
  await run({ ...version, readers: 3 });
  expect(paid).toBe(240);
  expect(written(version)).toEqual(expected);
});

describe('a result is not divided anew', () => {
  const why = async (before: Version, now: Version): Promise<string | undefined> => {
    await fails(before);
    const { receipt } = await run(now);
    expect(paid).toBe(480);
    expect(receipt.resumed?.divided).toBeUndefined();
    return receipt.resumed?.rerun.find(({ operator }) => operator === 'texts')?.why;
  };

  it('if the parallelism of its producer changed too, as behind forward', async () => {
    expect(await why(narrow, { ...version, labelers: 3 })).toContain('the parallelism of "texts" was 2, is 3');
  });

  it('by key, if a deterministic producer could be held to another order', async () => {
    const deterministic = { deterministic: true } as const;
    const told = await why({ ...narrow, ...deterministic }, { ...version, ...deterministic });
    expect(told).toContain('"texts" is deterministic, and its order across keys is not known any more');
  });

  it('if its key function fails for a record that was read back', async () => {
    await fails(narrow);
    const fragile = (text: Text): string => {
      // As it was when the producer ran, and is not now.
      if (paid === 240) throw new TypeError('no author');
      return text.by;
    };
    await run({ ...version, key: fragile });
    expect(paid).toBe(480);
  });

  it('if it is damaged: its producer alone runs again', async () => {
    await fails(narrow);
    const results = join(at('state'), 'results');
    const file = readdirSync(results, { recursive: true, encoding: 'utf8' }).find(
      (name) => /\.0*0$|seg|\.data/.test(name) && !name.endsWith('.index'),
    );
    expect(file).toBeDefined();
    const path = join(results, file as string);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    writeFileSync(path, bytes);
    const { receipt } = await run(version);
    expect(paid).toBe(360);
    expect(receipt.resumed?.divided).toMatchObject([{ results: 1, records: 120 }]);
    expect(written(version)).toEqual(await undisturbed(version));
  });
});

it('DV1, DV3: a division that ends anywhere, for want of disk or with its process, costs nothing', async () => {
  await fails(narrow);
  const expected = await undisturbed(version);
  const [state, copies] = [at('state'), [] as string[]];
  const watch = faultPlan();
  // The state directory as a killed process would have left it.
  const copy = (): void => {
    copies.push(`killed-${copies.length}`);
    cpSync(state, at(copies.at(-1) as string), { recursive: true, filter: (path) => !path.includes('owner') });
  };
  for (const point of [spillFaultPoints.append, spillFaultPoints.sync]) watch.call(point, copy, { times: 6 });
  const full = faultPlan();
  full.fail(spillFaultPoints.append, { skip: 1, times: 100, error: new Error('ENOSPC: no space left on device') });
  await expect(run(version, 'state', full)).rejects.toThrow('ENOSPC');
  await run(version, 'state', watch);
  expect(copies.length).toBeGreaterThan(6);
  for (const name of copies) {
    const { receipt } = await run(version, name);
    expect(receipt.resumed?.divided).toMatchObject([{ results: 2, records: 240 }]);
    expect(written(version)).toEqual(expected);
  }
  expect(paid).toBe(240);
});
