import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { floorOverrides } from './lint-floors.ts';
import { architectureViolations, type SourceTree } from './source-tree.ts';

const root = join(__dirname, '../..');

/** The `index.ts` files that the package publishes. */
function publishedDoors(): string[] {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { readonly default: string }>;
  };
  return Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [] : [target.default.replace('./dist/', '').replace(/\.js$/, '.ts')],
  );
}

function sourceTree(): SourceTree {
  const paths = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'))
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(root, 'src', path), 'utf8')]));
}

describe('the source tree', () => {
  it('keeps its floors, has no import cycle, and takes time and chance only from Environment', () => {
    const tree = sourceTree();
    expect(tree.size).toBeGreaterThan(40);
    expect(architectureViolations(tree, publishedDoors())).toEqual([]);
  });
});

it("an observer of a run uses its events and its graph: no fold imports a chart, the master's books or an executor", () => {
  const folds = [...sourceTree()].filter(([path]) => path.startsWith('run/folds/'));
  expect(folds.length).toBeGreaterThan(8);
  const known = folds.filter(([, source]) => /from '[^']*\/(machines|executors|scheduling)\//.test(source));
  expect(known.map(([path]) => path)).toEqual([]);
});

describe('the checker', () => {
  const sound: Readonly<Record<string, string>> = {
    'ids.ts': 'export type Id = number;',
    'environment.ts': 'export const now = () => Date.now();',
    'index.ts': "export { run } from './api/job.ts';",
    'graph/node.ts': "import type { Id } from '../ids.ts'; export type Node = { id: Id };",
    'failover/rule.ts': "import type { Node } from '../graph/node.ts'; export type Rule = (node: Node) => Node;",
    'scheduling/order.ts': "import type { Node } from '../graph/node.ts'; export type Order = readonly Node[];",
    'partitions/stream.ts':
      "import { of } from 'rxjs'; import { open } from 'node:fs/promises'; export const s$ = of(open);",
    'partitions/retained/log.ts': "import { s$ } from '../stream.ts'; export const log = s$;",
    'actors/task.ts':
      "import { fromCallback } from 'xstate'; import { s$ } from '../partitions/stream.ts'; export const task = [fromCallback, s$];",
    'machines/job.ts':
      "import { setup } from 'xstate'; import type { task } from '../actors/task.ts'; export const job = setup; export type T = typeof task;",
    'machines/strategies/all.ts':
      "import { type Rule } from '../../failover/rule.ts'; import { job } from '../job.ts'; export const all = job as unknown as Rule;",
    'api/job.ts':
      "import { job } from '../machines/job.ts'; import { task } from '../actors/task.ts'; export const run = [job, task];",
    'testing/index.ts': "export { run } from '../index.ts';",
  };
  const doors = ['index.ts', 'testing/index.ts'];
  const violations = (planted: Readonly<Record<string, string>>): string[] =>
    architectureViolations(new Map(Object.entries({ ...sound, ...planted })), doors);

  it('finds nothing in a sound tree', () => {
    expect(violations({})).toEqual([]);
  });

  it.each<[what: string, path: string, source: string, violation: string]>([
    [
      'an import upwards',
      'graph/up.ts',
      "import { s$ } from '../partitions/stream.ts';",
      'graph/up.ts imports partitions/stream.ts: graph must not know partitions',
    ],
    [
      'an import upwards by type',
      'graph/up.ts',
      "import type { job } from '../machines/job.ts';",
      'graph/up.ts imports machines/job.ts: graph must not know machines',
    ],
    [
      'an import upwards inside a type',
      'graph/up.ts',
      "export type Job = typeof import('../machines/job.ts');",
      'graph/up.ts imports machines/job.ts: graph must not know machines',
    ],
    [
      'an import upwards at run time',
      'graph/up.ts',
      "export const job = () => import('../machines/job.ts');",
      'graph/up.ts imports machines/job.ts: graph must not know machines',
    ],
    [
      'a re-export upwards',
      'graph/up.ts',
      "export { job } from '../machines/job.ts';",
      'graph/up.ts imports machines/job.ts: graph must not know machines',
    ],
    [
      'a re-export of everything upwards',
      'graph/up.ts',
      "export * from '../machines/job.ts';",
      'graph/up.ts imports machines/job.ts: graph must not know machines',
    ],
    [
      'an import over several lines, after a comment that lies',
      'graph/up.ts',
      "/* import 'x' */ import {\n  job,\n} from // from './here'\n  '../machines/job.ts';",
      'graph/up.ts imports machines/job.ts: graph must not know machines',
    ],
    [
      'rules that know each other',
      'failover/order.ts',
      "import type { Order } from '../scheduling/order.ts';",
      'failover/order.ts imports scheduling/order.ts: failover must not know scheduling',
    ],
    [
      'rules that know each other, the other way',
      'scheduling/rule.ts',
      "import type { Rule } from '../failover/rule.ts';",
      'scheduling/rule.ts imports failover/rule.ts: scheduling must not know failover',
    ],
    [
      'a machine that imports an actor',
      'machines/region.ts',
      "import { task } from '../actors/task.ts';",
      'machines/region.ts imports actors/task.ts: machines knows actors by `import type` alone',
    ],
    [
      'a machine that imports an actor among types',
      'machines/region.ts',
      "import { task, type Task } from '../actors/task.ts';",
      'machines/region.ts imports actors/task.ts: machines knows actors by `import type` alone',
    ],
    [
      'a machine that knows streams',
      'machines/region.ts',
      "import type { s$ } from '../partitions/stream.ts';",
      'machines/region.ts imports partitions/stream.ts: machines must not know partitions',
    ],
    [
      'rxjs in a machine',
      'machines/region.ts',
      "import type { Observable } from 'rxjs';",
      'machines/region.ts imports rxjs: machines must not know rxjs',
    ],
    [
      'a room that knows one above it',
      'partitions/storage/file.ts',
      "import type { s$ } from '../retained/log.ts';",
      'partitions/storage/file.ts imports partitions/retained/log.ts: in partitions, room storage must not know retained',
    ],
    [
      'the ground floor of a part that knows a room above it',
      'partitions/gate.ts',
      "import { s$ } from './retained/log.ts';",
      'partitions/gate.ts imports partitions/retained/log.ts: in partitions, room . must not know retained',
    ],
    [
      'a room without a floor',
      'partitions/misc/thing.ts',
      "import { s$ } from '../stream.ts';",
      'partitions/misc/thing.ts imports partitions/stream.ts: in partitions, room misc must not know .',
    ],
    [
      'xstate in the data plane',
      'operators/map.ts',
      "import { fromCallback } from 'xstate';",
      'operators/map.ts imports xstate: operators must not know xstate',
    ],
    [
      'a subpath of rxjs in a rule',
      'failover/r.ts',
      "import { map } from 'rxjs/operators';",
      'failover/r.ts imports rxjs/operators: failover must not know rxjs',
    ],
    [
      'Node in a rule',
      'failover/r.ts',
      "import { readFileSync } from 'node:fs';",
      'failover/r.ts imports node:fs: failover is pure',
    ],
    [
      'timers of Node',
      'operators/t.ts',
      "import { setTimeout as sleep } from 'node:timers/promises';",
      'operators/t.ts imports node:timers/promises: timers come from Environment',
    ],
    [
      'the engine that knows the testing door',
      'api/test.ts',
      "import { run } from '../testing/index.ts';",
      'api/test.ts imports testing/index.ts: api must not know testing',
    ],
    [
      'a kernel file that imports a floor above',
      'assert.ts',
      "import type { Node } from './graph/node.ts';",
      'assert.ts imports graph/node.ts: kernel must not know graph',
    ],
    [
      'a folder without a floor',
      'misc/thing.ts',
      'export const thing = 1;',
      'misc/thing.ts belongs to no part: give it a floor in test/architecture/floors.ts',
    ],
    [
      'a file beside the folders without a floor',
      'thing.ts',
      'export const thing = 1;',
      'thing.ts belongs to no part: give it a floor in test/architecture/floors.ts',
    ],
    [
      'an import of nothing',
      'graph/lost.ts',
      "import './gone.ts';",
      'graph/lost.ts imports ./gone.ts, which is not in src',
    ],
    [
      'the clock of the machine',
      'graph/a.ts',
      'export const at = Date.now();',
      'graph/a.ts uses Date.now: time, chance and timers come from Environment',
    ],
    [
      'the date of the machine',
      'graph/a.ts',
      'export const at = new Date();',
      'graph/a.ts uses new Date(): time, chance and timers come from Environment',
    ],
    [
      'chance of the machine',
      'graph/a.ts',
      "export const r = Math['random']();",
      'graph/a.ts uses Math.random: time, chance and timers come from Environment',
    ],
    [
      'chance of the machine, passed on',
      'graph/a.ts',
      'export const r = { next: Math.random };',
      'graph/a.ts uses Math.random: time, chance and timers come from Environment',
    ],
    [
      'a timer in a default parameter',
      'graph/a.ts',
      'export function f(later = setTimeout): void { later(f, 1); }',
      'graph/a.ts uses setTimeout: time, chance and timers come from Environment',
    ],
    [
      'a timer in a callback',
      'graph/a.ts',
      'export const f = [() => [setImmediate(() => {})]];',
      'graph/a.ts uses setImmediate: time, chance and timers come from Environment',
    ],
    [
      'a timer in a method',
      'graph/a.ts',
      'export class A { later(): void { setTimeout(() => {}); } }',
      'graph/a.ts uses setTimeout: time, chance and timers come from Environment',
    ],
    [
      'the clock of the machine in a constructor',
      'graph/a.ts',
      'export class A { constructor(readonly at = Date.now()) {} }',
      'graph/a.ts uses Date.now: time, chance and timers come from Environment',
    ],
    [
      'a timer by way of globalThis',
      'graph/a.ts',
      'globalThis.setInterval(() => {}, 1);',
      'graph/a.ts uses setInterval: time, chance and timers come from Environment',
    ],
    [
      'a microtask',
      'graph/a.ts',
      'queueMicrotask(() => {});',
      'graph/a.ts uses queueMicrotask: time, chance and timers come from Environment',
    ],
    [
      'a timer of a signal',
      'graph/a.ts',
      'export const s = AbortSignal.timeout(1);',
      'graph/a.ts uses AbortSignal.timeout: time, chance and timers come from Environment',
    ],
    ['a default export', 'graph/a.ts', 'export default 1;', 'graph/a.ts has a default export'],
    [
      'a default export of a function',
      'graph/a.ts',
      'export default function f(): void {}',
      'graph/a.ts has a default export',
    ],
    [
      'a barrel',
      'graph/index.ts',
      "export * from './node.ts';",
      'graph/index.ts is no published door: import the files directly',
    ],
    ['a name in camel case', 'graph/jobGraph.ts', 'export const a = 1;', 'graph/jobGraph.ts is not in kebab-case'],
    [
      'a meaningless name',
      'graph/graph-utils.ts',
      'export const a = 1;',
      'graph/graph-utils.ts does not say what is in it',
    ],
    [
      'a file that is too long',
      'graph/long.ts',
      'export {};\n'.repeat(351),
      'graph/long.ts has 351 lines, more than 350: split it',
    ],
    [
      'a function that is too long',
      'graph/long.ts',
      `export function much(): void {\n${'much();\n'.repeat(59)}}`,
      'graph/long.ts: much has 61 lines, more than 60: split it',
    ],
    [
      'a function that is too long because of nested ones',
      'graph/long.ts',
      `export const much = () => {\n  return class {\n${'    a() {}\n'.repeat(58)}  };\n};`,
      'graph/long.ts: much has 62 lines, more than 60: split it',
    ],
    [
      'a method that is too long, after characters of several bytes',
      'graph/long.ts',
      `// → ─ é\nexport class Much {\n  all(): void {\n${'    this.all(); // é\n'.repeat(59)}  }\n}`,
      'graph/long.ts: all has 61 lines, more than 60: split it',
    ],
    [
      'a private method that is too long',
      'graph/long.ts',
      `export class Much {\n  #all(): void {\n${'    this.#all();\n'.repeat(59)}  }\n}`,
      'graph/long.ts: all has 61 lines, more than 60: split it',
    ],
    [
      'a constructor that is too long',
      'graph/long.ts',
      `export class Much {\n  constructor() {\n${'    much();\n'.repeat(59)}  }\n}`,
      'graph/long.ts: constructor has 61 lines, more than 60: split it',
    ],
    [
      'a function of an object that is too long',
      'graph/long.ts',
      `export const much = {\n  all: () => {\n${'    much.all();\n'.repeat(59)}  },\n};`,
      'graph/long.ts: all has 61 lines, more than 60: split it',
    ],
    [
      'a function without a name that is too long',
      'graph/long.ts',
      `much(() => {\n${'  much();\n'.repeat(59)}});`,
      'graph/long.ts: (line 1) has 61 lines, more than 60: split it',
    ],
  ])('finds %s', (_, path, source, violation) => {
    expect(violations({ [path]: source })).toEqual([violation]);
  });

  it('finds an overfull folder', () => {
    const crowd = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`graph/n${index}.ts`, 'export {};']));
    expect(violations(crowd)).toEqual(['graph has 17 files, more than 16: give it rooms']);
  });

  it.each<[what: string, source: string]>([
    ['a function that just fits', `export function much(): void {\n${'much();\n'.repeat(58)}}\n\n`],
    ['a file that just fits', 'export {};\n'.repeat(350)],
    ['properties called like a global', 'export const f = (clock: { setTimeout(): void }) => clock.setTimeout();'],
    ['methods called like a global', 'export class Clock { setTimeout(): void {} performance = 1; }'],
    ['a given date', 'export const at = new Date(0);'],
    [
      'names in comments and strings',
      '// Date.now()\nexport const text = "setTimeout Math.random() import(\'../machines/job.ts\')";',
    ],
  ])('accepts %s', (_, source) => {
    expect(violations({ 'graph/a.ts': source })).toEqual([]);
  });

  it('finds a cycle, also through types, and names its files', () => {
    expect(
      violations({
        'graph/a.ts': "import type { B } from './b.ts'; export type A = B;",
        'graph/b.ts': "import { c } from './c.ts'; export type B = typeof c;",
        'graph/c.ts': "import type { A } from './a.ts'; export const c: A | 1 = 1;",
        'graph/d.ts': "export * from './a.ts'; export * from './c.ts';",
      }),
    ).toEqual(['These files import each other in a ring: graph/a.ts → graph/b.ts → graph/c.ts → graph/a.ts']);
  });
});

it('agrees with the linter, whose configuration has the same floors', () => {
  const { overrides } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as { overrides: unknown[] };
  expect(overrides).toEqual(expect.arrayContaining(floorOverrides()));
});
