import { basename, join } from 'node:path';
import { build } from 'esbuild';

/**
 * Writes a script of `test/` (`chaos/child.ts`) as one module with all that a process needs, which starts at once.
 * Returns its path.
 */
export async function bundledScript(script: string, directory: string): Promise<string> {
  const outfile = join(directory, `${basename(script)}.mjs`);
  await build({
    entryPoints: [join('test', script)],
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
