import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { isKintsugiError } from '../errors/kintsugi-error.ts';
import { JobModuleError } from '../errors/usage-errors.ts';
import { toError } from '../errors/thrown-value.ts';
import { propertyOf, show } from '../foreign-value.ts';
import { nearestName } from '../nearest-name.ts';
import { type DefinedJob, defineJob, isDefinedJob, isJob, type JobParams, makeJob } from './define-job.ts';
import { Job } from './job.ts';
import { noteOrigin } from './job-origin.ts';

/** A job that was made from a module. */
export interface LoadedJob {
  readonly job: Job;
  /** Whether the module uses another copy of the library than its loader. */
  readonly isForeign: boolean;
  /** Given parameters that the definition has not read, and the names of those that it has. */
  readonly unreadParams: readonly string[];
  readonly readParams: readonly string[];
}

const example = `End it with
  export default defineJob((params) => {
    const job = Job.create('…');
    …
    return job;
  });`;

/**
 * Loads a module and makes its job.
 * @throws JobModuleError (as a rejection) if it cannot be loaded, exports no job, or its definition throws; the errors of
 *   this library that a definition meets, such as JobInvalidError, as they are
 */
export async function loadJob(file: string, params: JobParams): Promise<LoadedJob> {
  const defined = definedIn(file, await importModule(file));
  const readParams = new Set<string>();
  const job = madeBy(file, () => makeJob(defined, params, (name) => readParams.add(name)));
  noteOrigin(job, { module: resolve(file) });
  const unreadParams = Object.keys(params).filter((name) => !readParams.has(name));
  return { job, isForeign: !(job instanceof Job), unreadParams, readParams: [...readParams] };
}

/**
 * Imports a module by its path, TypeScript too.
 * @throws JobModuleError (as a rejection)
 */
export async function importModule(file: string): Promise<unknown> {
  const path = resolve(file);
  if (!existsSync(path)) throw new JobModuleError(file, 'does not exist', remedyForMissing(file));
  if (isTypeScript(path)) await prepareTypeScript(file, path);
  try {
    return (await import(pathToFileURL(path).href)) as unknown;
  } catch (thrown) {
    const cause = toError(thrown);
    throw new JobModuleError(file, `cannot be loaded: ${show(cause)}`, remedyFor(cause), { cause });
  }
}

/** The default export of a module. A transpiled CommonJS module has it one level deeper. */
export function defaultExportOf(module: unknown): unknown {
  const exported = propertyOf(module, 'default');
  return propertyOf(exported, '__esModule') === true ? propertyOf(exported, 'default') : exported;
}

function definedIn(file: string, module: unknown): DefinedJob {
  const exported = defaultExportOf(module);
  if (isDefinedJob(exported)) return exported;
  if (isJob(exported)) return defineJob(exported);
  if (exported === undefined) throw new JobModuleError(file, 'has no default export', example);
  const what = typeof exported === 'function' ? 'a function that defineJob was not given' : show(exported);
  throw new JobModuleError(file, `exports no job but ${what}`, example);
}

/** @throws JobModuleError for an error of the user's code, which the definition runs */
function madeBy(file: string, make: () => Job): Job {
  try {
    return make();
  } catch (thrown) {
    if (isKintsugiError(thrown)) throw thrown;
    const cause = toError(thrown);
    throw new JobModuleError(file, `cannot define its job: ${show(cause)}`, 'Correct its definition', { cause });
  }
}

function isTypeScript(path: string): boolean {
  return /\.[cm]?tsx?$/.test(path);
}

/** Lets the process import TypeScript: by `tsx`, if the project or this package has it, or as Node itself does it. */
async function prepareTypeScript(file: string, path: string): Promise<void> {
  const places = [path, import.meta.filename];
  const tsx = places.map((place) => tsxFrom(place)).find((found) => found !== undefined);
  if (tsx !== undefined) return tsx();
  // Node ≥ 22.18 strips types by itself.
  if (propertyOf(process.features, 'typescript')) return;
  throw new JobModuleError(
    file,
    `is TypeScript, which Node ${process.version} does not read`,
    'Install tsx beside it (npm install --save-dev tsx), use Node 22.18 or later, or compile it first',
  );
}

/** What lets this thread import TypeScript by the `tsx` that a place has; undefined if it has none. */
function tsxFrom(place: string): (() => Promise<void>) | undefined {
  try {
    const { resolve: find } = createRequire(place);
    // As `node --import tsx` does, which has no effect in a worker thread.
    if (isMainThread) return importing(find('tsx'));
    // What `require` finds registers nothing when it is imported, but the module beside it does.
    const [forImports, forRequires] = [find('tsx/esm/api').replace(/\.cjs$/, '.mjs'), find('tsx/cjs/api')];
    return async () => {
      await importing(forRequires)();
      await importing(forImports)();
    };
  } catch {
    return undefined;
  }
}

/** Imports a module, and lets it register itself if it offers that. */
function importing(path: string): () => Promise<void> {
  return async () => {
    const loaded = (await import(pathToFileURL(path).href)) as { readonly register?: () => unknown };
    loaded.register?.();
  };
}

function remedyForMissing(file: string): string {
  const directory = dirname(file);
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const near = nearestName(basename(file), names);
  return near === undefined ? 'Check the path' : `Did you mean ${join(directory, near)}?`;
}

function remedyFor(cause: Error): string {
  switch (propertyOf(cause, 'code')) {
    case 'ERR_MODULE_NOT_FOUND':
    case 'MODULE_NOT_FOUND':
      return 'Install what is missing, or correct the import';
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return 'Install tsx (npm install --save-dev tsx), which reads all of TypeScript';
    default:
      return 'Correct the module; node can tell more (`node --import tsx` for TypeScript)';
  }
}
