import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadedBy } from './loaded-files.ts';

const root = join(__dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const started = Object.entries(scripts).flatMap(([script, command]) =>
  [...command.matchAll(/\btsx ([\w/-]+\.ts)/g)].map(([, entry]) => [script, entry as string] as const),
);
/** What such a script bundles and starts. */
const bundled = [['simulate', 'test/simulation/main.ts']] as const;
const entries = [...started, ...bundled];

describe('the scripts of package.json', () => {
  it('are found', () => {
    expect(entries.map(([script]) => script)).toEqual(expect.arrayContaining(['chaos', 'simulate', 'demo']));
  });

  // Jest runs the files of test/ as CommonJS, where these names exist.
  it.each(entries)('%s runs as an ES module: %s uses no name of CommonJS', (_, entry) => {
    const users = [...loadedBy(root, entry).files].filter((file) =>
      /\b(?:__dirname|__filename)\b/.test(readFileSync(join(root, file), 'utf8').replaceAll(/\/\/.*$/gm, '')),
    );
    expect(users).toEqual([]);
  });
});
