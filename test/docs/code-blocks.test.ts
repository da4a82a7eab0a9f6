import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { codeBlocks } from './code-blocks.ts';

const root = join(__dirname, '..', '..');
const files = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
  ...readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name)),
];
const blocks = files.flatMap((file) => codeBlocks(file, readFileSync(join(root, file), 'utf8')));

/** What the compiler says of the blocks, each as a module of its own, by the place it comes from. */
function complaints(
  codes: readonly { readonly file: string; readonly line: number; readonly code: string }[],
): string[] {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'docs-'));
  try {
    for (const [index, { code }] of codes.entries())
      writeFileSync(join(directory, `block-${index}.ts`), `${code}\nexport {};\n`);
    const config = {
      extends: relative(directory, join(root, 'tsconfig.json')),
      compilerOptions: {
        noUnusedLocals: false,
        noUnusedParameters: false,
        paths: {
          kintsugi: [join(root, 'src', 'index.ts')],
          'kintsugi/testing': [join(root, 'src', 'testing', 'index.ts')],
        },
      },
      include: ['*.ts'],
    };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config));
    const { stdout } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', directory, '--pretty', 'false'], {
      encoding: 'utf8',
    });
    return [...stdout.matchAll(/block-(\d+)\.ts\((\d+),\d+\): (.*)/g)].map(([, index, line, message]) => {
      const { file, line: start } = codes[Number(index)] as { file: string; line: number };
      return `${file}:${start + Number(line) - 1} ${message}`;
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('the code in README, docs and doc comments', () => {
  it('is there', () => {
    expect(blocks.filter(({ file }) => file === 'README.md').length).toBeGreaterThanOrEqual(4);
    expect(blocks.length).toBeGreaterThan(10);
  });

  it('compiles, block by block, as a user would write it', () => {
    expect(complaints(blocks)).toEqual([]);
  });

  it('would be complained about otherwise, by file and line', () => {
    const code = "import { Job } from 'kintsugi';\nJob.create('a').nothing();";
    expect(complaints([{ file: 'here.md', line: 7, code }])).toEqual([
      expect.stringMatching(/^here\.md:8 .*'nothing' does not exist/),
    ]);
  });
});

describe('README', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };

  it('shows the first job as it is', () => {
    expect(readme).toContain(readFileSync(join(root, 'examples', 'first-job.ts'), 'utf8').trim());
  });

  it('names scripts that there are', () => {
    const named = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name as string);
    expect(named).not.toEqual([]);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('links to files that there are', () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path as string);
    expect(links).not.toEqual([]);
    for (const link of links) expect(readFileSync(join(root, link), 'utf8')).not.toBe('');
  });
});
