import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { commandLine } from '../../src/cli/main.ts';
import { CapturedIo } from './captured-io.ts';
import { CliProject } from './cli-project.ts';
import { Terminal } from './terminal.ts';

const jobs: Readonly<Record<string, string>> = {
  'ratings.ts': `
    import { defineJob, fromArray, Job, toJsonLinesFile } from 'kintsugi';
    enum Step { One = 1 }
    export default defineJob<'count' | 'out'>(({ count = '100', out = 'out.jsonl' }) => {
      const job = Job.create('ratings');
      job
        .source('reviews', fromArray(Array.from({ length: Number(count) }, (_, n) => ({ product: n % 7, stars: Step.One }))))
        .keyBy(({ product }) => product)
        .reduce((a, b) => ({ product: a.product, stars: a.stars + b.stars }), { uid: 'sums' })
        .sink('ratings', toJsonLinesFile(out));
      return job;
    });`,
  'fails.mjs': `
    import { collect, defineJob, fromArray, Job } from 'kintsugi';
    export default defineJob(() => {
      const job = Job.create('hopeless');
      job.source('words', fromArray(['gold', 'dust'])).map(weigh).sink('out', collect());
      return job;
    });
    function weigh(word) {
      if (word === 'dust') throw new TypeError('dust has no weight');
      return word.length;
    }`,
  'mends.mjs': `
    import { collect, defineJob, fromArray, Job } from 'kintsugi';
    let failures = 0;
    const job = Job.create('mended');
    job
      .source('words', fromArray(['gold', 'dust']))
      .rebalance({ exchange: 'blocking' })
      .map((word) => { if (failures++ === 0) throw new Error('only once'); return word; }, { uid: 'weigh' })
      .sink('out', collect());
    export default defineJob(job);`,
  'pipes.mjs': `
    import { defineJob, forEach, fromArray, Job } from 'kintsugi';
    const job = Job.create('pipe');
    job.source('words', fromArray(['gold', 'dust'])).sink('out', forEach((word) => { console.log(word); }));
    export default defineJob(job);`,
  // Its third call waits until there is a file `go-on`.
  'paid.mjs': `
    import { existsSync } from 'node:fs';
    import { defineJob, fromArray, Job, toJsonLinesFile } from 'kintsugi';
    const call = async (n) => {
      if (n === 2 && !existsSync('go-on')) {
        console.log('in its third call');
        while (!existsSync('go-on')) await new Promise((resolve) => setTimeout(resolve, 10));
        // What is told to the task before that arrives before its answer, however busy the machine is.
        for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
      }
      return n;
    };
    const job = Job.create('paid');
    job
      .source('numbers', fromArray([0, 1, 2, 3]))
      .mapAsync(call, { uid: 'call', concurrency: 1, remember: true })
      .sink('out', toJsonLinesFile('paid.jsonl'));
    export default defineJob(job);`,
  'no-default.mjs': 'export const job = 1;',
  'not-defined.mjs': 'export default () => 1;',
  'throws.mjs': `
    const setting = () => { throw new RangeError('SETTING is not set'); };
    setting();`,
  'throws-later.mjs': `
    import { defineJob } from 'kintsugi';
    const setting = () => { throw Object.assign(new RangeError('SETTING is not set'), { code: 'E_SETTING' }); };
    export default defineJob(() => setting());`,
  // What it waits for does not keep a process alive.
  'waits.mjs': `
    import { collect, defineJob, fromArray, Job } from 'kintsugi';
    const job = Job.create('waiting');
    job.source('words', fromArray(['gold'])).mapAsync(() => new Promise(() => {}), { remember: false }).sink('out', collect());
    export default defineJob(job);`,
  'no-job.mjs': "import { defineJob } from 'kintsugi'; export default defineJob(async () => {});",
  'bad-import.mjs': "import 'no-such-package'; export default 1;",
};

let project: CliProject;

beforeAll(async () => {
  project = await CliProject.create();
  for (const [file, text] of Object.entries(jobs)) project.write(file, text);
});

afterAll(() => project.remove('.'));

describe('kintsugi run', () => {
  it('runs the job of a TypeScript module with its parameters, and ends with its receipt', async () => {
    const { code, stdout, stderr } = await project.run([
      'run',
      'ratings.ts',
      '--param',
      'count=14',
      '--param=out=a.jsonl',
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(/^ratings: 1 task in \d+ ms, 0 failures$/m);
    const sums = project
      .read('a.jsonl')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(sums).toHaveLength(7);
    expect(sums).toEqual(expect.arrayContaining([{ product: 3, stars: 2 }]));
  });

  it('leaves stdout to the job, and writes no control characters to what is no terminal', async () => {
    const { code, stdout, stderr } = await project.run(['run', 'pipes.mjs']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'gold\ndust\n' });
    expect(stderr).not.toMatch(/[^\n\P{Cc}]/u);
  });

  it('tells of a failure and of the restart that mends it', async () => {
    const { code, stderr } = await project.run(['run', 'mends.mjs', '--strategy', 'restart-individual']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/weigh\[0\] failed: only once/);
    expect(stderr).toMatch(/1 task restarts in/);
    expect(stderr).toMatch(/restarted 1 of 2 tasks/);
  });

  it.each<[what: string, args: readonly string[], code: number, says: readonly (string | RegExp)[]]>([
    ['a job that fails', ['fails.mjs'], 1, [/dust has no weight/, /at weigh \(.*fails\.mjs:9/, /With --state DIR/]],
    ['a module that does not exist', ['ratins.ts'], 2, [/ratins\.ts does not exist/, /Did you mean ratings\.ts\?/]],
    ['no default export', ['no-default.mjs'], 2, [/has no default export/, /export default defineJob\(\(params\)/]],
    ['another default export', ['not-defined.mjs'], 2, [/exports no job/, /export default defineJob\(\(params\)/]],
    ['a definition without a job', ['no-job.mjs'], 2, [/the job itself \(end the function with `return job`/]],
    [
      'a module that throws',
      ['throws.mjs'],
      2,
      [/RangeError: SETTING is not set/, /at setting \(.*throws\.mjs:2/, /Correct the module/],
    ],
    [
      'a definition that throws',
      ['throws-later.mjs'],
      2,
      [
        /cannot define its job: RangeError: SETTING is not set/,
        /at setting \(.*throws-later\.mjs:3/,
        /Correct its def/,
      ],
    ],
    ['a missing package', ['bad-import.mjs'], 2, [/no-such-package/, /Install what is missing/]],
    ['an unknown option', ['ratings.ts', '--parm', 'a=1'], 2, [/no option --parm: did you mean --param\?/]],
    ['an unknown strategy', ['ratings.ts', '--strategy', 'restart-some'], 2, [/There is no strategy "restart-some"/]],
    ['an inspector that is not there', ['ratings.ts', '--keep-open'], 2, [/--keep-open needs --inspect/]],
    ['a rerun of nothing', ['ratings.ts', '--rerun'], 2, [/--rerun needs --state DIR/]],
    [
      'a policy that does not exist',
      ['ratings.ts', '--state', 's', '--resume', 'perhaps'],
      2,
      [/"auto" or "require" or "never"/],
    ],
    [
      'a state directory that is none',
      ['ratings.ts', '--state', 'pipes.mjs'],
      1,
      [/pipes\.mjs: cannot write/, /Nothing of it is kept: pipes\.mjs could not be used\. Check the path/],
    ],
    [
      'nothing to resume',
      ['ratings.ts', '--state', 'empty', '--resume', 'require'],
      1,
      [/nothing of job "ratings" to continue/],
    ],
  ])('%s', async (_, args, code, says) => {
    const ended = await project.run(['run', ...args]);
    for (const text of says) expect(ended.stderr).toMatch(text);
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: '' });
  });

  // These need no process: they are refused before the module is looked for.
  it.each<[what: string, args: readonly string[], says: readonly RegExp[]]>([
    ['no module', [], [/job\.ts is missing/, /See: kintsugi run --help/]],
    ['an option without its value', ['ratings.ts', '--state', '--json'], [/--state needs a value: --state DIR/]],
    ['a parameter without a value', ['ratings.ts', '--param', 'count'], [/--param count: expected NAME=VALUE/]],
    ['one argument too many', ['ratings.ts', 'more.ts'], [/"more\.ts" is one argument too many/]],
  ])('refuses %s', async (_, args, says) => {
    const io = new CapturedIo();
    const code = await commandLine(['run', ...args], io);
    for (const text of says) expect(io.stderr.text).toMatch(text);
    expect({ code, stdout: io.stdout.text }).toEqual({ code: 2, stdout: '' });
  });

  it('with --record leaves a recording of the run', async () => {
    const { code } = await project.run(['run', 'fails.mjs', '--record', 'run.jsonl']);
    expect(code).toBe(1);
    const lines = project
      .read('run.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; event?: { type: string } });
    expect(lines[0]).toMatchObject({ type: 'run', job: 'hopeless' });
    expect(lines.some(({ event }) => event?.type === 'task.failed')).toBe(true);
  });

  it('warns of a parameter that the job does not read', async () => {
    const { code, stderr } = await project.run(['run', 'ratings.ts', '--param', 'cuont=14']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/has not read the parameter cuont: did you mean count\?/);
  });

  it('with --json writes events and the end, a line each', async () => {
    const { code, stdout } = await project.run(['run', 'fails.mjs', '--json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(code).toBe(1);
    expect(lines[0]).toMatchObject({ type: 'event', event: { type: 'job.statusChanged' } });
    const failed = lines.find(({ event }) => (event as { type?: string } | undefined)?.type === 'task.failed');
    expect(failed).toMatchObject({ event: { cause: { name: 'TypeError', message: 'dust has no weight' } } });
    expect(lines.at(-1)).toMatchObject({ type: 'end', status: 'failed', exitCode: 1, receipt: { job: 'hopeless' } });
  });
});

it('a job that waits for what keeps no process alive is waited for', async () => {
  const { child, wrote, ended } = project.start(['run', 'waits.mjs', '--json']);
  // The first comes after a second: Node would have ended the process long before.
  await wrote('"type":"progress"');
  child.kill('SIGINT');
  await wrote('SIGINT: canceling');
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: undefined, signal: 'SIGINT' });
});

describe('where kintsugi run has its tasks run', () => {
  it.each<[given: string[], says: RegExp]>([
    [['--workers', '0'], /expected the number of worker threads/],
    [['--workers', 'two'], /expected the number of worker threads/],
    [['--workers', '1.5'], /expected the number of worker threads/],
    [['--executors', '-1'], /expected|ambiguous/],
    [['--slots', 'many'], /expected the number of slots/],
    [['--heartbeat', 'often'], /expected MS or MS\/MS/],
    [['--heartbeat', '0'], /expected MS or MS\/MS/],
    [['--workers', '2', '--executors', '2'], /exclude each other/],
  ])('refuses %j', async (given, says) => {
    const io = new CapturedIo();
    expect(await commandLine(['run', 'unread.mjs', ...given], io)).toBe(2);
    expect(io.stderr.text).toMatch(says);
  });

  it('is on executors of this thread, with slots each', async () => {
    const given = ['--executors', '2', '--slots', '3', '--heartbeat', '50/500', '--json'];
    const { code, stdout } = await project.run(['run', 'pipes.mjs', ...given]);
    expect(code).toBe(0);
    const registered = [...stdout.matchAll(/"type":"executor.registered".*?"executor":"([^"]*)","slots":(\d+)/g)];
    expect(registered.map(([, executor, slots]) => `${executor} ${slots}`)).toEqual(['local-0 3', 'local-1 3']);
  });
});

describe('kintsugi run --quarantine', () => {
  it('goes on without a region that fails too often, and says so by an exit code of its own', async () => {
    project.write(
      'breaks.mjs',
      `import { collect, defineJob, fromArray, Job } from 'kintsugi';
      export default defineJob(() => {
        const job = Job.create('two');
        const broken = () => { throw new Error('the database is away'); };
        job.source('a', fromArray([1])).map(broken, { uid: 'breaks' }).sink('left', collect());
        job.source('b', fromArray([1])).sink('right', collect());
        return job;
      });`,
    );
    const { code, stderr } = await project.run(['run', 'breaks.mjs', '--quarantine', '2/60000']);
    expect(stderr).toContain('finished with 1 region quarantined');
    expect(stderr).toContain('the database is away');
    expect(code).toBe(4);
  });

  it.each(['3', '0/5', 'often'])('refuses %s', async (given) => {
    const io = new CapturedIo();
    expect(await commandLine(['run', 'unread.mjs', '--quarantine', given], io)).toBe(2);
    const stderr = io.stderr.text;
    expect(stderr).toMatch(/expected FAILURES\/MS/);
  });
});

describe('kintsugi run --strategy', () => {
  it('takes the default export of a module', async () => {
    project.write('never.mjs', "export default () => ({ kind: 'fail', why: 'this strategy never restarts' });");
    const { code, stderr } = await project.run(['run', 'mends.mjs', '--strategy', './never.mjs']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/this strategy never restarts/);
  });

  it('refuses a module without one', async () => {
    project.write('none.mjs', 'export const strategy = 1;');
    const { code, stderr } = await project.run(['run', 'mends.mjs', '--strategy', './none.mjs']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/none\.mjs has no default export.*export default \(failure, topology\) =>/);
  });
});

describe('kintsugi explain', () => {
  it('says how the job would run', async () => {
    const { code, stdout, stderr } = await project.run(['explain', 'mends.mjs']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Job "mended" \(batch\): 2 vertices, 2 tasks, 2 regions/);
  });

  it('says what restarts if one task fails', async () => {
    const asked = await project.run(['explain', 'mends.mjs', 'weigh[0]']);
    expect(asked).toMatchObject({ code: 0, stdout: 'weigh[0]: 1 of 2 tasks restarts\n' });
    const json = await project.run(['explain', 'mends.mjs', 'weigh[0]', '--json', '--strategy', 'restartAll']);
    expect(JSON.parse(json.stdout)).toMatchObject({ failed: 'weigh[0]', kind: 'restart', taskCount: 2 });
    const unknown = await project.run(['explain', 'mends.mjs', 'wiegh[0]']);
    expect(unknown).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/a task, vertex or operator of job "mended"/),
    });
  });

  it('and run --dry-run say what a state directory would spare, and run nothing', async () => {
    project.write('go-on', '');
    expect((await project.run(['run', 'paid.mjs', '--state', 'explained'])).code).toBe(0);
    for (const command of [
      ['explain', 'paid.mjs'],
      ['run', 'paid.mjs', '--dry-run'],
    ]) {
      const { code, stdout } = await project.run([...command, '--state', 'explained']);
      expect(code).toBe(0);
      expect(stdout).toMatch(/If it runs now with explained/);
    }
    const refused = await project.run(['run', 'paid.mjs', '--dry-run', '--state', 'nothing', '--resume', 'require']);
    expect(refused).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/There is nothing of job "paid" to continue/),
    });
  });
});

describe('a job of another project', () => {
  it('runs, and is warned of, because it uses another copy of the library', async () => {
    const other = await CliProject.create({ packages: [] });
    try {
      other.write('pipes.mjs', jobs['pipes.mjs'] as string);
      const { code, stdout, stderr } = await project.run(['run', `${other.directory}/pipes.mjs`]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'gold\ndust\n' });
      expect(stderr).toMatch(/two copies of kintsugi: start the command of its project \(npx kintsugi\)/);
    } finally {
      other.remove('.');
    }
  });
});

describe('kintsugi run --inspect', () => {
  it('prints a link to the run, which is there until it ends', async () => {
    project.remove('go-on');
    const running = project.start(['run', 'paid.mjs', '--state', 'inspected', '--inspect']);
    await running.wrote('in its third call');
    const link = new URL(/Inspector: (\S+)/.exec(running.written())?.[1] as string);
    const runs = await fetch(new URL(`/api/runs${link.search}`, link));
    expect(await runs.json()).toMatchObject([{ job: 'paid', status: 'running' }]);
    project.write('go-on', '');
    expect((await running.ended).code).toBe(0);
    await expect(fetch(link)).rejects.toThrow();
  });

  it.each<[what: string, portOf: (inUse: number) => string, code: number, says: RegExp]>([
    ['that is none', () => 'any', 2, /port: expected an integer from 0 to 65535/],
    ['in use', String, 3, /Port \d+ is in use\. Give/],
  ])('runs nothing if it gets a port %s', async (_, portOf, code, says) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = portOf((server.address() as AddressInfo).port);
    const ended = await project.run(['run', 'pipes.mjs', '--inspect', '--port', port]);
    server.close();
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
    expect(ended.stderr).not.toContain('is running');
  });

  it('with --keep-open stays until Ctrl-C, and ends with the exit code of the run', async () => {
    const running = project.start(['run', 'fails.mjs', '--inspect', '--keep-open']);
    await running.wrote('The inspector stays open at');
    const link = new URL(/stays open at (\S+);/.exec(running.written())?.[1] as string);
    const runs = await fetch(new URL(`/api/runs${link.search}`, link));
    expect(await runs.json()).toMatchObject([{ job: 'hopeless', status: 'failed' }]);
    running.child.kill('SIGINT');
    expect((await running.ended).code).toBe(1);
  });
});

// Of util-linux: it gives a command a terminal.
const hasScript = String(spawnSync('script', ['--version']).stdout).includes('util-linux');

(hasScript ? describe : describe.skip)('on a terminal (skipped where there is no `script`)', () => {
  it('redraws a line per vertex, around what the job writes, and ends with the receipt', async () => {
    project.write(
      'talks.mjs',
      `
      import { collect, defineJob, fromArray, Job } from 'kintsugi';
      const job = Job.create('talking');
      job
        .source('words', fromArray(['one', 'two', 'three', 'four']))
        .mapAsync(async (word) => {
          await new Promise((resolve) => setTimeout(resolve, 300));
          console.log('said ' + word);
          return word;
        }, { concurrency: 1, remember: false })
        .sink('out', collect());
      export default defineJob(job);`,
    );
    const command = `stty cols 60 rows 20; ${process.execPath} ${project.bin} run talks.mjs`;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      ...{ cwd: project.directory, encoding: 'utf8', env: { PATH: process.env['PATH'], TERM: 'xterm', NO_COLOR: '1' } },
    });
    expect(stdout).toContain('\u001b[2A');
    const terminal = new Terminal(60, 20);
    terminal.write(stdout);
    expect(terminal.screen).toEqual([
      ...['said one', 'said two', 'said three', 'said four'],
      expect.stringMatching(/^talking: 1 task in \d+ ms, 0 failures$/),
    ]);
  });
});

describe('a signal', () => {
  beforeEach(() => project.remove('go-on'));

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s cancels the run behind its calls; the state directory continues it', async (signal, code) => {
    const state = `state-${signal}`;
    const args = ['run', 'paid.mjs', '--state', state];
    const first = project.start(args);
    await first.wrote('in its third call');
    first.child.kill(signal);
    await first.wrote(`${signal}: canceling`);
    project.write('go-on', '');
    const canceled = await first.ended;
    expect(canceled.code).toBe(code);
    expect(canceled.stderr).toContain(`Canceled by ${signal}. Run it again, with the same command: ${state} has`);
    const again = await project.run(args);
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/calls made: 1; answers re-used: 3/);
    expect(project.read('paid.jsonl')).toBe('0\n1\n2\n3\n');
  });

  it('a second SIGINT ends the process at once', async () => {
    const { child, wrote, ended } = project.start(['run', 'paid.mjs', '--state', 'twice']);
    await wrote('in its third call');
    child.kill('SIGINT');
    await wrote('SIGINT: canceling');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: undefined, signal: 'SIGINT' });
  });

  it('a state directory in use is told by an exit code of its own', async () => {
    const args = ['run', 'paid.mjs', '--state', 'shared'];
    const first = project.start(args);
    await first.wrote('in its third call');
    const second = await project.run(args);
    expect(second.code).toBe(3);
    expect(second.stderr).toMatch(/is in use: run \w+ of job "paid", in process \d+/);
    project.write('go-on', '');
    expect((await first.ended).code).toBe(0);
  });
});

describe('without tsx', () => {
  it('a TypeScript module runs where Node strips types, and elsewhere the error says what to install', async () => {
    const bare = await CliProject.create({ packages: [] });
    try {
      bare.write(
        'job.ts',
        (jobs['ratings.ts'] as string).replace('enum Step { One = 1 }', 'const Step = { One: 1 } as const;'),
      );
      const { code, stderr } = await bare.run(['run', 'job.ts']);
      const strips = Boolean((process.features as { typescript?: unknown }).typescript);
      if (strips) expect(code).toBe(0);
      else {
        expect(code).toBe(2);
        expect(stderr).toMatch(/job\.ts is TypeScript, which Node v\S+ does not read\. Install tsx beside it/);
      }
    } finally {
      bare.remove('.');
    }
  });
});
