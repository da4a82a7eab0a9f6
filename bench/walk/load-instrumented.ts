import { readFileSync } from 'node:fs';
import module, { type InitializeHook, type LoadFnOutput, type LoadHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import { instrument, lineStartsOf, walkGlobal } from './instrument.ts';

let sources = '';

/** For the loader thread: the URL of the folder to instrument. */
export const initialize: InitializeHook<{ readonly sources: string }> = (given) => {
  sources = given.sources;
};

/** For the loader thread: instruments the files of that folder; other files load normally. */
export const load: LoadHook = async (url, context, nextLoad) =>
  instrumentedModule(url, sources) ?? (await nextLoad(url, context));

/** Instruments all files below a URL that are loaded from now on. */
export function loadInstrumented(below: string): void {
  // Loaders on this thread, if Node has them, run before those on another thread. A TypeScript compiler is one of
  // them, and would compile the output of an instrumenting loader on another thread again.
  const { registerHooks } = module as unknown as { readonly registerHooks?: (hooks: SyncHooks) => void };
  if (registerHooks === undefined) {
    module.register(import.meta.url, { data: { sources: below } });
    return;
  }
  registerHooks({ load: (url, context, nextLoad) => instrumentedModule(url, below) ?? nextLoad(url, context) });
}

interface SyncHooks {
  readonly load: <Context>(
    url: string,
    context: Context,
    nextLoad: (url: string, context: Context) => unknown,
  ) => unknown;
}

function instrumentedModule(url: string, below: string): LoadFnOutput | undefined {
  if (!url.startsWith(below) || !url.endsWith('.ts')) return undefined;
  const file = url.slice(below.length);
  const { code, functions } = instrument(readFileSync(fileURLToPath(url), 'utf8'), file);
  const declared = [file, url, functions, lineStartsOf(code)].map((part) => JSON.stringify(part)).join(', ');
  return { format: 'module', shortCircuit: true, source: `${code}\n${walkGlobal}.declare(${declared});\n` };
}
