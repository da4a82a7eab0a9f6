import { commandLine } from '../../src/cli/main.ts';
import { CapturedIo } from './captured-io.ts';
import { CliProject } from './cli-project.ts';

// Says when it is at record 100, and goes on slowly until there is a file `go-on`.
const sums = `
  import { existsSync } from 'node:fs';
  import { defineJob, Job, range, toJsonLinesFile } from 'kintsugi';
  const job = Job.create('sums', { mode: 'streaming' });
  job
    .source('numbers', range(0, 120))
    .mapAsync(async (n) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (n === 100) console.log('at 100');
      if (n >= 100 && !existsSync('go-on')) await new Promise((resolve) => setTimeout(resolve, 50));
      return n;
    }, { uid: 'paid', concurrency: 1, remember: false })
    .keyBy((n) => n % 4)
    .aggregate(
      { create: () => ({ sum: 0 }), add: ({ sum }, n) => ({ sum: sum + n }), result: ({ sum }, key) => ({ key, sum }) },
      { uid: 'sums', emit: 'final' },
    )
    .sink('out', toJsonLinesFile('sums.jsonl'));
  export default defineJob(job);`;

let project: CliProject;
beforeAll(async () => {
  project = await CliProject.create();
  project.write('sums.mjs', sums);
});
afterAll(() => project.remove('.'));
beforeEach(() => project.remove('go-on'));

describe('kintsugi run --savepoint', () => {
  it('stops with a savepoint at Ctrl-C, which the next run begins with', async () => {
    const first = project.start(['run', 'sums.mjs', '--checkpoints', '20', '--savepoint', 'kept/1']);
    await first.wrote('at 100');
    first.child.kill('SIGINT');
    await first.wrote('SIGINT: stopping with a savepoint in kept/1');
    const stopped = await first.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/Canceled by SIGINT\. --from-savepoint \S*kept\/1 continues it\./);
    project.write('go-on', '');
    const again = await project.run(['run', 'sums.mjs', '--checkpoints', '20', '--from-savepoint', 'kept/1']);
    expect(again.stderr).toContain('0 failures');
    expect(again.code).toBe(0);
    // It did not begin anew.
    expect(again.stdout).not.toContain('at 100');
    const rows = project.read('sums.jsonl').trim().split('\n');
    const expected = [0, 1, 2, 3].map((key) => ({ key, sum: 30 * key + (4 * 29 * 30) / 2 }));
    expect(rows.map((row) => JSON.parse(row) as { key: number }).sort((a, b) => a.key - b.key)).toEqual(expected);
  });

  it('with --drain: final results come first, and the job has finished', async () => {
    const drained = project.start(['run', 'sums.mjs', '--checkpoints', '20', '--savepoint', 'kept/2', '--drain']);
    await drained.wrote('at 100');
    drained.child.kill('SIGINT');
    await drained.wrote('SIGINT: draining with a savepoint in kept/2');
    const ended = await drained.ended;
    expect(ended.code).toBe(0);
    const sums = project
      .read('sums.jsonl')
      .trim()
      .split('\n')
      .map((row) => (JSON.parse(row) as { sum: number }).sum);
    expect(sums).toHaveLength(4);
    const read = Array.from({ length: 120 }, (_, n) => (n * (n + 1)) / 2);
    expect(read.slice(99)).toContain(sums.reduce((all, sum) => all + sum));
    expect(ended.stdout).toContain('at 100');
  });

  it('cancels without one where none can be taken, and says why', async () => {
    const first = project.start(['run', 'sums.mjs', '--checkpoints', '20', '--savepoint', 'full']);
    await first.wrote('at 100');
    project.write('full/file', '');
    first.child.kill('SIGINT');
    const stopped = await first.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/No savepoint, canceling without: .*full/);
    expect(stopped.stderr).toContain('Canceled by SIGINT. Nothing of it is kept.');
  });
});

it.each([
  [['--checkpoints', 'often'], /--checkpoints often: expected the time between two in ms/],
  [['--checkpoints', '0'], /--checkpoints 0: expected/],
  [['--savepoint', 'kept'], /--savepoint needs --checkpoints MS/],
  [['--checkpoints', '5', '--drain'], /--drain needs --savepoint DIR/],
  // Known at Ctrl-C alone, it would cost all that the job has done.
  [
    ['--checkpoints', '5', '--savepoint', '.'],
    /--savepoint \.: there is something in it\. Name a directory that is empty/,
  ],
  [['--checkpoints', '5', '--savepoint', 'package.json'], /--savepoint package\.json: it cannot be read \(ENOTDIR/],
  [['--from-savepoint', 'kept'], /--from-savepoint needs --checkpoints MS/],
  [['--checkpoints', '5', '--allow-removed-state'], /--allow-removed-state needs --from-savepoint DIR/],
])('%j are refused before the module is loaded', async (options, says) => {
  const io = new CapturedIo();
  expect(await commandLine(['run', 'none.mjs', ...options], io)).toBe(2);
  expect(io.stderr.text).toMatch(says);
});
