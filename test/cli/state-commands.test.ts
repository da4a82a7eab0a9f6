import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, fromArray, Job, noRestart } from 'kintsugi';
import { commandLine } from '../../src/cli/main.ts';
import { CapturedIo } from './captured-io.ts';

const root = mkdtempSync(join(tmpdir(), 'kintsugi-state-commands-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
const freshDirectory = (): string => join(root, `state-${count++}`);

async function command(...args: string[]) {
  const io = new CapturedIo();
  const code = await commandLine(args, io);
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

//  numbers[0..1] → call ─┤├▶ sums[0..1], which fail unless they may pass
function paidJob(gate: { isOpen: boolean } = { isOpen: false }): Job {
  const job = Job.create('paid', { parallelism: 2 });
  job
    .source('numbers', fromArray([0, 1, 2, 3]))
    .mapAsync(async (n) => n * 2, { uid: 'call', remember: { key: (n) => `no. ${n}` }, version: 7 })
    // Both tasks of `sums` get some.
    .keyBy((n) => n / 2)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .map((n) => {
      if (!gate.isOpen) throw new Error('not yet');
      return n;
    })
    .sink('out', collect());
  return job;
}

/** The state directory of a run that has failed behind its results. */
async function failedState(): Promise<string> {
  const stateDirectory = freshDirectory();
  await paidJob()
    .run({ stateDirectory, restartBackoff: noRestart() })
    .result.catch(() => {});
  return stateDirectory;
}

describe('kintsugi results', () => {
  it('ls lists the results that a failed run left, by exchange', async () => {
    const state = await failedState();
    const { code, stdout } = await command('results', 'ls', state);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Job "paid" in \S+\n {2}run \w{16} began \S+Z, failed \S+Z\n {2}2 of 4 tasks finished\n/);
    expect(stdout).toMatch(/numbers → sums +blocking +2 of 2 +4 records +\S+ k?B/);
    const json = await command('results', 'ls', state, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      job: 'paid',
      end: { status: 'failed' },
      exchanges: [{ source: 'numbers', target: 'sums', results: 2, tasks: 2, records: 4, missing: 0 }],
    });
  });

  it('ls tells of results whose files are gone', async () => {
    const state = await failedState();
    for (const run of readdirSync(join(state, 'results'))) {
      const files = readdirSync(join(state, 'results', run)).filter((name) => name.endsWith('.index'));
      rmSync(join(state, 'results', run, files[0] as string));
    }
    expect((await command('results', 'ls', state)).stdout).toMatch(/1 of 2 .* 1 damaged/);
  });

  it('ls tells of a finished run, which keeps no results', async () => {
    const stateDirectory = freshDirectory();
    await paidJob({ isOpen: true }).run({ stateDirectory }).result;
    const { stdout } = await command('results', 'ls', stateDirectory);
    expect(stdout).toMatch(/finished \S+Z\n {2}4 of 4 tasks finished\n {2}no results are kept/);
  });

  it('rm deletes them, so that the next run begins from the start, and leaves paid answers', async () => {
    const state = await failedState();
    expect(await command('results', 'rm', state)).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(state)).toEqual(['answers']);
    const { receipt } = await paidJob({ isOpen: true }).run({ stateDirectory: state }).result;
    expect(receipt).toMatchObject({ resumed: undefined, calls: { made: 0, reused: 4 } });
  });

  it('rm deletes a directory that is empty then', async () => {
    const state = await failedState();
    await command('answers', 'rm', state, '--all');
    rmSync(join(state, 'answers'), { recursive: true });
    await command('results', 'rm', state);
    expect(existsSync(state)).toBe(false);
  });

  it('ls names the process that uses the directory, and rm refuses', async () => {
    const stateDirectory = freshDirectory();
    const job = Job.create('endless', { mode: 'batch' });
    let isCalled = (): void => {};
    const called = new Promise<void>((resolve) => (isCalled = resolve));
    const wait = (_: number, { signal }: { signal: AbortSignal }): Promise<number> => {
      isCalled();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    };
    job
      .source('numbers', fromArray([0]))
      .mapAsync(wait, { remember: false })
      .sink('out', collect());
    const run = job.run({ stateDirectory });
    await called;
    const { stdout } = await command('results', 'ls', stateDirectory);
    expect(stdout).toMatch(new RegExp(`and runs in process ${process.pid} on `));
    const refused = await command('results', 'rm', stateDirectory);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/is in use: run \w+ of job "endless", in this process.* Wait until it ends/);
    expect(existsSync(join(stateDirectory, 'journal'))).toBe(true);
    await run.cancel();
    expect((await command('results', 'rm', stateDirectory)).code).toBe(0);
  });

  it.each(['ls', 'rm'])('%s touches nothing that is no state directory', async (name) => {
    const other = freshDirectory();
    mkdirSync(other);
    writeFileSync(join(other, 'precious.txt'), 'mine');
    const { code, stderr } = await command('results', name, other);
    expect(code).toBe(2);
    expect(stderr).toMatch(/is no state directory: there is no journal in it\. Check the path/);
    expect(readdirSync(other)).toEqual(['precious.txt']);
  });
});

describe('kintsugi answers', () => {
  it('ls counts them by operator and version, in a state directory and in that of the answers', async () => {
    const state = await failedState();
    for (const directory of [state, join(state, 'answers')]) {
      const { code, stdout } = await command('answers', 'ls', directory);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^Answers\n {2}"call" +version 7 +4 answers +\d+ B +\S+Z to \S+Z\n$/);
    }
    const [line] = (await command('answers', 'ls', state, '--json')).stdout.trim().split('\n');
    expect(JSON.parse(line as string)).toMatchObject({ operator: 'call', version: '7', answers: 4 });
  });

  it('export writes those that were asked for, a line each', async () => {
    const state = await failedState();
    const all = (await command('answers', 'export', state)).stdout.trim().split('\n');
    expect(all.map((line) => JSON.parse(line).answer).sort()).toEqual([0, 2, 4, 6]);
    const { stdout } = await command('answers', 'export', state, '--key', 'no. 2');
    expect(JSON.parse(stdout)).toEqual({
      ...{ operator: 'call', version: '7', key: 'no. 2', answer: 4 },
      rememberedAt: expect.stringMatching(/Z$/),
    });
  });

  it('rm deletes those that were asked for, and asks which', async () => {
    const state = await failedState();
    for (const args of [[], ['--all', '--key', 'no. 2']]) {
      const refused = await command('answers', 'rm', state, ...args);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(/Say which answers: --operator, --version, --key, --before, or else --all/);
    }
    expect((await command('answers', 'rm', state, '--key', 'no. 2')).stdout).toBe('1 answer deleted.\n');
    expect((await command('answers', 'rm', state, '--before', '2001-01-01')).stdout).toBe('0 answers deleted.\n');
    expect((await command('answers', 'rm', state, '--all')).stdout).toBe('3 answers deleted.\n');
    expect((await command('answers', 'ls', state)).stdout).toMatch(/There are no answers in/);
  });

  it.each([
    [['--before', 'yesterday'], /--before yesterday: expected a time like/],
    [['--keys', 'a'], /no option --keys: did you mean --key\?/],
  ])('refuses %j', async (args, says) => {
    const { code, stderr } = await command('answers', 'export', root, ...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(says) });
  });

  it('tells of a directory that does not exist', async () => {
    const { code, stderr } = await command('answers', 'ls', join(root, 'nowhere'));
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/nowhere does not exist\. Check the path/),
    });
  });
});

describe('the help', () => {
  it.each([[], ['--help'], ['help']])('of all commands: %s', async (...args) => {
    const { code, stdout } = await command(...args);
    expect(code).toBe(0);
    for (const name of ['run', 'explain', 'results ls', 'results rm', 'answers ls', 'answers export', 'answers rm']) {
      expect(stdout).toContain(`\n  ${name} `);
    }
  });

  it('of each command names its options', async () => {
    const { stdout } = await command('answers', 'rm', '--help');
    expect(stdout).toMatch(/^Usage: kintsugi answers rm DIR \[options\]\n\nDelete remembered answers/);
    expect(stdout).toMatch(/--key KEY +only the one with this key/);
  });

  it.each([
    [['rnu'], /There is no command "rnu": did you mean run\?/],
    [['results'], /results needs one of its commands: results ls, results rm/],
    [['results', 'list'], /results needs one of its commands/],
  ])('is pointed to by the error about %j', async (args, says) => {
    const { code, stderr } = await command(...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(says) });
    expect(stderr).toMatch(/See: kintsugi --help\n$/);
  });
});
