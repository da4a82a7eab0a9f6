import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Kill } from './plans/chaos-plan.ts';

type Call = (...args: unknown[]) => unknown;

/** What changes files or directories, or makes changes safe. */
const operations = {
  now: ['mkdirSync', 'mkdtempSync', 'renameSync', 'rmSync', 'rmdirSync', 'writeFileSync', 'writeSync', 'ftruncateSync'],
  later: ['link', 'mkdir', 'mkdtemp', 'open', 'rename', 'rm', 'rmdir', 'unlink'],
} as const;

/** Lets a process, or a thread of it, die before or after one of its next file operations. */
export function killAtFileOperation({ count, isBefore }: Extract<Kill, { at: 'file' }>, die: () => void): void {
  let left = count;
  const watched =
    (operation: Call): Call =>
    (...args) => {
      left--;
      if (left === 0 && isBefore) die();
      const done = operation(...args);
      if (left !== 0 || isBefore) return done;
      if (done instanceof Promise) return done.finally(die);
      die();
      return done;
    };
  const [now, later] = [fs, fs.promises] as unknown as Record<string, Call>[];
  for (const name of operations.now) (now as Record<string, Call>)[name] = watched(now?.[name] as Call);
  for (const name of operations.later) (later as Record<string, Call>)[name] = watched(later?.[name] as Call);
  syncBuiltinESMExports();
}
