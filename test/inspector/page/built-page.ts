import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Builds the page into a new directory, with source maps. Returns the directory. */
export async function builtPage(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kintsugi-page-'));
  const vite = join(dirname(require.resolve('vite/package.json')), 'bin/vite.js');
  const args = [vite, 'build', '--outDir', directory, '--emptyOutDir', '--sourcemap', '--logLevel', 'error'];
  await promisify(execFile)(process.execPath, args, { cwd: join(__dirname, '../../..') });
  return directory;
}
