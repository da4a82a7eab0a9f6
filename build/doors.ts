import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build, type BuildOptions, type Plugin, transform } from 'esbuild';
import { doors, listedPartOf } from './parts.ts';
import { readModules, type SourceModule } from './source-modules.ts';

/**
 * Builds the doors of the package. To the first record of a job, a process spends most of its time on reading our text, of
 * which a job uses a third. So one file, the core, has what a simple job needs, and a few parts have the rest. They are
 * loaded by the first use of one of their values: the source imports them like all others.
 *
 * - `dist/shared/core.js` is one ES module. Where it imports a module of a part, it gets an object with a getter for each
 *   export (on-first-use.ts).
 * - `dist/shared/<part>.cjs` is a function of the core's values, because only a file of CommonJS can be loaded without
 *   waiting for it. Each module is in one file only, so classes are the same everywhere.
 * - `dist/index.js` has the public names of the core, and the other doors have what is theirs alone.
 * - `dist/shared/parts.js` imports all parts and libraries, because a bundler knows of one only by an import. It exports a
 *   `createRequire` that gives what it imported. The core imports that of `#require`: in package.json that is this file, or
 *   in Node the core itself, which exports Node's own.
 */
const root = resolve(import.meta.dirname, '..');
const outdir = join(root, 'dist');
const coreFile = '../shared/core.js';
const modules = await readModules(root, Object.values(doors));

const common = {
  ...{ absWorkingDir: root, bundle: true, platform: 'node', target: 'node20.19', packages: 'external' },
  ...{ sourcemap: true, sourcesContent: false, minifyWhitespace: true, minifySyntax: true, lineLimit: 160 },
  logLevel: 'warning',
} satisfies BuildOptions;

/** Follows the runtime in the core. Imports, because Jest has a `createRequire` of its own. */
const requiring = `
import { createRequire as requireFrom } from "#require";
export { createRequire } from "node:module";
onFirstUse.loadBy(requireFrom(import.meta.url));
`;
const withNativePart = 'msgpackr';
/** They are read with the first use of one of their values: they load many files, and the first record needs them not. */
const readLate: readonly string[] = ['immer', 'node:worker_threads', 'node:zlib'];

type Where = (path: string) => boolean;

const moduleOf = (path: string): SourceModule => modules.get(path) as SourceModule;
const core = reached('src/index.ts');
const isOfCore: Where = (path) => core.has(path);
const isDoorOfCore: Where = (path) => path === doors['index'];
const isUserInCore: Where = (path) => isOfCore(path) && !isDoorOfCore(path);
const partByModule = new Map<string, string>();
for (const path of modules.keys()) joinPart(path, listedPartOf(path));
const partOf = (path: string): string | undefined => partByModule.get(path);
const isOfPart: Where = (path) => partByModule.has(path);
const isOfDoor: Where = (path) => !isOfCore(path) && !isOfPart(path);
const parts = [...new Set(partByModule.values())].sort();
/** Those of the core. Parts get them from it. */
const libraries = new Set(
  [...core].flatMap((path) => moduleOf(path).imports.map(({ from }) => from)).filter(isLibrary),
);

function isLibrary(from: string): boolean {
  return !modules.has(from) && !from.startsWith('node:');
}

/** The modules that a module imports, without those of parts. */
function reached(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path) || listedPartOf(path) !== undefined) return found;
  found.add(path);
  for (const { from } of moduleOf(path).imports) if (modules.has(from)) reached(from, found);
  return found;
}

/** Modules that only parts import belong to one of them, too. */
function joinPart(path: string, part: string | undefined): void {
  if (part === undefined || partByModule.has(path) || isOfCore(path)) return;
  partByModule.set(path, part);
  for (const { from } of moduleOf(path).imports) if (modules.has(from)) joinPart(from, listedPartOf(from) ?? part);
}

/** The names by which some modules use a module, or a library. */
function namesUsed(from: string, by: Where): string[] {
  const users = [...modules.values()].filter(({ path }) => by(path));
  const used = users.flatMap(({ imports }) => imports.filter((one) => one.from === from).flatMap(({ names }) => names));
  if (modules.has(from) && used.includes('*')) throw new Error(`${from} must be imported by the names of its exports`);
  return [...new Set(used)].sort();
}

/** The name that a value has in the core and in parts, where modules are no more. */
function flat(from: string, name: string): string {
  return `${modules.has(from) ? `m${moduleOf(from).number}` : from.replace(/\W/g, '_')}_${name}`;
}

function exportsAs(from: string, by: Where): string {
  const names = namesUsed(from, by).map((name) => `${name} as ${flat(from, name)}`);
  return names.length === 0 ? '' : `export {${names.join()}} from './${from}';`;
}

/** Instead of a module of a part: an object of CommonJS, because esbuild then reads a value where it is used. */
function readLater(path: string, names: readonly string[], later: string): string {
  return `module.exports = ${later}(${JSON.stringify(partOf(path))}, '${flat(path, '')}', ${JSON.stringify(names)});`;
}

/** Instead of a module of a part of which functions alone are used: functions that call them. */
function calledLater(path: string, names: readonly string[], part: string): string {
  return names
    .map((name) => {
      const called = `${part}("${partOf(path)}").${flat(path, name)}`;
      return `export function ${name}(...given){return ${called}(...given)}`;
    })
    .join('\n');
}

function areFunctions(path: string, names: readonly string[]): boolean {
  return names.every((name) => moduleOf(path).functions.includes(name));
}

function givenToCore(path: string, importer: string): string {
  const names = namesUsed(path, isDoorOfCore(importer) ? isDoorOfCore : isUserInCore);
  if (areFunctions(path, names)) return calledLater(path, names, 'onFirstUse.part');
  // What a door exports is there as soon as it is imported.
  if (isDoorOfCore(importer))
    throw new Error(`${path} must be loaded at once: not all of ${names.join()} are functions`);
  return readLater(path, names, 'onFirstUse.laterIn');
}

/**
 * Gives a text to each module that is imported from outside of a bundle. Doors have one for each importer: what two of
 * them share would be a file of its own.
 */
function boundary(isInside: Where, textOf: (path: string, importer: string) => string): Plugin {
  return {
    name: 'boundary',
    setup: (bundle) => {
      bundle.onResolve({ filter: /^\./, namespace: 'file' }, ({ path, resolveDir, importer }) => {
        const found = relative(root, resolve(resolveDir, path)).replaceAll('\\', '/');
        const from = relative(root, importer).replaceAll('\\', '/');
        const suffix = isOfDoor(from) || isDoorOfCore(from) ? `?${from}` : '';
        return modules.has(found) && !isInside(found)
          ? { path: found, suffix, namespace: 'outside', sideEffects: false }
          : undefined;
      });
      bundle.onLoad({ filter: /.*/, namespace: 'outside' }, ({ path, suffix }) => ({
        contents: textOf(path, suffix.slice(1)),
        resolveDir: root,
      }));
    },
  };
}

/**
 * A library that only parts have is read with the first use of one of its values. What `require` gives of msgpackr contains
 * its native part, which would be another copy of the library if it were imported.
 */
function libraryOfPart(path: string, names: readonly string[]): string {
  const library = `use.libraryOf('${path}')`;
  if (path === withNativePart) return `if (use.isBundled()) import('${path}');`;
  if (names.includes('default')) return `module.exports = ${library};`;
  return readWhenUsed(library, names);
}

function readWhenUsed(library: string, names: readonly string[]): string {
  return `module.exports = {${names.map((name) => `get ${name}() { return ${library}.${name}; }`).join()}};`;
}

function libraryOfCore(path: string, names: readonly string[]): string {
  const library = `onFirstUse.libraryOf('${path}')`;
  if (readLate.includes(path)) return readWhenUsed(library, names);
  return names.includes('default') ? `export default ${library};` : `export const {${names.join()}} = ${library};`;
}

function libraryFromCore(path: string, names: readonly string[]): string {
  const assigned = (name: string): string => (name === 'default' ? 'export default' : `export const ${name} =`);
  return names.map((name) => `${assigned(name)} core.${flat(path, name)};`).join('\n');
}

function moduleOfNode(path: string, names: readonly string[]): string {
  const library = `process.getBuiltinModule('${path}')`;
  if (readLate.includes(path) && !names.includes('*')) return readWhenUsed(library, names);
  if (names.includes('*')) return `module.exports = ${library};`;
  return `export const {${names.filter((name) => name !== 'default').join()}} = ${library};`;
}

/** Node's modules and libraries are not imported: `import` takes longer, above all for files of CommonJS. */
function givenLibraries(isInside: Where): Plugin {
  const textOf = (path: string): string => {
    const names = namesUsed(path, isInside);
    if (path.startsWith('node:')) return moduleOfNode(path, names);
    if (isInside === isOfCore) return libraryOfCore(path, names);
    return libraries.has(path) ? libraryFromCore(path, names) : libraryOfPart(path, names);
  };
  return {
    name: 'given-libraries',
    setup: (bundle) => {
      bundle.onResolve({ filter: /^[^./]/, namespace: 'file' }, ({ path, kind }) => {
        return kind === 'import-statement' || path === withNativePart
          ? { path, namespace: 'given', sideEffects: false }
          : undefined;
      });
      bundle.onLoad({ filter: /.*/, namespace: 'given' }, ({ path }) => ({ contents: textOf(path), resolveDir: root }));
    },
  };
}

async function buildCore(): Promise<void> {
  const given = [...core, ...libraries].map((from) => ({ from, names: namesUsed(from, isOfPart) }));
  const imports = given
    .filter(({ names }) => names.length > 0)
    .map(({ from, names }) => {
      const named = names.map((name) => `${name} as ${flat(from, name)}`);
      return `import {${named.join()}} from '${modules.has(from) ? './' : ''}${from}';`;
    });
  const values = given.flatMap(({ from, names }) => names.map((name) => flat(from, name)));
  const contents = [
    ...imports,
    `export * from './${doors['index']}';`,
    ...[...core].map((path) => exportsAs(path, isOfDoor)),
    `onFirstUse.begin(() => ({${values.join()}}));`,
    'export const { part } = onFirstUse;',
  ].join('\n');
  const runtime = readFileSync(join(import.meta.dirname, 'on-first-use.ts'), 'utf8');
  const { code } = await transform(runtime, {
    loader: 'ts',
    format: 'iife',
    globalName: 'onFirstUse',
    minifyWhitespace: true,
  });
  await build({
    ...common,
    stdin: { contents, resolveDir: root, sourcefile: 'core.ts' },
    format: 'esm',
    banner: { js: `${code.trim()}${requiring}` },
    outfile: join(outdir, 'shared', 'core.js'),
    plugins: [givenLibraries(isOfCore), boundary(isOfCore, givenToCore)],
  });
}

async function buildPart(part: string): Promise<void> {
  const isInside: Where = (path) => partOf(path) === part;
  const contents = [...modules.keys()]
    .filter(isInside)
    .map((path) => exportsAs(path, (by) => !isInside(by)))
    .join('\n');
  const fromCore = (path: string): string =>
    namesUsed(path, isInside)
      .map((name) => `export const ${name} = core.${flat(path, name)};`)
      .join('\n');
  await build({
    ...common,
    stdin: { contents, resolveDir: root, sourcefile: `${part}.ts` },
    format: 'iife',
    globalName: 'part',
    banner: { js: 'module.exports=(core,use)=>{' },
    footer: { js: 'return part};' },
    outfile: join(outdir, 'shared', `${part}.cjs`),
    plugins: [
      givenLibraries(isInside),
      boundary(isInside, (path) =>
        isOfPart(path) ? readLater(path, namesUsed(path, isInside), 'use.laterIn') : fromCore(path),
      ),
    ],
  });
}

/** The other doors. As they are imported they load the parts of which they use more than functions. */
async function buildDoors(): Promise<void> {
  const fromPart = (path: string): string => {
    const names = namesUsed(path, isOfDoor);
    const loaded = `const loaded = part('${partOf(path)}');`;
    return [
      `import { part } from '${coreFile}';`,
      ...(areFunctions(path, names)
        ? [calledLater(path, names, 'part')]
        : [loaded, ...names.map((name) => `export const ${name} = loaded.${flat(path, name)};`)]),
    ].join('\n');
  };
  const fromCore = (path: string): string => {
    const names = namesUsed(path, isOfDoor).map((name) => `${flat(path, name)} as ${name}`);
    return `export {${names.join()}} from '${coreFile}';`;
  };
  const outside: Plugin = {
    name: 'outside',
    setup: (bundle) => bundle.onResolve({ filter: /\/core\.js$/ }, ({ path }) => ({ path, external: true })),
  };
  await build({
    ...common,
    entryPoints: Object.entries(doors)
      .filter(([out]) => out !== 'index')
      .map(([out, path]) => ({ in: path, out })),
    format: 'esm',
    splitting: true,
    chunkNames: 'shared/[name]-[hash]',
    outdir,
    plugins: [outside, boundary(isOfDoor, (path) => (isOfPart(path) ? fromPart(path) : fromCore(path)))],
  });
}

/** Texts of this file have no source of their own: the map names the module that they stand for. */
function mapSources(): void {
  const maps = readdirSync(outdir, { recursive: true, encoding: 'utf8' }).filter((name) => /\.c?js\.map$/.test(name));
  for (const name of maps.filter((map) => !map.includes('page'))) {
    const file = join(outdir, name);
    const map = JSON.parse(readFileSync(file, 'utf8')) as { sources: string[] };
    const up = relative(join(file, '..'), root).replaceAll('\\', '/');
    const sources = map.sources.map((source) => {
      const path = source.replace(/^.*\b(?:outside|given):/, '').replace(/\?.*/, '');
      if (path === source && !/^(?:\.\.\/)*[a-z]+\.ts$/.test(source)) return source;
      return `${up}/${modules.has(path) ? path : doors['index']}`;
    });
    writeFileSync(file, JSON.stringify({ ...map, sources }));
  }
}

await Promise.all([buildCore(), buildDoors(), ...parts.map(buildPart)]);
const names = moduleOf('src/index.ts').exports;
writeFileSync(join(outdir, 'index.js'), `export{${names.join()}}from"./shared/core.js";\n`);
const ofParts = [...modules.keys()].filter(isOfPart).flatMap((path) => moduleOf(path).imports.map(({ from }) => from));
const allLibraries = [...new Set([...libraries, ...ofParts.filter(isLibrary)])];
const isDefault = (from: string): boolean => namesUsed(from, () => true).includes('default');
const imports = [
  ...parts.map((part) => `import ${part} from"./${part}.cjs";`),
  ...allLibraries.map((from, index) => {
    const given = from.endsWith('.json') ? 'with{type:"json"}' : '';
    return `import ${isDefault(from) ? '' : '* as '}l${index} from"${from}"${given};`;
  }),
];
const values = [
  ...parts.map((part) => `"./${part}.cjs":${part}`),
  ...allLibraries.map((from, index) => `"${from}":l${index}`),
];
const given = `const given={${values.join()}};\nexport const createRequire=()=>name=>given[name];\n`;
writeFileSync(join(outdir, 'shared', 'parts.js'), `${imports.join('\n')}\n${given}`);
chmodSync(join(outdir, 'cli', 'bin.js'), 0o755);
mapSources();
