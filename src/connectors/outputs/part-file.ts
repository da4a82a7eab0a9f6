import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import { checkWord } from '../../options.ts';
import { syncDirectory } from '../../partitions/storage/file-segment.ts';
import { fileProblem } from '../file-problem.ts';
import { GzipPacker } from './gzip-packer.ts';
import { checkOutputFile } from './output-file.ts';

const flushLength = 256 * 1024;
const indexDigits = 5;

/** Where a fault can be armed in a sink that writes files (`environment.faults`). The place says `file` and `subtask`. */
export const partFileFaultPoints = {
  /** Everything is written, and nothing can be seen of it yet. */
  beforeRename: 'part-file.before-rename',
} as const;

/** Whether a file is packed as it is written. */
export interface PackingOptions {
  /** Default: `gzip` where the path ends in `.gz`, otherwise `none`. */
  readonly compression?: 'gzip' | 'none' | undefined;
}

/** @throws InvalidArgumentError */
export function checkPackingOptions({ compression }: PackingOptions): void {
  if (compression !== undefined) checkWord('compression', compression, ['gzip', 'none']);
}

/** The file a subtask writes: `path` itself for one alone, otherwise `name-00000-of-00004.ext` beside it. */
export function partPath(path: string, subtask: number, parallelism: number): string {
  if (parallelism === 1) return path;
  const packed = extname(path) === '.gz' ? '.gz' : '';
  const extension = extname(basename(path, packed)) + packed;
  const name = basename(path, extension);
  const part = `${String(subtask).padStart(indexDigits, '0')}-of-${String(parallelism).padStart(indexDigits, '0')}`;
  return join(dirname(path), `${name}-${part}${extension}`);
}

/**
 * The part of a file that one attempt of a subtask writes. It grows where the run has claimed the path, under a name that
 * tells run, subtask and attempt, and gets its own name at `commit`, replacing what an earlier attempt or run committed: a
 * reader sees all of it or nothing.
 */
export class PartFile {
  readonly path: string;
  /** The same, whatever becomes of links and of the working directory meanwhile. */
  readonly #place: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #context: RuntimeContext;
  readonly #packer: GzipPacker | undefined;
  #text = '';
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #isOpen = true;

  private constructor(
    path: string,
    claimed: string,
    temporary: string,
    handle: FileHandle,
    context: RuntimeContext,
    isPacked: boolean,
  ) {
    this.path = path;
    this.#place = join(dirname(claimed), basename(path));
    this.#temporary = temporary;
    this.#handle = handle;
    this.#context = context;
    this.#packer = isPacked ? new GzipPacker(context.environment) : undefined;
  }

  /**
   * Creates the directories that are missing, and removes what other attempts of this run at this part left behind: they
   * cannot commit any more.
   * @throws OutputInUseError where another sink or run writes `path`
   * @throws FileAccessError where something else than a file has the name of the part
   */
  static async open(path: string, context: RuntimeContext, options: PackingOptions = {}): Promise<PartFile> {
    const { run, vertex, subtask, parallelism, attempt, outputs } = context;
    const part = partPath(path, subtask, parallelism);
    try {
      checkOutputFile(part);
      const claimed = outputs.claim(path, vertex);
      const prefix = `${run}.${subtask}.`;
      for (const name of await readdir(claimed)) if (name.startsWith(prefix)) await rm(join(claimed, name));
      const temporary = join(claimed, `${prefix}${attempt}`);
      const { compression = path.endsWith('.gz') ? 'gzip' : 'none' } = options;
      return new PartFile(part, claimed, temporary, await open(temporary, 'wx'), context, compression === 'gzip');
    } catch (error) {
      throw fileProblem(part, 'write', error);
    }
  }

  /**
   * Takes text, or bytes, which are its own from then on; a promise when enough came together to be written, which the
   * caller has to wait for.
   */
  append(data: string | Uint8Array): void | Promise<void> {
    if (typeof data === 'string') {
      this.#text += data;
    } else {
      this.#endText();
      this.#push(data);
    }
    if (this.#text.length + this.#chunkBytes >= flushLength) return this.#flush();
  }

  /** Gives the file its name. If that fails nothing of it is left. */
  async commit(): Promise<void> {
    try {
      await this.#flush();
      if (this.#packer !== undefined) await this.#write(await this.#packer.end());
      await this.#handle.datasync();
      await this.#close();
      this.#context.environment.faults.reach(partFileFaultPoints.beforeRename, {
        file: this.path,
        subtask: this.#context.subtask,
      });
      checkOutputFile(this.#place);
      // It lies in the claim: where that is lost, there is nothing to rename.
      await rename(this.#temporary, this.#place);
      await syncDirectory(dirname(this.#place));
    } catch (error) {
      await this.abort();
      throw fileProblem(this.path, 'write', error);
    }
  }

  /** Removes what was written. */
  async abort(): Promise<void> {
    await this.#close();
    await rm(this.#temporary, { force: true });
  }

  async #flush(): Promise<void> {
    this.#endText();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#chunkBytes = 0;
    if (!this.#isOpen) throw new IllegalStateError(`${this.path}: written to after it was closed`);
    for (const chunk of chunks)
      await this.#write(this.#packer === undefined ? [chunk] : await this.#packer.pack(chunk));
  }

  async #write(chunks: readonly Uint8Array[]): Promise<void> {
    try {
      for (const chunk of chunks) await this.#handle.appendFile(chunk);
    } catch (error) {
      throw fileProblem(this.path, 'write', error);
    }
  }

  #endText(): void {
    if (this.#text !== '') this.#push(Buffer.from(this.#text));
    this.#text = '';
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#packer?.close();
    await this.#handle.close();
  }
}
