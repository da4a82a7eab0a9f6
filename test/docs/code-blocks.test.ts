import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { buildSync } from 'esbuild';
import { codeBlocks } from './code-blocks.ts';

const root = join(__dirname, '..', '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const files = [
  ...pages,
  ...readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name)),
];
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const blocks = files.flatMap((file) => codeBlocks(file, readFileSync(join(root, file), 'utf8')));

/** The imports of a user, and their source files. */
const entries: Record<string, string> = {
  kintsugi: join(root, 'src', 'index.ts'),
  'kintsugi/inspect': join(root, 'src', 'inspector', 'index.ts'),
  'kintsugi/metrics': join(root, 'src', 'metrics', 'index.ts'),
  'kintsugi/testing': join(root, 'src', 'testing', 'index.ts'),
};

/** The anchors of a page's headings, as GitHub generates them. */
function anchorsOf(page: string): string[] {
  return [...readFileSync(join(root, page), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The compiler's messages for the blocks, each a separate module, by their place. */
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
        paths: Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, [path]])),
      },
      include: ['*.ts'],
    };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config));
    // Its threads repeat a part of each other's work, and all cores are busy.
    const args = ['-p', directory, '--pretty', 'false', '--singleThreaded'];
    const { stdout } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), args, { encoding: 'utf8' });
    return [...stdout.matchAll(/block-(\d+)\.ts\((\d+),\d+\): (.*)/g)].map(([, index, line, message]) => {
      const { file, line: start } = codes[Number(index)] as { file: string; line: number };
      return `${file}:${start + Number(line) - 1} ${message}`;
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The error of running the blocks, one after the other, in an empty directory. */
function troubles(codes: readonly { readonly file: string; readonly line: number; readonly code: string }[]): string[] {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'docs-'));
  try {
    for (const [index, { code }] of codes.entries())
      writeFileSync(join(directory, `block-${index}.ts`), `${code}\nexport {};\n`);
    writeFileSync(
      join(directory, 'main.ts'),
      codes
        .map(
          (_, index) =>
            `await import('./block-${index}.ts').catch((error) => console.error('block-${index}: ' + error?.message));`,
        )
        .join('\n'),
    );
    buildSync({
      entryPoints: [join(directory, 'main.ts')],
      outdir: directory,
      outExtension: { '.js': '.mjs' },
      alias: entries,
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
    });
    const { stderr, status } = spawnSync(process.execPath, ['main.mjs'], { cwd: directory, encoding: 'utf8' });
    const failed = [...stderr.matchAll(/block-(\d+): (.*)/g)].map(([, index, message]) => {
      const { file, line } = codes[Number(index)] as { file: string; line: number };
      return `${file}:${line} ${message}`;
    });
    return status === 0 || failed.length > 0 ? failed : [stderr];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('the code in README, docs and doc comments', () => {
  it('exists', () => {
    expect(blocks.filter(({ file }) => file === 'README.md').length).toBeGreaterThanOrEqual(1);
    expect(blocks.length).toBeGreaterThan(10);
  });

  it('compiles, block by block, as a user would write it; a block that does not is reported by file and line', () => {
    const code = "import { Job } from 'kintsugi';\nJob.create('a').nothing();";
    expect(complaints([...blocks, { file: 'here.md', line: 7, code }])).toEqual([
      expect.stringMatching(/^here\.md:8 .*'nothing' does not exist/),
    ]);
  });

  it('runs, in README and docs; a block that fails is reported by file and line', () => {
    const onPages = blocks.filter(({ file }) => pages.includes(file));
    const failing = { file: 'here.md', line: 7, code: "throw new Error('no')" };
    expect(troubles([...onPages, failing])).toEqual(['here.md:7 no']);
  }, 120_000);
});

describe('README', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');

  it('shows the first job unchanged', () => {
    expect(readme).toContain(readFileSync(join(root, 'examples', 'first-job.ts'), 'utf8').trim());
  });

  it('fits on three screens', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(171);
  });
});

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  it('names existing scripts', () => {
    const named = [...text.matchAll(/npm run (?:-\S+ )*([\w:-]+)/g)].map(([, name]) => name as string);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('links to existing pages and headings', () => {
    const links = [...text.matchAll(/\]\(((?!https?:)[^)#]*)(?:#([^)]*))?\)/g)];
    const broken = links.filter(([, path = '', anchor]) => {
      const target = path === '' ? page : join(dirname(page), path);
      return !existsSync(join(root, target)) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

it('README links to every page of docs', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  expect(pages.slice(1).filter((page) => !readme.includes(`](${page}`))).toEqual([]);
});
