import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { build } from 'esbuild';

// Loaded by a script too, which is an ES module, and knows no __dirname.
const root = process.cwd();

const flags = [
  // Both cores are busy: threads that compile and collect garbage beside it would only cost more, and so would functions
  // that are optimized early. Most code of a run is never hot: it is compiled at once, and not interpreted first.
  ...['--single-threaded', '--interrupt-budget=400000', '--always-sparkplug', '--no-lazy-feedback-allocation'],
  // Few objects outlive a run: a larger young generation is collected less often.
  ...['--min-semi-space-size=64', '--max-semi-space-size=64'],
  '--input-type=module',
];

/**
 * Starts the simulation in a process of its own, as one module. With `tsx` it takes half as long again: every inner function
 * gets a name each time that it is made. And what the engine imports only when it is needed would then be loaded in a
 * thread that virtual time cannot see.
 */
export async function simulationProcess(
  args: readonly string[],
  output: 'inherit' | 'pipe' = 'pipe',
): Promise<ChildProcess> {
  const script = await bundled(join(root, 'test/simulation/main.ts'));
  const stdio: StdioOptions = ['pipe', output, output];
  const child = spawn(process.execPath, [...flags, '-', ...args], { cwd: root, stdio });
  (child.stdin as Writable).end(script);
  return child;
}

/** One module of this repository's code: it starts at once, and costs less than many that are compiled as they load. */
async function bundled(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
  });
  return (outputFiles[0] as { readonly text: string }).text;
}
