import { join, relative } from 'node:path';
import { build, type Metafile } from 'esbuild';

/** A module of the source, as JavaScript has it: without types. */
export interface SourceModule {
  readonly path: string;
  /** Unique among the modules of one build. */
  readonly number: number;
  /** Names of its exports, with those of `export *`. */
  readonly exports: readonly string[];
  /** Names of the functions among them. */
  readonly functions: readonly string[];
  readonly imports: readonly ModuleImport[];
}

/** What a module imports before it runs, or exports from another one. */
export interface ModuleImport {
  /** That of a module of the source; others have their name. */
  readonly from: string;
  /** `*` is the whole module. */
  readonly names: readonly string[];
}

interface Found extends Omit<SourceModule, 'exports'> {
  readonly own: readonly string[];
  /** The modules of `export *`. */
  readonly passedOn: readonly string[];
}

// As esbuild writes them: a statement begins its line.
const declaredFunction = /^(?:async )?function\*? ?([\w$]+)/gm;
const statement = /^(import|export) ?(\{[^}]*\}|\*(?: as [\w$]+)?|[\w$]+(?:, \{[^}]*\})?)? ?(?:from )?"([^"]+)"/gm;

/** The modules that are reached from some doors, by path. */
export async function readModules(root: string, doors: readonly string[]): Promise<ReadonlyMap<string, SourceModule>> {
  const outdir = join(root, 'dist');
  const common = { absWorkingDir: root, format: 'esm', outdir, write: false, metafile: true } as const;
  const whole = await build({
    ...{ ...common, entryPoints: [...doors], bundle: true, splitting: true, platform: 'node', packages: 'external' },
  });
  const paths = Object.keys(whole.metafile.inputs).sort();
  const each = await build({ ...common, entryPoints: paths, outbase: '.', target: 'es2023' });
  const texts = new Map(each.outputFiles.map(({ path, text }) => [path, text]));
  const found = new Map(
    paths.map((path, number) => {
      const out = path.replace(/\.ts$/, '.js');
      const text = texts.get(join(outdir, out)) ?? '';
      return [path, foundIn({ root, path, number, text, output: each.metafile.outputs[`dist/${out}`] })];
    }),
  );
  const exportsOf = ({ own, passedOn }: Found): string[] => [
    ...own,
    ...passedOn.flatMap((path) => exportsOf(found.get(path) as Found)),
  ];
  return new Map(
    Array.from(found, ([path, module]) => {
      const passedOn = module.passedOn.map((from) => ({ from, names: exportsOf(found.get(from) as Found) }));
      const { number, functions } = module;
      return [path, { path, number, exports: exportsOf(module), functions, imports: [...module.imports, ...passedOn] }];
    }),
  );
}

interface Text {
  readonly root: string;
  readonly path: string;
  readonly number: number;
  readonly text: string;
  readonly output: Metafile['outputs'][string] | undefined;
}

function foundIn({ root, path, number, text, output }: Text): Found {
  const statements = Array.from(text.matchAll(statement), ([, , what = '', from = '']) => ({
    what,
    from: from.startsWith('.') ? relative(root, join(root, path, '..', from)).replaceAll('\\', '/') : from,
  }));
  return {
    ...{ path, number, own: output?.exports ?? [] },
    functions: Array.from(text.matchAll(declaredFunction), ([, name = '']) => name),
    imports: statements.filter(({ what }) => what !== '*').map(({ what, from }) => ({ from, names: namesIn(what) })),
    passedOn: statements.filter(({ what }) => what === '*').map(({ from }) => from),
  };
}

/** `library, { one, other as its }` are `default`, `one` and `other`. */
function namesIn(what: string): string[] {
  if (what.startsWith('*')) return ['*'];
  const named = /\{([^}]*)\}/.exec(what)?.[1] ?? '';
  const names = named.split(',').map((entry) => entry.trim().split(' as ')[0] ?? '');
  return [...(/^[\w$]/.test(what) ? ['default'] : []), ...names.filter((name) => name !== '')];
}
