import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  collect,
  explain,
  forEach,
  fromArray,
  Job,
  jsonLinesFile,
  noRestart,
  toJsonLinesFile,
} from '../../../src/index.ts';
import type { DataStream, JobReceipt, JobRunOptions, MaxErrors, OnError, Sink } from '../../../src/index.ts';
import { inOneDataPlane, runStory } from '../../support/run-story.ts';

interface Text {
  readonly id: number;
}

/** What the user may change between two runs. */
interface Version {
  /** Behind the paid step. */
  readonly fix?: (text: Text) => Text;
  /** Before it. */
  readonly prepare?: (text: Text) => Text;
  readonly sink?: Sink<Text>;
  readonly onFixError?: OnError<Text, Text>;
  readonly parallelism?: number;
}

const asItIs = (text: Text): Text => text;
const withBug = (text: Text): Text => {
  if (text.id === 33) throw new TypeError('no label');
  return text;
};

let home: string;
let paid: number[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'run-again-'));
  paid = [];
  writeFileSync(at('texts.jsonl'), linesOf(0, 60));
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

const at = (name: string): string => join(home, name);

const linesOf = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `${JSON.stringify({ id: from + index })}\n`).join('');

/** Texts, a step that is paid by the call, a kept result, and the user's code behind it. */
function labels({ fix = asItIs, prepare = asItIs, sink, onFixError, parallelism = 2 }: Version = {}): Job {
  const job = Job.create('labels', { parallelism });
  job
    .source('texts', jsonLinesFile<Text>(at('texts.jsonl')))
    .map(prepare, { uid: 'prepare' })
    .mapAsync(
      async (text) => {
        paid.push(text.id);
        return text;
      },
      { uid: 'label', remember: false },
    )
    .rebalance({ exchange: 'blocking' })
    .map(fix, { uid: 'fix', onError: onFixError })
    .sink('out', sink ?? toJsonLinesFile(at('out.jsonl')));
  return job;
}

async function run(version?: Version, options: JobRunOptions = {}): Promise<JobReceipt> {
  const { receipt } = await runStory(labels(version), { stateDirectory: at('state'), ...options });
  return receipt;
}

const written = (): number[] =>
  readdirSync(home)
    .filter((name) => name.startsWith('out'))
    .flatMap((name) => readFileSync(at(name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as Text).id)
    .sort((a, b) => a - b);

const numbers = (count: number): number[] => [...Array(count).keys()];

const fails = (options: JobRunOptions = {}) =>
  expect(run({ fix: withBug }, { restartBackoff: noRestart(), ...options })).rejects.toMatchObject({
    code: 'JOB_FAILED',
  });

describe('a bug behind the paid step', () => {
  it('is fixed, and nothing is paid again', async () => {
    await fails();
    expect(paid).toHaveLength(60);
    const { resumed, tasks } = await run();
    expect(paid).toHaveLength(60);
    expect(written()).toEqual(numbers(60));
    expect(resumed).toMatchObject({ tasks: 2, results: 2, records: 60 });
    expect(tasks.attempts).toBe(2);
  });

  it('may come twice', async () => {
    await fails();
    await fails();
    await run();
    expect(paid).toHaveLength(60);
    expect(written()).toEqual(numbers(60));
  });

  it('is told in the receipt, with the reason', async () => {
    await fails();
    const receipt = await run();
    expect(receipt.toString()).toContain('results re-used from an earlier run: 2, 60 records');
    expect(receipt.toString()).toContain('"fix" runs again: the function of "fix" changed');
  });

  it('does not spare a step whose own input changed: everything from there on runs again', async () => {
    await fails();
    const { resumed } = await run({ prepare: (text) => ({ id: text.id }) });
    expect(paid).toHaveLength(120);
    expect(written()).toEqual(numbers(60));
    expect(resumed?.rerun.map(({ operator }) => operator)).toEqual(['texts', 'fix']);
  });
});

describe('a job that has finished', () => {
  it('does nothing, and leaves a small directory', async () => {
    await run();
    const receipt = await run();
    const { tasks, resumed } = receipt;
    expect([tasks.attempts, resumed?.tasks, paid.length]).toEqual([0, 4, 60]);
    expect(receipt.toString()).toContain(`finished on ${resumed?.finishedAt}: nothing has changed since`);
    expect((await run()).resumed?.finishedAt).toBe(resumed?.finishedAt);
    expect(readdirSync(at('state'))).toEqual(['journal']);
  });

  it('runs again from what changed', async () => {
    await run();
    const receipt = await run({ fix: (text) => ({ id: text.id + 1_000 }) });
    expect(receipt.toString()).toMatch(/run \S+ finished on \S+: 0 of 4 tasks need not run again/);
    expect(written()).toEqual(numbers(60).map((id) => id + 1_000));
  });

  it('runs again as a whole with rerun: true', async () => {
    await run();
    const receipt = await run({}, { rerun: true });
    expect([receipt.tasks.attempts, paid.length]).toEqual([4, 120]);
    expect(written()).toEqual(numbers(60));
    expect(receipt.toString()).toContain('"texts" runs again: `rerun: true`\n  "fix" runs again: `rerun: true`');
  });

  it.each([
    { version: undefined, attempts: 1 },
    { version: 'of Monday', attempts: 0 },
  ])('reads a source of its own again unless a version says that it is the same: $version', async (row) => {
    const again = (): Promise<{ receipt: JobReceipt }> => {
      const job = Job.create('own');
      const { version } = row;
      const { definition: _, ...own } = fromArray([{ id: 0 }]);
      job.source('own', own, { ...(version && { version }) }).sink('out', toJsonLinesFile(at('out.jsonl')));
      return runStory(job, { stateDirectory: at('state') });
    };
    await again();
    const { receipt } = await again();
    expect(receipt.tasks.attempts).toBe(row.attempts);
  });

  it('reads what was appended to its input since', async () => {
    await run();
    appendFileSync(at('texts.jsonl'), linesOf(60, 70));
    const { resumed } = await run();
    expect(written()).toEqual(numbers(70));
    expect(resumed?.rerun[0]).toMatchObject({ operator: 'texts', why: expect.stringContaining('has grown') });
  });
});

describe('a job that has not finished', () => {
  it('continues with its input as it was, although records were appended', async () => {
    await fails();
    appendFileSync(at('texts.jsonl'), linesOf(60, 70));
    await run();
    expect(written()).toEqual(numbers(60));
    expect(paid).toHaveLength(60);
  });

  it('begins anew where its input was replaced', async () => {
    await fails();
    writeFileSync(at('texts.jsonl'), linesOf(100, 130));
    const { resumed } = await run();
    expect(written()).toEqual(numbers(30).map((id) => id + 100));
    expect(resumed?.rerun[0]).toMatchObject({ operator: 'texts', why: expect.stringContaining('texts.jsonl') });
  });

  it('SD2: recomputes a result whose files are gone or cut', async () => {
    await fails();
    const results = join(at('state'), 'results');
    const directory = join(results, readdirSync(results)[0] as string);
    const file = readdirSync(directory).find((name) => name.endsWith('.0')) as string;
    writeFileSync(join(directory, file), readFileSync(join(directory, file)).subarray(0, -1));
    const { resumed } = await run();
    expect(written()).toEqual(numbers(60));
    expect(resumed?.tasks).toBe(1);
  });

  it('recomputes a result with a changed bit, when that is read', async () => {
    await fails();
    const results = join(at('state'), 'results');
    const directory = join(results, readdirSync(results)[0] as string);
    const file = join(directory, readdirSync(directory).find((name) => name.endsWith('.0')) as string);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 4;
    writeFileSync(file, bytes);
    const { failovers } = await run();
    expect(failovers).toHaveLength(1);
    expect(written()).toEqual(numbers(60));
  });

  it('begins from the start with another parallelism', async () => {
    await fails();
    await run({ parallelism: 3 });
    expect(written()).toEqual(numbers(60));
    expect(paid).toHaveLength(120);
  });
});

describe('why something runs again that had finished, and is as it was', () => {
  //  texts ─blocking─▶ left ──▶ one.jsonl
  //                ╰─▶ right ─exchange─▶ last ──▶ two.jsonl
  const forked = async (exchange: 'blocking' | 'pipelined', last: (text: Text) => Text = asItIs) => {
    const job = Job.create('forked', { parallelism: 2 });
    const texts = job.source('texts', jsonLinesFile<Text>(at('texts.jsonl')));
    const kept = texts.rebalance({ exchange: 'blocking' });
    kept.map(asItIs, { uid: 'left' }).sink('one', toJsonLinesFile(at('one.jsonl')));
    const right = kept.map(asItIs, { uid: 'right' }).rebalance({ exchange });
    right.map(last, { uid: 'last' }).sink('two', toJsonLinesFile(at('two.jsonl')));
    const options = {
      stateDirectory: at('state'),
      keepResults: 'until-job-ends',
      restartBackoff: noRestart(),
    } as const;
    const { receipt } = await runStory(job, options);
    return new Map(receipt.resumed?.rerun.map(({ operator, why }) => [operator, why]));
  };

  it('its output was deleted, what it reads is gone too, and others read that', async () => {
    await forked('blocking');
    rmSync(at('one-00000-of-00002.jsonl'));
    expect([...(await forked('blocking'))]).toEqual([
      ['texts', 'what it wrote is needed, and no longer there'],
      ['left', 'its output is no longer there'],
      ['right', 'what it reads is produced again'],
      ['last', 'what it reads is produced again'],
    ]);
  });

  it('what it wrote is damaged', async () => {
    await fails();
    const [index = ''] = readdirSync(at('state/results'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.index'),
    );
    const path = at(`state/results/${index}`);
    writeFileSync(path, readFileSync(path).fill(7, 60));
    const { resumed } = await run();
    expect(resumed?.rerun[0]).toEqual({
      operator: 'texts',
      why: expect.stringMatching(/^what it wrote is needed, and damaged: its index: .*checksum/),
    });
    expect(written()).toEqual(numbers(60));
  });

  it('what it wrote is gone', async () => {
    await fails();
    rmSync(at('state/results'), { recursive: true });
    const { resumed } = await run();
    expect(resumed?.rerun[0]).toEqual({ operator: 'texts', why: 'what it wrote is needed, and no longer there' });
  });

  it('what it wrote is there, but does not fit another exchange', async () => {
    const divided = (exchange: 'blocking' | 'reliable', label: (text: Text) => Text): Promise<JobReceipt> => {
      const job = Job.create('divided');
      job
        .source('texts', jsonLinesFile<Text>(at('texts.jsonl')))
        .rebalance({ exchange })
        .map(label, { uid: 'label', version: label.name })
        .sink('out', toJsonLinesFile(at('out.jsonl')));
      return runStory(job, { stateDirectory: at('state'), restartBackoff: noRestart() }).then(({ receipt }) => receipt);
    };
    await expect(divided('blocking', withBug)).rejects.toMatchObject({ code: 'JOB_FAILED' });
    const { resumed } = await divided('reliable', asItIs);
    expect(resumed?.rerun).toContainEqual({
      operator: 'texts',
      why: 'what it wrote does not fit: the exchange after "texts" was blocking, is reliable',
    });
  });

  it('it runs together with a task that failed', async () => {
    await expect(forked('pipelined', withBug)).rejects.toMatchObject({ code: 'JOB_FAILED' });
    const again = await forked('pipelined', (text) => text);
    expect(again.get('right')).toBe('it runs together with a task that has to run');
    expect(again.has('texts')).toBe(false);
  });
});

describe('a limit of errors', () => {
  /** Three of 30 records of each task are bad; the second task fails at its second record until that is mended. */
  async function limited(maxErrors: MaxErrors, options: JobRunOptions, isMended = true): Promise<JobReceipt> {
    const job = Job.create('limited', { parallelism: 2 });
    job
      .source('texts', jsonLinesFile<Text>(at('texts.jsonl')))
      .map(
        (text) => {
          if (text.id % 10 === 0) throw new RangeError(`${text.id} is bad`);
          return text;
        },
        { uid: 'check', onError: 'skip', maxErrors },
      )
      .map(
        (text) => {
          if (!isMended && text.id === 31) throw new TypeError('no label');
          return text;
        },
        { uid: 'label' },
      )
      .rebalance({ exchange: 'blocking' })
      .sink('out', toJsonLinesFile(at('out.jsonl')));
    const { receipt } = await runStory(job, { stateDirectory: at('state'), executors: 1, slots: 1, ...options });
    return receipt;
  }

  const broken = (maxErrors: MaxErrors) =>
    expect(limited(maxErrors, { restartBackoff: noRestart() }, false)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('no label') },
    });

  const countsThem = async (maxErrors: MaxErrors): Promise<void> => {
    await broken(maxErrors);
    await expect(limited(maxErrors, {})).rejects.toMatchObject({
      cause: { code: 'TOO_MANY_ERRORS', errors: 5, records: 41 },
    });
  };

  it('counts those of tasks that had finished in an earlier run', () => countsThem(4));

  inOneDataPlane('executors report their records when an error asks for them, a batch later at most', () => {
    it('counts those of tasks that had finished in an earlier run, as a share', () =>
      countsThem({ share: 0.12, atLeast: 4 }));
  });

  it.each<[MaxErrors]>([[6], [{ share: 0.13, atLeast: 4 }]])('and their records: %j', async (maxErrors) => {
    await broken(maxErrors);
    const { rejected, resumed } = await limited(maxErrors, {});
    expect([rejected, resumed?.tasks]).toEqual([[{ operator: 'check', skipped: 6, deadLetters: 0, replaced: 0 }], 1]);
  });

  it('does not count those of an earlier run whose task runs again', async () => {
    await broken(6);
    const { rejected } = await limited(6, { rerun: true });
    expect(rejected).toMatchObject([{ skipped: 6 }]);
  });
});

describe('sinks', () => {
  it('a part that was deleted since is written again', async () => {
    await run();
    rmSync(at('out-00001-of-00002.jsonl'));
    const { resumed } = await run();
    expect(written()).toEqual(numbers(60));
    expect(resumed?.tasks).toBeLessThan(4);
  });

  it('no part of an earlier version stays beside those of another parallelism', async () => {
    await run();
    await run({ parallelism: 3 });
    expect(readdirSync(home).filter((name) => name.startsWith('out'))).toHaveLength(3);
    expect(written()).toEqual(numbers(60));
  });

  it('a sink that cannot replace its records gets none twice, unless rerun: true says so', async () => {
    const got: number[] = [];
    const sink = forEach<Text>(({ id }) => void got.push(id));
    await run({ sink });
    await expect(run({ sink, fix: (text) => ({ id: text.id }) })).rejects.toMatchObject({
      cause: { code: 'OUTPUT_COMMITTED', sink: 'out', changed: [{ operator: 'fix' }] },
    });
    expect(got).toHaveLength(60);
    await run({ sink, fix: (text) => ({ id: text.id }) }, { rerun: true });
    expect(got).toHaveLength(120);
  });

  it('dead letters too: a sink that cannot replace them gets none twice', async () => {
    const letters: unknown[] = [];
    const deadLetter = forEach((letter) => void letters.push(letter));
    const job = (version: number): Job => {
      const made = Job.create('letters');
      made
        .source('texts', jsonLinesFile<Text>(at('texts.jsonl')))
        .map(withBug, { uid: 'fix', version, onError: { deadLetter } })
        .sink('out', toJsonLinesFile(at('out.jsonl')));
      return made;
    };
    await runStory(job(1), { stateDirectory: at('state') });
    await expect(runStory(job(2), { stateDirectory: at('state') })).rejects.toMatchObject({
      cause: { code: 'OUTPUT_COMMITTED' },
    });
    expect(letters).toHaveLength(1);
  });

  it('records that finished tasks have rejected count in every receipt that counts these tasks', async () => {
    const job = (fix: (text: Text) => Text, version = 1): Job => {
      const made = Job.create('rejected', { parallelism: 2 });
      made
        .source('texts', jsonLinesFile<Text>(at('texts.jsonl')))
        .map(withBug, { uid: 'parse', version, onError: { deadLetter: toJsonLinesFile(at('dead.jsonl')) } })
        .rebalance({ exchange: 'blocking' })
        .map(fix, { uid: 'fix', version })
        .sink('out', toJsonLinesFile(at('out.jsonl')));
      return made;
    };
    const runs = async (made: Job, options: JobRunOptions = {}): Promise<JobReceipt> =>
      (await runStory(made, { stateDirectory: at('state'), ...options })).receipt;
    const bug = (): Text => {
      throw new TypeError('no label');
    };
    const one = [{ operator: 'parse', skipped: 0, deadLetters: 1, replaced: 0 }];
    for (let time = 0; time < 2; time++) {
      await expect(runs(job(bug), { restartBackoff: noRestart() })).rejects.toMatchObject({ code: 'JOB_FAILED' });
    }
    const fixed = await runs(job(asItIs, 1));
    expect([fixed.resumed?.tasks, fixed.rejected]).toEqual([2, one]);
    const finished = await runs(job(asItIs, 1));
    expect([finished.resumed?.tasks, finished.rejected]).toEqual([4, one]);
    expect(finished.toString()).toContain('records not processed: 1 dead letter of "parse"');
    // Another attempt counts for itself.
    const again = await runs(job(asItIs, 2));
    expect([again.resumed?.tasks, again.rejected]).toEqual([0, one]);
  });

  describe('files of dead letters', () => {
    const letters = (name: string): Version => ({
      fix: withBug,
      onFixError: { deadLetter: toJsonLinesFile(at(name)) },
    });
    const idsIn = (prefix: string): number[] =>
      readdirSync(home)
        .filter((name) => name.startsWith(prefix))
        .flatMap((name) => readFileSync(at(name), 'utf8').split('\n'))
        .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { record: Text }).record.id]));

    it.each<[what: string, next: () => Version]>([
      ['another parallelism', () => ({ ...letters('dead.jsonl'), parallelism: 3 })],
      ['another path', () => letters('letters.jsonl')],
      ['no dead letters', () => ({})],
    ])('none of an earlier version stays behind %s', async (_, next) => {
      await run(letters('dead.jsonl'));
      expect(idsIn('dead')).toEqual([33]);
      const version = next();
      await run(version);
      expect([...idsIn('dead'), ...idsIn('letters')]).toEqual(version.onFixError === undefined ? [] : [33]);
      const parts = readdirSync(home).filter((name) => name.startsWith('dead') || name.startsWith('letters'));
      expect(parts).toHaveLength(version.onFixError === undefined ? 0 : (version.parallelism ?? 2));
      expect(written()).toHaveLength(version.onFixError === undefined ? 60 : 59);
    });

    it('are replaced if an operator before them changed', async () => {
      await run(letters('dead.jsonl'));
      const prepare = (text: Text): Text => ({ id: 92 - text.id });
      await run({ ...letters('dead.jsonl'), prepare });
      expect(idsIn('dead')).toEqual([33]);
      await run({ ...letters('dead.jsonl'), prepare: (text) => ({ id: text.id + 100 }) });
      expect([idsIn('dead'), written().length]).toEqual([[], 60]);
    });

    it('that were deleted are written again', async () => {
      await run(letters('dead.jsonl'));
      for (const name of readdirSync(home)) if (name.startsWith('dead')) rmSync(at(name));
      await run(letters('dead.jsonl'));
      expect(idsIn('dead')).toEqual([33]);
    });
  });

  it.each(['auto', 'never'] as const)('no part of an earlier version stays with resume: %s', async (resume) => {
    await run();
    await run({ parallelism: 3 }, { resume });
    expect(readdirSync(home).filter((name) => name.startsWith('out'))).toHaveLength(3);
  });

  it('collect: the records are collected anew in each process, from what is kept', async () => {
    await fails();
    const collected = collect<Text>();
    const { resumed } = await run({ sink: collected });
    expect(collected.records.map(({ id }) => id).sort((a, b) => a - b)).toEqual(numbers(60));
    expect([resumed?.results, paid.length]).toEqual([2, 60]);
  });
});

describe('options', () => {
  it("resume: 'require' fails if there is nothing to continue", async () => {
    await expect(run({}, { resume: 'require' })).rejects.toMatchObject({ cause: { code: 'NOTHING_TO_RESUME' } });
    expect(paid).toEqual([]);
    expect(readdirSync(home)).toEqual(['texts.jsonl']);
  });

  it("resume: 'require' continues", async () => {
    await fails();
    await run({}, { resume: 'require' });
    expect(paid).toHaveLength(60);
  });

  it("resume: 'never' uses nothing from before", async () => {
    await fails();
    const { resumed } = await run({}, { resume: 'never' });
    expect([resumed, paid.length]).toEqual([undefined, 120]);
  });

  it.each<[what: string, version: () => Version]>([
    ['a file', () => ({ sink: toJsonLinesFile(at('state/results/out.jsonl')) })],
    ['dead letters', () => ({ onFixError: { deadLetter: toJsonLinesFile(at('state/dead.jsonl')) } })],
  ])('a sink cannot write into the state directory: %s', (_, version) => {
    expect(() => labels(version()).run({ stateDirectory: at('state') })).toThrow(
      /is in the state directory.*elsewhere/,
    );
    expect(existsSync(at('state'))).toBe(false);
  });

  const ticks = { ...fromArray([1]), deterministic: false };

  it.each<[where: string, add: (job: Job) => DataStream<number>]>([
    ['by the source itself', (job) => job.source('ticks', { ...ticks, replayable: false })],
    ['by the option of the job', (job) => job.source('ticks', ticks, { replayable: false })],
  ])('a source that cannot be read again, which is said %s, needs a reliable exchange behind it', async (_, add) => {
    const job = Job.create('ticks');
    add(job)
      .map((tick) => tick)
      .sink('out', collect());
    const refused = /cannot be read again.*reliable exchange/;
    expect(() => job.run({ stateDirectory: at('state') })).toThrow(refused);
    expect((await explain(job, { stateDirectory: at('state') })).resume.refusal?.message).toMatch(refused);
    const kept = Job.create('ticks');
    add(kept).rebalance({ exchange: 'reliable' }).sink('out', collect());
    await runStory(kept, { stateDirectory: at('state') });
  });

  it('a source of its own that can be read again here is not refused', async () => {
    const job = Job.create('ticks');
    job.source('ticks', { ...ticks, replayable: false }, { replayable: true }).sink('out', collect());
    await runStory(job, { stateDirectory: at('state') });
  });
});

describe('a state directory of another job', () => {
  const other = (): Job => {
    const job = Job.create('other', { parallelism: 2 });
    job.source('texts', jsonLinesFile<Text>(at('texts.jsonl'))).sink('out', toJsonLinesFile(at('other.jsonl')));
    return job;
  };

  it('is refused, and its output stays', async () => {
    await run();
    await expect(runStory(other(), { stateDirectory: at('state') })).rejects.toMatchObject({
      cause: { code: 'STATE_OF_OTHER_JOB', job: 'other', otherJob: 'labels' },
    });
    expect((await explain(other(), { stateDirectory: at('state') })).resume.refusal?.message).toContain('"labels"');
    expect(written()).toEqual(numbers(60));
    expect((await run()).resumed?.finishedAt).toBeDefined();
  });

  it("with resume: 'never' it becomes that of the new job, and the output of the other one stays", async () => {
    await run();
    await runStory(other(), { stateDirectory: at('state'), resume: 'never' });
    expect(written()).toEqual(numbers(60));
    await expect(run()).rejects.toMatchObject({ cause: { code: 'STATE_OF_OTHER_JOB' } });
  });
});

describe('the owner of a state directory', () => {
  it('SD1: is one run, and refuses others with its process, host and start', async () => {
    let refused: Promise<unknown> | undefined;
    const sink = forEach<Text>(() => {
      refused ??= expect(run({ sink })).rejects.toMatchObject({
        cause: {
          code: 'STATE_DIRECTORY_IN_USE',
          owner: { pid: process.pid, isHere: true, job: 'labels', since: expect.any(String) },
        },
      });
    });
    await run({ sink });
    await refused;
    expect(refused).toBeDefined();
    // It is free again.
    await run();
  });
});

describe('a damaged journal', () => {
  it('a changed bit anywhere in it costs work at the most, never the output, and is told with its place', async () => {
    await fails();
    const warnings: string[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: (text: string) => warnings.push(text), error: () => {} };
    let copies = 0;
    const journal = readFileSync(join(at('state'), 'journal'));
    for (let place = 5; place < journal.length; place += Math.ceil(journal.length / 12)) {
      const copy = at('copy');
      rmSync(copy, { recursive: true, force: true });
      cpSync(at('state'), copy, { recursive: true });
      const damaged = Buffer.from(journal);
      damaged[place] = (damaged[place] as number) ^ 16;
      writeFileSync(join(copy, 'journal'), damaged);
      await runStory(labels(), { stateDirectory: copy, logger });
      expect(written()).toEqual(numbers(60));
      copies++;
    }
    const damages = warnings.filter((text) => text.includes(' are damaged: '));
    expect(damages).toHaveLength(copies);
    expect(damages[1]).toMatch(/copy\/journal: \d+ bytes at \d+ are damaged: the checksum/);
  });

  it('of another version is refused, and stays as it is', async () => {
    await fails();
    const file = join(at('state'), 'journal');
    writeFileSync(file, `not a journal${' '.repeat(100)}`);
    const before = readFileSync(file);
    await expect(run()).rejects.toMatchObject({ cause: { code: 'JOURNAL_FORMAT' } });
    expect(readFileSync(file)).toEqual(before);
  });
});

describe('a process that dies at any instant', () => {
  it.each([1, 2, 3])('is continued by another, and the output is right (%i)', async (parallelism) => {
    const [state, out] = [at('state'), at('out.jsonl')];
    const copies: string[] = [];
    const job = labels({ parallelism });
    const events = new Set<number>();
    let count = 0;
    const { receipt } = await runStory(job, {
      stateDirectory: state,
      inspect: () => {
        // A copy of the disk as it is now: what another process finds after SIGKILL.
        if (count++ % (parallelism * 11) !== 0 || !existsSync(state) || copies.length >= 12) return;
        const copy = at(`copy-${copies.length}`);
        cpSync(state, copy, { recursive: true, filter: (path) => !path.includes('kintsugi') });
        copies.push(copy);
      },
    });
    expect(receipt.resumed).toBeUndefined();
    expect(copies.length).toBeGreaterThan(5);
    for (const copy of copies) {
      rmSync(out, { force: true });
      const { receipt: next } = await runStory(labels({ parallelism }), { stateDirectory: copy });
      events.add(next.resumed?.tasks ?? -1);
      expect(written()).toEqual(numbers(60));
    }
    // Some found finished tasks, some did not.
    expect(events.size).toBeGreaterThan(1);
  });
});
