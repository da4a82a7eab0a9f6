import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

// Bundles the benches with the engine and runs them: `tsx` would give every inner function a name each time that it is
// made (esbuild's `keepNames`), which no user of the built package pays for.

const bench = join(import.meta.dirname, '..');
const root = join(bench, '..');
const src = join(root, 'src');
const outdir = join(root, 'out', 'bench');

/** In a bundle, a module still knows where its source is. */
const ownPlaces: Plugin = {
  name: 'own-places',
  setup: (esbuild) =>
    esbuild.onLoad({ filter: /[\\/](src|bench)[\\/].*\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.filename', JSON.stringify(path))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
    })),
};

await build({
  entryPoints: readdirSync(bench)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(bench, file)),
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  alias: {
    kintsugi: join(src, 'index.ts'),
    'kintsugi/inspect': join(src, 'inspector', 'index.ts'),
    'kintsugi/metrics': join(src, 'metrics', 'index.ts'),
    'kintsugi/testing': join(src, 'testing', 'index.ts'),
  },
  plugins: [ownPlaces],
  logLevel: 'warning',
});
const args = ['--expose-gc', join(outdir, 'main.js'), ...process.argv.slice(2)];
spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, NODE_ENV: 'production' } }).on(
  'exit',
  (code) => (process.exitCode = code ?? 1),
);
