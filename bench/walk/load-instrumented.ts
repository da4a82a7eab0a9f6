import { readFileSync } from 'node:fs';
import module, { type InitializeHook, type LoadFnOutput, type LoadHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import { instrument, lineStartsOf, walkGlobal } from './instrument.ts';

let sources = '';

/** For the thread of the loaders: the URL of the folder whose files are instrumented. */
export const initialize: InitializeHook<{ readonly sources: string }> = (given) => {
  sources = given.sources;
};

/** For the thread of the loaders: the files of that folder instrumented, all others as they are loaded otherwise. */
export const load: LoadHook = async (url, context, nextLoad) =>
  instrumentedModule(url, sources) ?? (await nextLoad(url, context));

/** From now on the files below a URL are loaded instrumented. */
export function loadInstrumented(below: string): void {
  // Loaders in the same thread, where Node has them, run before those of another thread: then whatever compiles TypeScript is
  // one of them, and would compile again what a loader of another thread has instrumented.
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
