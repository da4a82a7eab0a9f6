import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const root = join(__dirname, '..', '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object;

/** How a process ended, and what it wrote. */
export interface Ended {
  /** undefined if a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the command line. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written so far, stdout first. */
  written(): string;
  /** Settles when it has written a text; rejects if it ends before that. */
  wrote(text: string): Promise<void>;
}

/** A user's project that has installed the package, with its command line as one bundle that starts quickly. */
export class CliProject {
  readonly directory: string;
  readonly bin: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.bin = join(directory, 'node_modules', 'kintsugi', 'dist', 'cli', 'bin.js');
  }

  static async create({ packages = ['tsx'] }: { readonly packages?: readonly string[] } = {}): Promise<CliProject> {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'kintsugi-cli-')));
    const home = join(directory, 'node_modules', 'kintsugi');
    await build({
      entryPoints: { index: join(root, 'src', 'index.ts'), 'cli/bin': join(root, 'src', 'cli', 'bin.ts') },
      outdir: join(home, 'dist'),
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
      // What a job needs only sometimes. The others would be hundreds of files to open for each process.
      external: ['tsx', 'ws', 'hyparquet*', '@opentelemetry/api'],
      banner: {
        js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      },
      logLevel: 'error',
    });
    const { name, version, type, exports } = { ...manifest, exports: { '.': './dist/index.js' } } as Record<
      string,
      unknown
    >;
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name, version, type, exports }));
    for (const dependency of packages) {
      const place = join(directory, 'node_modules', dependency);
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(realpathSync(join(root, 'node_modules', dependency)), place, 'junction');
    }
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    return new CliProject(directory);
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.directory, file)), { recursive: true });
    writeFileSync(join(this.directory, file), text);
  }

  read(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8');
  }

  /** Starts `kintsugi` with arguments. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(process.execPath, [this.bin, ...args], {
      cwd: this.directory,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const written = { stdout: '', stderr: '' };
    const watchers = new Set<() => void>();
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        written[name] += text;
        for (const watch of watchers) watch();
      });
    }
    const ended = new Promise<Ended>((resolve) => {
      child.on('close', (code, signal) =>
        resolve({ code: code ?? undefined, signal: signal ?? undefined, ...written }),
      );
    });
    const wrote = (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          if (!`${written.stdout}${written.stderr}`.includes(text)) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
        void ended.then((end) => reject(new Error(`It ended without "${text}":\n${end.stdout}${end.stderr}`)));
      });
    return { child, ended, wrote, written: () => `${written.stdout}${written.stderr}` };
  }

  /** Runs `kintsugi` with arguments to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
    return this.start(args, env).ended;
  }

  remove(file: string): void {
    rmSync(join(this.directory, file), { recursive: true, force: true });
  }
}
