import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type PluginBuild } from 'esbuild';
import type * as Kintsugi from 'kintsugi';

const root = join(import.meta.dirname, '../..');
const built = join(root, 'dist', 'index.js');

/** The built engine, the exports of a job's module that uses it, and the path of that module. */
export type BuiltJob<Exports> = typeof Kintsugi & Exports & { readonly module: string };

let isBuilt = false;

/** Builds the engine, once, and a job of this folder, as worker threads load them. */
export async function builtJob<Exports>(job: string, directory: string): Promise<BuiltJob<Exports>> {
  if (!isBuilt)
    execFileSync('npm', ['run', '--silent', 'build:doors'], { cwd: root, shell: process.platform === 'win32' });
  isBuilt = true;
  const module = await bundledModule(job, directory);
  const [engine, exports] = await Promise.all([built, module].map((path) => import(pathToFileURL(path).href)));
  return { ...(engine as typeof Kintsugi), ...(exports as Exports), module };
}

/** A module of this folder as a worker thread loads it, with the built engine. Returns its path. */
export async function bundledModule(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  const plugin = {
    name: 'built',
    setup: (esbuild: PluginBuild) =>
      esbuild.onResolve({ filter: /^kintsugi$/ }, () => ({ path: pathToFileURL(built).href, external: true })),
  };
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile,
    plugins: [plugin],
  });
  return outfile;
}
