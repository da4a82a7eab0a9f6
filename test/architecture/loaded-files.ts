import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

export interface LoadedFiles {
  /** Paths below `root`, with forward slashes. */
  readonly files: ReadonlySet<string>;
  readonly modules: ReadonlySet<string>;
}

/** The files below `root` that a file loads, with those that they load. Types are not loaded. */
export function loadedBy(root: string, entry: string): LoadedFiles {
  const files = new Set([entry]);
  const modules = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, clause = '', from = ''] of text.matchAll(/^(?:import|export) ([^;]*?)from '([^']+)';/gms)) {
      const names = /^\{(.*)\}\s*$/s
        .exec(clause)?.[1]
        ?.split(',')
        .filter((name) => name.trim() !== '');
      if (clause.startsWith('type ') || names?.every((name) => name.trim().startsWith('type '))) continue;
      if (from.startsWith('.')) files.add(relative(root, resolve(root, dirname(file), from)).replaceAll('\\', '/'));
      else modules.add(from);
    }
  }
  return { files, modules };
}
