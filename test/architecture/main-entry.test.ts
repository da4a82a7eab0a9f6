import { join } from 'node:path';
import { loadedBy } from './loaded-files.ts';

const src = join(__dirname, '../../src');

describe("`import 'kintsugi'`", () => {
  const { files, modules } = loadedBy(src, 'index.ts');

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
