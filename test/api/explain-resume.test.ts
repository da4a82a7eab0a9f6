import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  DurableJobExplanation,
  JobExplanation,
  JobRunOptions,
  RememberOptions,
  ResumeExplanation,
  Sink,
} from '../../src/index.ts';
import { explain, forEach, fromArray, Job, jsonLinesFile, noRestart, toJsonLinesFile } from '../../src/index.ts';
import { runStory } from '../support/run-story.ts';

interface Text {
  readonly id: number;
}

/** What the user may change between two runs. */
interface Version {
  readonly prepare?: (text: Text) => Text;
  readonly fix?: (text: Text) => Text;
  readonly sink?: Sink<Text>;
  readonly remember?: boolean | RememberOptions<Text>;
}

const asItIs = (text: Text): Text => text;
const withBug = (text: Text): Text => {
  if (text.id === 33) throw new TypeError('no label');
  return text;
};

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'explain-resume-'));
  writeFileSync(at('texts.jsonl'), linesOf(0, 60));
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

const at = (name: string): string => join(home, name);

const linesOf = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `${JSON.stringify({ id: from + index })}\n`).join('');

//  texts → prepare → label (paid) ─blocking─▶ fix → out
function labels({ prepare = asItIs, fix = asItIs, sink, remember = true }: Version = {}): Job {
  const job = Job.create('labels', { parallelism: 2 });
  job
    .source('texts', jsonLinesFile<Text>(at('texts.jsonl')))
    .map(prepare, { uid: 'prepare' })
    .mapAsync(async (text) => text, { uid: 'label', remember })
    .rebalance({ exchange: 'blocking' })
    .map(fix, { uid: 'fix' })
    .sink('out', sink ?? toJsonLinesFile(at('out.jsonl')));
  return job;
}

const run = (version?: Version, options: JobRunOptions = {}) =>
  runStory(labels(version), { stateDirectory: at('state'), restartBackoff: noRestart(), ...options });

const explained = async (version?: Version, options: Pick<JobRunOptions, 'resume' | 'rerun'> = {}) =>
  (await explain(labels(version), { stateDirectory: at('state'), ...options })).resume;

const failed = (): Promise<void> => expect(run({ fix: withBug })).rejects.toThrow('no label');
const finished = async (): Promise<void> => void (await run());

const all = [{ start: 0, end: 2 }];

/** A situation: what happened before, what the user changed, and what would happen now. */
const situations: readonly {
  readonly name: string;
  readonly before: () => Promise<void>;
  readonly version?: Version;
  readonly options?: Pick<JobRunOptions, 'resume' | 'rerun'>;
  readonly reused: readonly string[];
  readonly runs: readonly (readonly [vertex: string, why: unknown])[];
  readonly paid: ResumeExplanation['paid'];
}[] = [
  {
    name: 'there was no earlier run',
    before: async () => {},
    reused: [],
    runs: [
      ['texts', undefined],
      ['fix', undefined],
    ],
    paid: [{ operator: 'label', taskCount: 2, totalTaskCount: 2, answers: 0, paysAgain: undefined }],
  },
  {
    name: 'a bug behind the paid step is fixed',
    before: failed,
    reused: ['texts'],
    runs: [['fix', 'the function of "fix" changed']],
    paid: [],
  },
  {
    name: 'a step before the paid one changed',
    before: failed,
    version: { prepare: (text) => ({ id: text.id }), remember: false },
    reused: [],
    runs: [
      ['texts', 'the function of "prepare" changed'],
      ['fix', expect.stringContaining('changed')],
    ],
    paid: [{ operator: 'label', taskCount: 2, totalTaskCount: 2, answers: 0, paysAgain: '`remember: false`' }],
  },
  { name: 'it has finished', before: finished, reused: ['texts', 'fix'], runs: [], paid: [] },
  {
    name: 'it has finished, and is to run again',
    before: finished,
    options: { rerun: true },
    reused: [],
    runs: [
      ['texts', '`rerun: true`'],
      ['fix', '`rerun: true`'],
    ],
    paid: [{ operator: 'label', taskCount: 2, totalTaskCount: 2, answers: 60, paysAgain: undefined }],
  },
  {
    name: 'its answers are older than they may be',
    before: finished,
    version: { remember: { ttlMs: 0.001 } },
    options: { rerun: true },
    reused: [],
    runs: [
      ['texts', '`rerun: true`'],
      ['fix', '`rerun: true`'],
    ],
    paid: [{ operator: 'label', taskCount: 2, totalTaskCount: 2, answers: 0, paysAgain: undefined }],
  },
  {
    name: 'nothing from before is to be used',
    before: failed,
    options: { resume: 'never' },
    reused: [],
    runs: [
      ['texts', undefined],
      ['fix', undefined],
    ],
    paid: [{ operator: 'label', taskCount: 2, totalTaskCount: 2, answers: 0, paysAgain: "`resume: 'never'`" }],
  },
];

describe.each(situations)('explain with a state directory, when $name', ({ before, version, options, ...expected }) => {
  it('says what is re-used, what runs and why, and what is paid', async () => {
    await before();
    const { reused, runs, paid } = await explained(version, options);
    expect(reused.map(({ vertex, subtasks }) => [vertex, subtasks])).toEqual(expected.reused.map((id) => [id, all]));
    expect(runs.map(({ vertex, why }) => [vertex, why])).toEqual(expected.runs);
    expect(paid).toEqual(expected.paid);
  });

  it('says what the run then does', async () => {
    await before();
    const { earlier, reused } = await explained(version, options);
    const { receipt } = await run(version, options);
    const sum = (of: (tasks: (typeof reused)[number]) => number): number =>
      reused.reduce((total, tasks) => total + of(tasks), 0);
    const said = earlier && {
      earlier: earlier.run,
      results: sum((one) => one.results),
      records: sum((one) => one.records),
    };
    expect(receipt.resumed && { ...receipt.resumed }).toEqual(said && expect.objectContaining(said));
  });
});

describe('explain with a state directory', () => {
  it('names the sources whose content has changed since a finished run', async () => {
    await finished();
    appendFileSync(at('texts.jsonl'), linesOf(60, 70));
    const { changedSources } = await explained();
    expect(changedSources).toEqual([{ source: 'texts', why: expect.stringContaining('has grown') }]);
  });

  it('an unfinished run continues with its input as it was: an append is no change', async () => {
    await failed();
    appendFileSync(at('texts.jsonl'), linesOf(60, 70));
    expect((await explained()).changedSources).toEqual([]);
  });

  it.each([
    ["resume: 'require' without an earlier run", async () => {}, {}, { resume: 'require' }, 'NOTHING_TO_RESUME'],
    [
      'a change before a sink that cannot replace its records',
      () => run({ sink: forEach(() => {}) }),
      { sink: forEach(() => {}), fix: (text: Text) => ({ id: text.id }) },
      {},
      'OUTPUT_COMMITTED',
    ],
  ] as const)('says that the run would be refused: %s', async (_, before, version, options, code) => {
    await before();
    const { refusal } = await explained(version, options);
    expect(refusal).toMatchObject({ code });
    await expect(run(version, options)).rejects.toMatchObject({ cause: { message: refusal?.message } });
  });

  it('changes nothing, and takes the directory from nobody', async () => {
    const noLabel = (): never => {
      throw new TypeError('no label');
    };
    // Neither subtask may commit its part, because another sink would be refused then.
    await expect(run({ fix: noLabel })).rejects.toThrow('no label');
    const contents = (): unknown =>
      readdirSync(at('state'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => [parentPath, name, readFileSync(join(parentPath, name), 'latin1')]);
    const before = contents();
    let during: Promise<ResumeExplanation> | undefined;
    await explained();
    expect(contents()).toEqual(before);
    await run({ fix: (text) => ({ ...text }), sink: forEach(() => void (during ??= explained())) });
    expect((await during)?.earlier).toMatchObject({ end: undefined });
    const { owner, refusal } = (await during) as ResumeExplanation;
    expect(owner).toMatchObject({ pid: process.pid, isHere: true, job: 'labels', since: expect.any(String) });
    expect(refusal).toMatchObject({
      code: 'STATE_DIRECTORY_IN_USE',
      message: expect.stringContaining('in this process'),
    });
    expect((await explained()).owner).toBeUndefined();
  });

  it('says which sinks get records again, and whether at the same positions', async () => {
    const sinksOf = async (version: Version): Promise<unknown> => (await explained(version)).repeatedSinks;
    expect(await sinksOf({})).toEqual([]);
    const noPosition = 'the channels of "fix" are read in the order of arrival';
    expect(await sinksOf({ sink: forEach(() => {}) })).toEqual([{ sink: 'out', noPosition }]);
    const job = Job.create('kept');
    const deadLetter = forEach(() => {});
    job
      .source('one', fromArray([1]))
      .map((n) => n, { uid: 'step', onError: { deadLetter } })
      .sink(
        'letters',
        forEach(() => {}),
      );
    job.source('two', fromArray([2])).sink(
      'plain',
      forEach(() => {}),
    );
    const { resume } = await explain(job, { stateDirectory: at('state') });
    expect(resume.repeatedSinks).toEqual([
      { sink: 'letters', noPosition: '"step" may reject other records the next time (`onError`)' },
      { sink: 'step (dead letters)', noPosition: 'dead letters have none' },
      { sink: 'plain', noPosition: undefined },
    ]);
    expect(resume.toString()).toMatch(
      /Sinks that get records again\n {2}letters .*\n.*\n {2}plain .* at the same positions/,
    );
  });

  it('creates no directory', async () => {
    await explained();
    expect(readdirSync(home)).toEqual(['texts.jsonl']);
  });

  it('reads as text', async () => {
    await failed();
    const text = (await explain(labels(), { stateDirectory: at('state') })).toString();
    expect(text).toContain(`If it runs now with ${at('state')}`);
    expect(text).toMatch(/goes on from run \S+ of \S+, which has failed/);
    expect(text).toMatch(/texts\[0\.\.1\] {2}2 results, 60 records/);
    expect(text).toMatch(/fix\[0\.\.1\] {2}the function of "fix" changed/);
  });

  it('is a promise with a state directory alone', () => {
    const job = Job.create('typed');
    job.source('one', fromArray([1])).sink(
      'out',
      forEach(() => {}),
    );
    const now: JobExplanation = explain(job);
    const later: Promise<DurableJobExplanation> = explain(job, { stateDirectory: at('state') });
    expect([now.taskCount, later]).toEqual([1, expect.any(Promise)]);
    return later;
  });
});
