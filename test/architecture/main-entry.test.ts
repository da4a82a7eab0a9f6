import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const src = join(__dirname, '../../src');

/** The files of src that a file loads, with those that they load. Types are not loaded. */
function loadedBy(entry: string): { readonly files: ReadonlySet<string>; readonly modules: ReadonlySet<string> } {
  const files = new Set([entry]);
  const modules = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(src, file), 'utf8');
    for (const [, clause = '', from = ''] of text.matchAll(/^(?:import|export) ([^;]*?)from '([^']+)';/gms)) {
      const names = /^\{(.*)\}\s*$/s
        .exec(clause)?.[1]
        ?.split(',')
        .filter((name) => name.trim() !== '');
      if (clause.startsWith('type ') || names?.every((name) => name.trim().startsWith('type '))) continue;
      if (from.startsWith('.')) files.add(relative(src, resolve(src, dirname(file), from)).replaceAll('\\', '/'));
      else modules.add(from);
    }
  }
  return { files, modules };
}

describe("`import 'kintsugi'`", () => {
  const { files, modules } = loadedBy('index.ts');

  it('loads the recorder, but neither server, page, command line nor metrics', () => {
    expect(files).toContain('inspector/recorder/flight-recorder.ts');
    const others = [...files].filter((file) =>
      /^(cli|metrics|testing|inspector\/(?!recorder|recording|tap))/.test(file),
    );
    expect(others).toEqual([]);
  });

  it('loads no network module', () => {
    expect(
      [...modules].filter((name) => /^(node:)?(http|https|http2|net|tls|ws|hono|express|fastify)$/.test(name)),
    ).toEqual([]);
  });
});
