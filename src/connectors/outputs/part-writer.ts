import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { SinkWriter } from '../../operators/sink.ts';
import { fileProblem } from '../file-problem.ts';
import { checkOutputFile } from './output-file.ts';
import { PartFile } from './part-file.ts';
import { laterPartPath, partPath, pendingDirectory, pendingPartsOf } from './part-path.ts';
import { commitPart, type PreparedPart, type PreparedParts, removePartsFrom, setAside } from './prepared-part.ts';

/** Fault points in sinks that write files (`environment.faults`). Their place has `file` and `subtask`. */
export const partFileFaultPoints = {
  /** Everything is written, but not yet visible. */
  beforeRename: 'part-file.before-rename',
} as const;

/** Writes records into one part file, in a format. */
export interface PartContent<In> {
  write(records: readonly In[]): void | Promise<void>;
  /** All records are written: writes what remains. */
  end?(): void | Promise<void>;
}

export interface PartWriterOptions<In> {
  readonly packing: 'gzip' | 'none';
  /** Begins the content of a part. */
  readonly begin: (file: PartFile) => PartContent<In> | Promise<PartContent<In>>;
}

interface OpenPart<In> {
  readonly file: PartFile;
  readonly content: PartContent<In>;
  records: number;
}

/**
 * The part files that one attempt of a subtask writes: one, or with checkpoints, one for each interval in which there
 * were records. They grow inside the run's claim on the path, under names made of run, subtask and attempt. A part is
 * complete and synced at the barrier, or at the end, and pending from then on; it is renamed into place when the checkpoint
 * is complete, or at the end, and replaces that of an earlier attempt or run. A reader sees all of a part or nothing.
 *
 * Its methods are its own properties, for sinks that spread it.
 */
export class PartWriter<In> implements SinkWriter<In> {
  readonly #context: RuntimeContext;
  readonly #options: PartWriterOptions<In>;
  /** As the user gave it, for messages. */
  readonly #path: string;
  /** The resolved path of the first part, independent of later changes to links and to the working directory. */
  readonly #first: string;
  /** Of temporary files. */
  readonly #prefix: string;
  /** The directory of pending parts. */
  readonly #pending: string;
  #next: number;
  /** In progress. */
  #part: OpenPart<In> | undefined;
  /** The last part, before it is committed. */
  #ended: PreparedParts | undefined;

  private constructor(
    context: RuntimeContext,
    options: PartWriterOptions<In>,
    place: {
      readonly path: string;
      readonly first: string;
      readonly prefix: string;
      readonly pending: string;
      readonly next: number;
    },
  ) {
    this.#context = context;
    this.#options = options;
    this.#path = place.path;
    this.#first = place.first;
    this.#prefix = place.prefix;
    this.#pending = place.pending;
    this.#next = place.next;
  }

  /**
   * Creates missing directories, and removes what earlier attempts wrote and will be written again: temporary files of this
   * run, except those of an attempt that runs beside this one, pending parts, and parts behind those of `from`, if it is
   * given.
   * @param from what an earlier writer prepared for the checkpoint from which this attempt continues; it is committed
   * @throws OutputInUseError if another sink or run writes `path`
   * @throws FileAccessError if the part's name belongs to something other than a file
   */
  static async open<In>(
    path: string,
    context: RuntimeContext,
    options: PartWriterOptions<In>,
    from?: unknown,
  ): Promise<PartWriter<In>> {
    const { run, vertex, subtask, parallelism, attempt, beside, outputs } = context;
    const next = (from as PreparedParts | undefined)?.next ?? 0;
    const own = partPath(path, subtask, parallelism);
    try {
      checkOutputFile(own);
      const claimed = outputs.claim(path, vertex);
      const prefix = `${run}.${subtask}.`;
      for (const name of await readdir(claimed)) {
        if (name.startsWith(prefix) && name !== `${prefix}${beside}`) await rm(join(claimed, name));
      }
      const [file, first] = [path, own].map((one) => join(dirname(claimed), basename(one))) as [string, string];
      for (const pending of pendingPartsOf(file, first)) await rm(pending, { force: true });
      if (next > 0) await removePartsFrom(first, next);
      const place = {
        path: own,
        first,
        prefix: join(claimed, `${prefix}${attempt}`),
        pending: pendingDirectory(file),
        next,
      };
      const writer = new PartWriter(context, options, place);
      writer.#part = await writer.#begin();
      return writer;
    } catch (error) {
      throw fileProblem(own, 'write', error);
    }
  }

  readonly write = (records: readonly In[]): void | Promise<void> => {
    const part = this.#part;
    if (part === undefined) return this.#writeAnew(records);
    part.records += records.length;
    return part.content.write(records);
  };

  readonly prepareCheckpoint = async (): Promise<PreparedParts> => {
    const part = this.#part;
    if (part === undefined || part.records === 0) return { parts: [], next: this.#next };
    this.#part = undefined;
    return { parts: [await setAside(await this.#complete(part), this.#pending)], next: this.#next };
  };

  /** A part without records only if it is the first. */
  readonly prepare = async (): Promise<PreparedParts> => {
    const part = this.#part;
    this.#part = undefined;
    const parts: PreparedPart[] = [];
    if (part !== undefined && (part.records > 0 || this.#next === 0)) parts.push(await this.#complete(part));
    else await part?.file.abort();
    this.#ended = { parts, next: this.#next };
    return this.#ended;
  };

  readonly commit = async (): Promise<void> => {
    const { parts } = this.#ended ?? (await this.prepare());
    for (const part of parts) {
      try {
        const { subtask, environment } = this.#context;
        environment.faults.reach(partFileFaultPoints.beforeRename, { file: part.path, subtask });
        // The temporary file is in the claim's directory: if the claim is lost, so is the file.
        await commitPart(part);
      } catch (error) {
        await this.abort();
        throw fileProblem(part.path, 'write', error);
      }
    }
  };

  /** What is pending for a checkpoint stays. */
  readonly abort = async (): Promise<void> => {
    await this.#part?.file.abort();
    for (const { temporary } of this.#ended?.parts ?? []) await rm(temporary, { force: true });
  };

  async #writeAnew(records: readonly In[]): Promise<void> {
    this.#part = await this.#begin();
    await this.write(records);
  }

  async #begin(): Promise<OpenPart<In>> {
    const { packing, begin } = this.#options;
    const number = this.#next;
    const file = await PartFile.open(
      {
        path: laterPartPath(this.#path, number),
        first: this.#first,
        number,
        temporary: number === 0 ? this.#prefix : `${this.#prefix}.${number}`,
        place: laterPartPath(this.#first, number),
      },
      this.#context,
      packing,
    );
    return { file, content: await begin(file), records: 0 };
  }

  async #complete({ file, content, records }: OpenPart<In>): Promise<PreparedPart> {
    try {
      await content.end?.();
    } catch (error) {
      await file.abort();
      throw error;
    }
    const prepared = await file.prepare(records);
    this.#next++;
    return prepared;
  }
}
