import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { IllegalStateError } from '../errors.ts';
import type { RuntimeContext } from '../operators/runtime-context.ts';
import { fileProblem } from './file-problem.ts';

const flushLength = 256 * 1024;
const indexDigits = 5;

/** Where a fault can be armed in a sink that writes files (`environment.faults`). The place says `file` and `subtask`. */
export const partFileFaultPoints = {
  /** Everything is written, and nothing can be seen of it yet. */
  beforeRename: 'part-file.before-rename',
} as const;

/** The file a subtask writes: `path` itself for one alone, otherwise `name-00000-of-00004.ext` beside it. */
export function partPath(path: string, subtask: number, parallelism: number): string {
  if (parallelism === 1) return path;
  const extension = extname(path);
  const name = basename(path, extension);
  const part = `${String(subtask).padStart(indexDigits, '0')}-of-${String(parallelism).padStart(indexDigits, '0')}`;
  return join(dirname(path), `${name}-${part}${extension}`);
}

/**
 * The part of a text file that one attempt of a subtask writes. It grows under a temporary name, which tells the attempt,
 * and gets its own name at `commit`, replacing what an earlier attempt committed: a reader sees all of it or nothing.
 */
export class PartFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #context: RuntimeContext;
  #pending = '';
  #isOpen = true;

  private constructor(path: string, temporary: string, handle: FileHandle, context: RuntimeContext) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
    this.#context = context;
  }

  /** Creates the directories that are missing, and removes what other attempts at this part left behind. */
  static async open(path: string, context: RuntimeContext): Promise<PartFile> {
    const part = partPath(path, context.subtask, context.parallelism);
    const temporary = `${part}.attempt-${context.attempt}.tmp`;
    try {
      await mkdir(dirname(part), { recursive: true });
      await removeTemporaries(part);
      return new PartFile(part, temporary, await open(temporary, 'wx'), context);
    } catch (error) {
      throw fileProblem(part, 'write', error);
    }
  }

  /** Takes `text`; a promise when enough came together to be written, which the caller has to wait for. */
  append(text: string): void | Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= flushLength) return this.#flush();
  }

  /** Gives the file its name. If that fails nothing of it is left. */
  async commit(): Promise<void> {
    try {
      await this.#flush();
      await this.#handle.datasync();
      await this.#close();
      this.#context.environment.faults.reach(partFileFaultPoints.beforeRename, {
        file: this.path,
        subtask: this.#context.subtask,
      });
      await rename(this.#temporary, this.path);
    } catch (error) {
      await this.abort();
      throw fileProblem(this.path, 'write', error);
    }
  }

  /** Removes the temporary file. */
  async abort(): Promise<void> {
    await this.#close();
    await rm(this.#temporary, { force: true });
  }

  async #flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    if (!this.#isOpen) throw new IllegalStateError(`${this.path}: written to after it was closed`);
    try {
      if (text !== '') await this.#handle.appendFile(text);
    } catch (error) {
      throw fileProblem(this.path, 'write', error);
    }
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }
}

async function removeTemporaries(part: string): Promise<void> {
  const prefix = `${basename(part)}.attempt-`;
  for (const name of await readdir(dirname(part))) {
    if (name.startsWith(prefix) && name.endsWith('.tmp')) await rm(join(dirname(part), name), { force: true });
  }
}
