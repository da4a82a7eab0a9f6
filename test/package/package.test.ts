import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isLong } from '../support/draws.ts';

/**
 * The tests use what a user gets from `npm pack`: they pack the package, put it into fresh projects as `npm install`
 * would (with the dependencies of this checkout, because a test that needs a registry fails with it), and use it from
 * each.
 */
const root = join(__dirname, '..', '..');
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string>>;

const source = `
const job = Job.create('words');
const lengths = collect();
job.source('words', fromArray(['gold', 'dust', 'lacquer'])).map((word) => word.length).sink('lengths', lengths);
job.run().result.then(() => console.log(lengths.records.join(' ')));
`;
const shared = `
import { Observable } from 'rxjs';
const other = Job.create('other');
const kept = collect();
// It loads parts of the package, and a library of theirs.
other.source('one', fromArray([{ its: 'gold' }])).rebalance({ exchange: 'reliable' }).sink('kept', kept);
const first = other.run();
console.log(first.events$ instanceof Observable);
first.result.then(() => console.log(kept.records.length));
`;
const inspected = `
const job = Job.create('words');
job.source('words', fromArray(['gold', 'dust', 'lacquer'])).sink('lengths', collect());
inspect(job.run()).then(async ({ url }) => {
  const page = await (await fetch(url)).text();
  console.log(/<title>.*<.title>/.exec(page)[0]);
  const files = page.matchAll(/"[.][/](assets[/][^"]*)"/g);
  const answers = await Promise.all(Array.from(files, ([, file]) => fetch(new URL(file, url))));
  console.log(...answers.map(({ status }) => status));
  const runs = await (await fetch(url.replace('/?', '/api/runs?'))).json();
  console.log(runs[0].job);
});
`;
const jobModule = `
// In a worker thread, too, a job has the arguments of the program alone.
if (process.argv.some((value) => value.startsWith('kintsugi-'))) process.exit(9);
import { defineJob, forEach, fromArray, Job } from 'kintsugi';
const job = Job.create('words');
job
  .source('words', fromArray(['gold', 'dust', 'lacquer']))
  .map((word) => word.length)
  .sink('lengths', forEach((length) => { console.log(length); }));
export default defineJob(job);
`;
const typed = `
import { collect, fromArray, Job, type JobRun } from 'kintsugi';
import { inspect, type Inspection, inspector, nodeHandler } from 'kintsugi/inspect';
import { jobMetrics } from 'kintsugi/metrics';
import { simulate } from 'kintsugi/testing';
const job = Job.create('words');
const lengths = collect<number>();
job.source('words', fromArray(['gold', 'dust', 'lacquer'])).map((word) => word.length).sink('lengths', lengths);
export const run: JobRun = job.run();
export const stop: () => void = jobMetrics().watch(run);
export const report: Promise<{ readonly seed: number }> = simulate(job, { seed: 1 });
export const inspection: Promise<Inspection> = inspect(run, { port: 0 });
export const page: (request: Request) => Promise<Response> = inspector({ basePath: '/inspector' }).fetch;
export const handler: (request: never, response: never) => void = nodeHandler({ fetch: page });
// @ts-expect-error words have no such method
job.source('more', fromArray(['gold'])).map((word) => word.lenght);
`;

/** Whether all of `dist/` is newer than what it is built from; a folder is as old as the last change of its files. */
function isBuilt(): boolean {
  // One file of each step of `npm run build`.
  const built = ['index.d.ts', 'index.js', 'inspector/page/index.html'].map((name) => join(root, 'dist', name));
  const configs = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'vite.config.ts'];
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map((name) =>
    join('src', name),
  );
  const changedMs = (path: string): number => statSync(path).mtimeMs;
  const builders = readdirSync(join(root, 'build')).map((name) => join('build', name));
  const newest = Math.max(...['src', ...configs, ...builders, ...sources].map((name) => changedMs(join(root, name))));
  return !isLong && built.every((path) => existsSync(path) && changedMs(path) > newest);
}

let directory: string;
let unpacked: string;

beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'kintsugi-package-')));
  // It builds, unless what is there was built from these sources.
  const args = ['pack', '--silent', ...(isBuilt() ? ['--ignore-scripts'] : []), '--pack-destination', directory];
  execFileSync(npm, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], shell: process.platform === 'win32' });
  const [tarball] = readdirSync(directory).filter((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['-xzf', tarball as string], { cwd: directory });
  unpacked = join(directory, 'package');
  install();
});

const builtPage = (): string => join(unpacked, 'dist', 'inspector', 'page');

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Puts files into a project with the package and its dependencies, and nothing else. Returns its directory. */
function project(files: Readonly<Record<string, string>>): string {
  const home = join(directory, 'project');
  for (const [file, text] of Object.entries(files)) writeFileSync(join(home, file), text);
  return home;
}

/** Installs the package, with its dependencies, the types of Node, and what reads TypeScript. */
function install(): void {
  const modules = join(directory, 'project', 'node_modules');
  mkdirSync(modules, { recursive: true });
  const { dependencies = {}, peerDependencies = {} } = manifest;
  const others = ['@types/node', 'tsx'];
  for (const dependency of [...Object.keys(dependencies), ...Object.keys(peerDependencies), ...others]) {
    const place = join(modules, dependency);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(realpathSync(join(root, 'node_modules', dependency)), place, 'junction');
  }
  // Not a link: Node and TypeScript would find this checkout's modules.
  renameSync(unpacked, join(modules, 'kintsugi'));
  unpacked = join(modules, 'kintsugi');
}

function filesBelow(place: string): string[] {
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** What a built file imports as it is loaded. */
function importsOf(file: string): string[] {
  const imports = readFileSync(file, 'utf8').matchAll(/\b(?:from|import)\s*"([\w#@./:-]+)"/g);
  return Array.from(imports, ([, name]) => name as string);
}

/** A built file with the files of the package that it imports before it runs, and those that they import. */
function openedBy(file: string, opened = new Set<string>()): Set<string> {
  if (opened.has(file)) return opened;
  opened.add(file);
  for (const path of importsOf(file)) if (path.startsWith('.')) openedBy(resolve(dirname(file), path), opened);
  return opened;
}

describe('the package', () => {
  it.each([
    'dist/index.js',
    'dist/index.d.ts',
    'dist/testing/index.js',
    'dist/cli/bin.js',
    'dist/metrics/index.js',
    'README.md',
    'docs/running.md',
    'LICENSE',
    'CHANGELOG.md',
  ])('contains %s', (file) => {
    expect(existsSync(join(unpacked, file))).toBe(true);
  });

  it('contains no tests, benches or examples', () => {
    expect(readdirSync(unpacked).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist',
      'docs',
      'package.json',
      'src',
    ]);
  });

  it('has a command that the system can start', () => {
    const bin = join(unpacked, 'dist', 'cli', 'bin.js');
    expect(readFileSync(bin, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node');
    if (process.platform !== 'win32') accessSync(bin, constants.X_OK);
  });

  it('contains the targets of its source maps', () => {
    const maps = filesBelow(join(unpacked, 'dist')).filter((file) => file.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(100);
    const missing = maps.flatMap((map) => {
      const { sources } = JSON.parse(readFileSync(map, 'utf8')) as { sources: string[] };
      return sources.map((path) => resolve(dirname(map), path)).filter((path) => !existsSync(path));
    });
    expect(missing).toEqual([]);
  });

  it('has the page of the inspector', () => {
    const page = filesBelow(builtPage()).map((file) => file.slice(file.lastIndexOf('.')));
    expect(page.sort()).toEqual(['.css', '.html', '.js', '.svg']);
  });

  it('is up to date: all types in dist have their source', () => {
    const left = filesBelow(join(unpacked, 'dist'))
      .filter((file) => file.endsWith('.d.ts'))
      .map((file) => file.replace(join(unpacked, 'dist'), join(unpacked, 'src')).replace(/\.d\.ts$/, '.ts'))
      .filter((file) => !existsSync(file));
    expect(left).toEqual([]);
  });

  it.each([
    ['index.js', 2],
    ['inspector/index.js', 6],
    ['metrics/index.js', 4],
    ['testing/index.js', 3],
    ['cli/bin.js', 3],
  ])('opens few of its files on import: %s', (door, atMost) => {
    const files = openedBy(join(unpacked, 'dist', door));
    expect(files.size).toBeGreaterThan(1);
    expect(files.size).toBeLessThanOrEqual(atMost);
  });
});

describe('the libraries that the import of the package opens', () => {
  it('are few, of RxJS they are the files of some classes, and none is imported: that takes longer than require', () => {
    const door = openedBy(join(unpacked, 'dist', 'index.js'));
    expect([...door].flatMap(importsOf).filter((name) => !name.startsWith('.'))).toEqual(['#require', 'node:module']);
    const texts = Array.from(door, (file) => readFileSync(file, 'utf8'));
    const required = texts.flatMap((text) =>
      Array.from(text.matchAll(/libraryOf\("(?:\\\n)?([^"]+)"\)/g), ([, name]) => name),
    );
    const classes = ['Observable', 'ReplaySubject', 'Subject', 'Subscriber', 'Subscription'];
    const ofRxjs = classes.map((name) => `rxjs/internal/${name}`);
    expect(required.toSorted()).toEqual(['immer', ...ofRxjs, 'xstate', 'xstate/package.json']);
  });
});

describe('the parts of the package that are loaded with their first use', () => {
  const core = (): string => JSON.stringify(pathToFileURL(join(unpacked, 'dist', 'shared', 'core.js')).href);
  const parts = (): string[] =>
    readdirSync(join(unpacked, 'dist', 'shared')).flatMap((file) => (file.endsWith('.cjs') ? [file.slice(0, -4)] : []));
  const run = (text: string): string => {
    const home = project({ 'parts.mjs': text });
    const options = { cwd: home, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    return execFileSync(process.execPath, ['parts.mjs'], options);
  };
  const loaded = String.raw`
import { createRequire } from 'node:module';
const opened = () => Object.keys(createRequire(import.meta.url).cache);
const loaded = () => opened().flatMap((file) => /[\\/]shared[\\/]([a-z]+)\.cjs$/.exec(file)?.[1] ?? []);
`;

  it('are not loaded by a simple job', () => {
    const text = `${loaded}
import { forEach, fromArray, Job } from 'kintsugi';
const job = Job.create('words');
job.source('words', fromArray(['gold'])).map((word) => word.length).sink('lengths', forEach(() => {}));
await job.run().result;
// Of Node, a simple job needs neither threads nor streams.
const ofNode = process.moduleLoadList.filter((name) => /^NativeModule (?:worker_threads|stream|zlib)$/.test(name));
console.log(...loaded(), ...ofNode);
`;
    expect(run(text)).toBe('\n');
  });

  it('are loaded by a job that uses them', () => {
    const text = `${loaded}
import { collect, fromArray, Job } from 'kintsugi';
const job = Job.create('words');
const copies = collect();
const words = job.source('words', fromArray(['gold', 'dust', 'lacquer']));
words.rebalance({ exchange: 'reliable' }).sink('copies', copies);
await job.run().result;
console.log(copies.records.length, loaded().includes('results'));
`;
    expect(run(text)).toBe('3 true\n');
  });

  it('are not loaded by a command that only says its version', () => {
    const text = `${loaded.replace(/^import .*/m, "const { createRequire } = require('node:module');")}
process.on('exit', () => console.log(loaded().join()));
`.replace('import.meta.url', '__filename');
    const home = project({ 'parts.cjs': text });
    const args = ['--require', join(home, 'parts.cjs'), join(unpacked, 'dist', 'cli', 'bin.js'), '--version'];
    const options = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    expect(execFileSync(process.execPath, args, options).split('\n').slice(1)).toEqual(['', '']);
  });

  it('have public functions, each of which loads its part when it is called', () => {
    const text = `${loaded}
import { csvFile, fileCheckpoints, fromAsyncIterable, rememberedAnswers } from 'kintsugi';
const before = loaded().join();
const made = [csvFile('words.csv'), fromAsyncIterable(async function* () {}), fileCheckpoints('checkpoints')];
console.log(before, made.every((value) => typeof value === 'object'), loaded().toSorted().join(), rememberedAnswers.name);
`;
    expect(run(text)).toBe(' true connectors,results,streams rememberedAnswers\n');
  });

  it('work in any order, and have all that others use of them', () => {
    expect(parts().length).toBeGreaterThan(4);
    const lacking = parts().flatMap((first) => {
      const text = `
import { part } from ${core()};
for (const name of ${JSON.stringify([first, ...parts()])}) {
  for (const [key, value] of Object.entries(part(name))) if (value === undefined) console.log(name, key);
}`;
      return run(text).split('\n').filter(Boolean);
    });
    expect(lacking).toEqual([]);
  });

  it('are found where Node takes no files of its own conditions', () => {
    const { imports } = manifest as unknown as { imports: Record<string, Record<string, string>> };
    const targets = Object.values(imports['#require'] ?? {}).map((file) => existsSync(join(unpacked, file)));
    expect(targets).toEqual([true, true]);
    const home = project({ 'main.mjs': `import { collect, fromArray, Job } from 'kintsugi';\n${source}` });
    const options = { cwd: home, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    expect(execFileSync(process.execPath, ['--no-addons', 'main.mjs'], options)).toBe('4 4 7\n');
  });
});

describe('a fresh project', () => {
  it('opens few files of the libraries on import, and shares the classes of RxJS', () => {
    const text = `
import { createRequire } from 'node:module';
import { fromArray, forEach, Job } from 'kintsugi';
const opened = Object.keys(createRequire(import.meta.url).cache);
const ofRxjs = opened.filter((file) => /[\\\\/]rxjs[\\\\/]/.test(file));
console.log(ofRxjs.length > 0 && ofRxjs.length <= 20, opened.some((file) => file.endsWith('.node')));
const { Observable } = await import('rxjs');
const job = Job.create('words');
job.source('words', fromArray(['gold'])).sink('nowhere', forEach(() => {}));
const run = job.run();
console.log(run.events$ instanceof Observable, run.status$ instanceof Observable);
await run.result;
`;
    const home = project({ 'opened.mjs': text });
    const options = { cwd: home, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    expect(execFileSync(process.execPath, ['opened.mjs'], options)).toBe('true false\ntrue true\n');
  });

  it.each<[string, string, string]>([
    ['of ES modules', 'main.mjs', `import { collect, fromArray, Job } from 'kintsugi';\n${source}`],
    ['of CommonJS', 'main.cjs', `const { collect, fromArray, Job } = require('kintsugi');\n${source}`],
  ])('%s runs a job', (_, file, text) => {
    const home = project({ [file]: text });
    const options = { cwd: home, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    expect(execFileSync(process.execPath, ['--no-warnings', file], options)).toBe('4 4 7\n');
  });

  it.each([
    ['for Node', 'esm', ['--platform=node']],
    ['for Node, as CommonJS', 'cjs', ['--platform=node']],
    ['with the modules of RxJS', 'esm', ['--platform=neutral', '--conditions=es2015', '--main-fields=module,main']],
  ])('runs a job from one bundled file %s', (_, format, given) => {
    const home = project({ 'bundled.mjs': `import { collect, fromArray, Job } from 'kintsugi';\n${shared}${source}` });
    const built = [join(directory, 'bundled'), format === 'esm' ? 'mjs' : 'cjs'].join('.');
    const external = builtinModules.flatMap((name) => [`--external:${name}`, `--external:node:${name}`]);
    const args = ['bundled.mjs', '--bundle', '--log-level=error', `--format=${format}`, `--outfile=${built}`];
    const esbuild = join(root, 'node_modules', '.bin', 'esbuild');
    const isWindows = process.platform === 'win32';
    execFileSync(esbuild, [...args, ...given, ...external, '--external:*.node'], { cwd: home, shell: isWindows });
    // Far from the libraries that it was made of.
    const options = { cwd: directory, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    const lines = execFileSync(process.execPath, ['--no-warnings', built], options).trim().split('\n');
    expect(lines.toSorted()).toEqual(['1', '4 4 7', 'true']);
  });

  it.each([
    ['job.mjs', []],
    ['job.mjs', ['--workers', '2']],
    ['job.ts', ['--workers', '2']],
  ])('runs the job of the module %s by its command, with %j', (module, given) => {
    // Not by stripping types alone.
    const home = project({ [module]: module.endsWith('.ts') ? `${jobModule}\nexport enum Size { Small }` : jobModule });
    const bin = join(home, 'node_modules', 'kintsugi', 'dist', 'cli', 'bin.js');
    const options = { cwd: home, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'run', module, ...given], options);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '4\n4\n7\n' });
    expect(stderr).toMatch(/^words: 1 task in \d+ ms, 0 failures$/m);
    const { version } = manifest as unknown as { version: string };
    expect(execFileSync(process.execPath, [bin, '--version'], options)).toBe(`${version}\n`);
  });

  it.each<[string, string, string]>([
    [
      'ES modules',
      'inspected.mjs',
      `import { collect, fromArray, Job } from 'kintsugi';\nimport { inspect } from 'kintsugi/inspect';`,
    ],
    [
      'CommonJS',
      'inspected.cjs',
      `const { collect, fromArray, Job } = require('kintsugi');\nconst { inspect } = require('kintsugi/inspect');`,
    ],
  ])('of %s shows a run in the inspector', (_, file, imports) => {
    const home = project({ [file]: `${imports}\n${inspected}` });
    const options = { cwd: home, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    const printed = execFileSync(process.execPath, ['--no-warnings', file], options).split('\n');
    expect(printed).toEqual(['<title>Kintsugi inspector</title>', expect.stringMatching(/^200 200/), 'words', '']);
  });

  it.each([
    // The oldest takes ten times as long.
    ...(isLong ? [['TypeScript 5.7', 'compat/node_modules/typescript', []] as const] : []),
    ['the present TypeScript', 'node_modules/typescript', ['--singleThreaded']] as const,
  ])('of %s compiles against its types, strictly', (_, compiler, options) => {
    const home = project({
      'main.ts': typed,
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          target: 'ES2022',
          lib: ['ES2022', 'ESNext.Disposable', 'DOM'],
          module: 'nodenext',
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          // TypeScript's own libraries are not ours, and take a third of the time.
          skipDefaultLibCheck: true,
          types: ['node'],
        },
        files: ['main.ts'],
      }),
    });
    const tsc = join(root, compiler, 'bin', 'tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', '.', ...options], { cwd: home, encoding: 'utf8' });
    // Errors of XState's own types with exactOptionalPropertyTypes are not ours.
    const complaints = stdout.split('\n').filter((line) => /^(main\.ts|node_modules\/kintsugi)/.test(line));
    expect(complaints).toEqual([]);
  });
});
