import { join } from 'node:path';
import { build } from 'esbuild';

/** Writes a script of this folder as one module with all that a process needs, which starts at once. Returns its path. */
export async function bundledScript(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  await build({
    entryPoints: [join('test', 'chaos', name)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['hyparquet*'],
    // Some dependencies are CommonJS.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  return outfile;
}
