import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/**
 * What a worker thread is started with, for the module that it runs. If that is TypeScript, because this library runs from
 * its source, the thread first registers `tsx`: `node --import tsx` has no effect in threads.
 */
export function entryUrl(module: string): string {
  if (!module.endsWith('.ts')) return module;
  const tsx = pathToFileURL(
    createRequire(module)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  );
  const code = `import { register } from ${JSON.stringify(tsx.href)}; register(); await import(${JSON.stringify(module)});`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
