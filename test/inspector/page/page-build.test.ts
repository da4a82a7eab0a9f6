import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { builtPage } from './built-page.ts';

/** What a browser loads, in bytes as it travels. */
const mostBytes = 90_000;

describe('the built page', () => {
  let directory: string;
  let files: ReadonlyMap<string, Buffer>;

  beforeAll(async () => {
    directory = await builtPage();
    const names = await readdir(directory, { recursive: true, withFileTypes: true });
    const paths = names.filter((one) => one.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    files = new Map(
      await Promise.all(paths.map(async (path) => [path.slice(directory.length + 1), await readFile(path)] as const)),
    );
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const loaded = () => [...files].filter(([name]) => !name.endsWith('.map'));

  it(`is at most ${mostBytes} bytes, compressed`, () => {
    const sizes = loaded().map(([name, content]) => [name, gzipSync(content, { level: 9 }).length] as const);
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, [, size]) => sum + size, 0)).toBeLessThanOrEqual(mostBytes);
  });

  it('has a name with a hash for everything but its first file', () => {
    const names = loaded().map(([name]) => name.split('\\').join('/'));
    expect(names).toContain('index.html');
    for (const name of names) if (name !== 'index.html') expect(name).toMatch(/^assets\/[\w-]+-[\w-]{8}\.\w+$/);
  });

  it('needs nothing that its content security policy forbids: no code or style in the page, no data addresses', () => {
    const page = String(files.get('index.html'));
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=/);
    const styles = loaded().filter(([name]) => name.endsWith('.css'));
    for (const [, content] of styles) expect(String(content)).not.toMatch(/url\(|@import|@font-face/);
  });

  it('names no other place than its own', () => {
    for (const [, content] of loaded()) {
      const places = String(content).match(/(https?:)?\/\/[a-z][\w.-]+\.[a-z]{2,}[^"'`\s)]*/g) ?? [];
      const namespaces = places.filter((place) => !place.startsWith('http://www.w3.org/'));
      expect(namespaces).toEqual([]);
    }
  });

  it('holds the libraries it is built with and pure parts of the engine, and nothing else', () => {
    const sources = [...files]
      .filter(([name]) => name.endsWith('.js.map'))
      .flatMap(([, map]) => (JSON.parse(String(map)) as { sources: string[] }).sources);
    const packages = sources.flatMap((source) => /node_modules\/((@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []);
    expect([...new Set(packages)].sort()).toEqual(
      ['@dagrejs/dagre', '@preact/signals', '@preact/signals-core', 'preact', 'uplot'].sort(),
    );
    expect(sources.filter((source) => source.includes('browser-external'))).toEqual([]);
    const parts = sources.flatMap((source) => /src\/(\w+)\//.exec(source.replace(/.*node_modules.*/, ''))?.[1] ?? []);
    const allowed = ['actors', 'api', 'errors', 'failover', 'graph', 'inspector', 'run'];
    expect([...new Set(parts)].filter((part) => !allowed.includes(part))).toEqual([]);
  });
});
