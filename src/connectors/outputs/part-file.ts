import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import { checkWord } from '../../options.ts';
import { fileProblem } from '../file-problem.ts';
import { GzipPacker } from './gzip-packer.ts';
import { checkOutputFile } from './output-file.ts';
import { commitPart, inodeOf, type PreparedPart } from './prepared-part.ts';

const flushLength = 256 * 1024;
const indexDigits = 5;

/** Fault points in sinks that write files (`environment.faults`). Their place has `file` and `subtask`. */
export const partFileFaultPoints = {
  /** Everything is written, but not yet visible. */
  beforeRename: 'part-file.before-rename',
} as const;

/** Compression of output files. */
export interface PackingOptions {
  /** Default: `gzip` where the path ends in `.gz`, otherwise `none`. */
  readonly compression?: 'gzip' | 'none' | undefined;
}

/** @throws InvalidArgumentError */
export function checkPackingOptions({ compression }: PackingOptions): void {
  if (compression !== undefined) checkWord('compression', compression, ['gzip', 'none']);
}

/** The compression of the files of `path`. */
export function packingOf(path: string, { compression }: PackingOptions): 'gzip' | 'none' {
  return compression ?? (path.endsWith('.gz') ? 'gzip' : 'none');
}

/** The file that a subtask writes: `path` itself at parallelism 1, otherwise `name-00000-of-00004.ext` beside it. */
export function partPath(path: string, subtask: number, parallelism: number): string {
  if (parallelism === 1) return path;
  const packed = extname(path) === '.gz' ? '.gz' : '';
  const extension = extname(basename(path, packed)) + packed;
  const name = basename(path, extension);
  const part = `${String(subtask).padStart(indexDigits, '0')}-of-${String(parallelism).padStart(indexDigits, '0')}`;
  return join(dirname(path), `${name}-${part}${extension}`);
}

/**
 * The part file that one attempt of a subtask writes. It grows inside the run's claim on the path, under a name made of
 * run, subtask and attempt. `commit` renames it into place, replacing the file of an earlier attempt or run, so a
 * reader sees all of it or nothing.
 */
export class PartFile {
  readonly path: string;
  /** The resolved path, independent of later changes to links and to the working directory. */
  readonly #place: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #context: RuntimeContext;
  readonly #packer: GzipPacker | undefined;
  #text = '';
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #isOpen = true;
  #prepared: PreparedPart | undefined;

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
   * Creates missing directories, and removes temporary files of this run's earlier attempts at this part, which can no
   * longer commit; but not of the one that runs beside this one.
   * @throws OutputInUseError if another sink or run writes `path`
   * @throws FileAccessError if the part's name belongs to something other than a file
   */
  static async open(path: string, context: RuntimeContext, options: PackingOptions = {}): Promise<PartFile> {
    const { run, vertex, subtask, parallelism, attempt, beside, outputs } = context;
    const part = partPath(path, subtask, parallelism);
    try {
      checkOutputFile(part);
      const claimed = outputs.claim(path, vertex);
      const prefix = `${run}.${subtask}.`;
      for (const name of await readdir(claimed)) {
        if (name.startsWith(prefix) && name !== `${prefix}${beside}`) await rm(join(claimed, name));
      }
      const temporary = join(claimed, `${prefix}${attempt}`);
      return new PartFile(
        part,
        claimed,
        temporary,
        await open(temporary, 'wx'),
        context,
        packingOf(path, options) === 'gzip',
      );
    } catch (error) {
      throw fileProblem(part, 'write', error);
    }
  }

  /**
   * Appends text, or bytes, which the caller must not change afterwards. Returns a promise when the buffer is full; the
   * caller has to wait for it.
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

  /** Completes the file and syncs it, and leaves it under its temporary name. On failure it is removed. */
  async prepare(): Promise<PreparedPart> {
    try {
      await this.#flush();
      if (this.#packer !== undefined) await this.#write(await this.#packer.end());
      await this.#handle.datasync();
      await this.#close();
      const inode = await inodeOf(this.#temporary);
      this.#prepared = { path: this.path, temporary: this.#temporary, place: this.#place, inode };
      return this.#prepared;
    } catch (error) {
      await this.abort();
      throw fileProblem(this.path, 'write', error);
    }
  }

  /** Renames the file into place; prepares it first if that was not done. On failure it is removed. */
  async commit(): Promise<void> {
    const prepared = this.#prepared ?? (await this.prepare());
    try {
      this.#context.environment.faults.reach(partFileFaultPoints.beforeRename, {
        file: this.path,
        subtask: this.#context.subtask,
      });
      // The temporary file is in the claim's directory: if the claim is lost, so is the file.
      await commitPart(prepared);
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
