import { basename, join, resolve } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

// Loaded by scripts too, which are ES modules, and know no __dirname.
const root = process.cwd();

/** What a user imports, and the source of it. */
const doors: Record<string, string> = {
  kintsugi: join(root, 'src', 'index.ts'),
  'kintsugi/inspect': join(root, 'src', 'inspector', 'index.ts'),
};

const options: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: ['hyparquet*'],
  alias: doors,
  // Some dependencies are CommonJS.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
};

/**
 * Writes a script, by its path from `test/` (`chaos/child.ts`), as one module with all that a process needs, which
 * starts at once. Returns its path.
 */
export async function bundledScript(script: string, directory: string): Promise<string> {
  const outfile = join(directory, `${basename(script)}.mjs`);
  await build({ ...options, entryPoints: [resolve(root, 'test', script)], outfile });
  return outfile;
}

/** Likewise for code. Several processes that run one job share it. */
export async function bundledCode(code: string, directory: string): Promise<string> {
  const outfile = join(directory, 'script.mjs');
  await build({ ...options, stdin: { contents: code, resolveDir: root, loader: 'ts' }, outfile });
  return outfile;
}

/**
 * Bundles modules of `test/` that worker threads load, beside the engine that they share with its worker entry. Returns the
 * path of each, in order, and last that of the entry.
 */
export async function bundledModules(modules: readonly string[], directory: string): Promise<readonly string[]> {
  const entry = join(root, 'src/api/worker/worker-entry.ts');
  const kintsugi = join(root, 'src', 'index.ts');
  const entryPoints = [...modules.map((module) => join(root, 'test', module)), entry];
  await build({ ...options, entryPoints, splitting: true, alias: { kintsugi }, outdir: directory, outbase: root });
  return entryPoints.map((path) => join(directory, `${path.slice(root.length, -3)}.js`));
}
