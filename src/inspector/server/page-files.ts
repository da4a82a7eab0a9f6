import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, extname, join, relative, sep } from 'node:path';
import { answer, textAnswer } from './answer.ts';

/** The page as it was built, in the package that has this file, source or built. */
function builtPage(): string {
  let directory = dirname(import.meta.filename);
  while (!existsSync(join(directory, 'package.json')) && directory !== dirname(directory)) {
    directory = dirname(directory);
  }
  return join(directory, 'dist', 'inspector', 'page');
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * The static files of the page. A path of a request is never made into a path of a file: it is looked up among the
 * files that are there.
 */
export class PageFiles {
  readonly #directory: string;

  constructor(directory = builtPage()) {
    this.#directory = directory;
  }

  /** The page; without it, how to build it. */
  async page(): Promise<Response> {
    const page = await this.#file('index.html');
    return (
      page ?? textAnswer('The page of the inspector is not built. Run `npm run build` in the package kintsugi.', 503)
    );
  }

  /** A file of the page, by its path: `assets/index-Bk3l.js`; undefined if there is none. */
  async asset(path: string): Promise<Response | undefined> {
    // The names of built files have a hash of their content.
    return this.#file(path, { 'cache-control': 'public, max-age=31536000, immutable' });
  }

  async #file(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response | undefined> {
    const file = (await this.#files()).get(path);
    if (file === undefined) return undefined;
    const type = contentTypes[extname(file)] ?? 'application/octet-stream';
    return answer(await readFile(file), { headers: { 'content-type': type, ...headers } });
  }

  /** The files by their path in URLs. Listed anew each time, because the page may be built meanwhile. */
  async #files(): Promise<ReadonlyMap<string, string>> {
    const entries = await readdir(this.#directory, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return new Map(files.map((file) => [relative(this.#directory, file).split(sep).join('/'), file]));
  }
}
