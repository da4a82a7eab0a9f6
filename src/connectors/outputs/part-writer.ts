import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { SinkWriter } from '../../operators/sink.ts';
import { fileProblem } from '../file-problem.ts';
import type { BegunPart } from './begun-part.ts';
import { checkOutputFile } from './output-file.ts';
import { PartFile } from './part-file.ts';
import { laterPartPath, partPath, pendingDirectory, pendingPartsOf } from './part-path.ts';
import {
  commitPart,
  type PreparedPart,
  type PreparedParts,
  putBack,
  removePartsFrom,
  removeUnfinished,
  setAside,
} from './prepared-part.ts';
import type { RollingOptions } from './part-options.ts';
import { type OtherParts, removeGone } from './other-parallelism.ts';

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

export interface PartWriterOptions<In> extends RollingOptions {
  readonly packing: 'gzip' | 'none';
  /** Begins the content of a part, or goes on with it. */
  readonly begin: (file: PartFile, isContinued: boolean) => PartContent<In> | Promise<PartContent<In>>;
}

interface OpenPart<In> {
  readonly file: PartFile;
  readonly content: PartContent<In>;
  records: number;
  /** By the environment's clock. */
  readonly beganMs: number;
}

/**
 * The part files that one attempt of a subtask writes: one; with checkpoints, one for each interval in which there were
 * records, or for several (`rollIntervalMs`); and more where they get large (`rollBytes`). They grow inside the run's claim on the path, under names made of run, subtask and attempt. A part is
 * complete and synced when it is closed, and pending from then on; it is renamed into place when the checkpoint
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
  readonly #before: Pick<PreparedParts, 'before'> | undefined;
  /** In progress. */
  #part: OpenPart<In> | undefined;
  /** The file that the first part was copied from. */
  #copied: string | undefined;
  /** Closed since the last barrier. */
  #closed: PreparedPart[] = [];
  /** The last parts, before they are committed. */
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
      readonly before: PreparedParts['before'];
    },
  ) {
    this.#context = context;
    this.#options = options;
    this.#path = place.path;
    this.#first = place.first;
    this.#prefix = place.prefix;
    this.#pending = place.pending;
    this.#next = place.next;
    this.#before = place.before && { before: place.before };
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
    const { next = 0, begun, before } = (from ?? {}) as Partial<PreparedParts>;
    const own = partPath(path, subtask, parallelism);
    try {
      checkOutputFile(own);
      const claimed = outputs.claim(path, vertex);
      const prefix = `${run}.${subtask}.`;
      for (const name of await readdir(claimed)) {
        if (name.startsWith(prefix) && name !== `${prefix}${beside}`) await rm(join(claimed, name));
      }
      const [file, first] = [path, own].map((one) => join(dirname(claimed), basename(one))) as [string, string];
      const place = {
        path: own,
        first,
        prefix: join(claimed, `${prefix}${attempt}`),
        pending: pendingDirectory(file),
        ...{ next, before },
      };
      const writer = new PartWriter(context, options, place);
      const pendings = pendingPartsOf(file, first);
      await writer.#continue(begun, pendings);
      for (const pending of pendings) if (pending !== begun?.temporary) await rm(pending, { force: true });
      if (next > 0) await removePartsFrom(first, next);
      if (from !== undefined && 'gone' in (from as object)) await removeGone(from as OtherParts);
      return writer;
    } catch (error) {
      throw fileProblem(own, 'write', error);
    }
  }

  readonly write = (records: readonly In[]): void | Promise<void> => {
    const part = this.#part;
    if (part === undefined) return this.#writeAnew(records);
    part.records += records.length;
    const written = part.content.write(records);
    if (this.#options.rollBytes === undefined) return written;
    return written === undefined ? this.#roll(part) : written.then(() => this.#roll(part));
  };

  /** Nothing stays in progress at a savepoint, after which others may write. */
  readonly prepareCheckpoint = async ({ isSavepoint = false } = {}): Promise<PreparedParts> => {
    const { rollIntervalMs = 0 } = this.#options;
    let part = this.#part;
    if (part !== undefined && part.records > 0 && (isSavepoint || this.#ageOf(part) >= rollIntervalMs)) {
      await this.#end(part);
      part = undefined;
    }
    const parts: PreparedPart[] = [];
    for (const closed of this.#closed) parts.push(await setAside(closed, this.#pending));
    this.#closed = [];
    const prepared = { parts, next: this.#next, ...this.#before };
    if (part === undefined || part.records === 0) return prepared;
    const begun = { ...(await part.file.keep()), records: part.records, ageMs: this.#ageOf(part) };
    return { ...prepared, begun };
  };

  /** A part without records only if it is the first. */
  readonly prepare = async (): Promise<PreparedParts> => {
    const part = this.#part;
    if (part !== undefined && (part.records > 0 || this.#next === 0)) await this.#end(part);
    else await part?.file.abort();
    this.#ended = { parts: this.#closed, next: this.#next };
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
    // An attempt that continues from the checkpoint again finds the same bytes in the part that is committed.
    if (this.#copied !== undefined) await rm(this.#copied, { force: true });
  };

  /** What is pending for a checkpoint stays. */
  readonly abort = async (): Promise<void> => {
    await this.#part?.file.abort();
    for (const part of this.#closed) await removeUnfinished(part, this.#pending);
  };

  async #writeAnew(records: readonly In[]): Promise<void> {
    const file = await this.#open();
    this.#part = this.#partOf(file, await this.#options.begin(file, false));
    await this.write(records);
  }

  /** The first part of an attempt. @param pendings where parts of the subtask may be that were begun */
  async #continue(begun: BegunPart | undefined, pendings: readonly string[]): Promise<void> {
    const file = await this.#open();
    if (begun !== undefined) {
      const committed = laterPartPath(this.#first, this.#next);
      const source = await file.continue(begun, [begun.temporary, ...pendings, committed]);
      // It may have been committed after the checkpoint, with records that will be written again.
      if (source !== begun.temporary) await putBack(source, begun.temporary);
      this.#copied = begun.temporary;
    }
    this.#part = this.#partOf(file, await this.#options.begin(file, begun !== undefined), begun);
  }

  #partOf(
    file: PartFile,
    content: PartContent<In>,
    { records, ageMs }: Pick<BegunPart, 'records' | 'ageMs'> = { records: 0, ageMs: 0 },
  ): OpenPart<In> {
    return { file, content, records, beganMs: this.#context.environment.clock.now() - ageMs };
  }

  #ageOf({ beganMs }: OpenPart<In>): number {
    return this.#context.environment.clock.now() - beganMs;
  }

  #open(): Promise<PartFile> {
    const { packing, rollIntervalMs } = this.#options;
    const number = this.#next;
    return PartFile.open(
      {
        path: laterPartPath(this.#path, number),
        first: this.#first,
        number,
        temporary: number === 0 ? this.#prefix : `${this.#prefix}.${number}`,
        place: laterPartPath(this.#first, number),
      },
      this.#context,
      { packing, pending: this.#pending, isContinuable: rollIntervalMs !== undefined },
    );
  }

  #roll(part: OpenPart<In>): void | Promise<void> {
    if (part.file.bytes >= (this.#options.rollBytes as number)) return this.#end(part);
  }

  /** Closes the part in progress. */
  async #end({ file, content, records }: OpenPart<In>): Promise<void> {
    this.#part = undefined;
    try {
      await content.end?.();
    } catch (error) {
      await file.abort();
      throw error;
    }
    this.#closed.push(await file.prepare(records));
    this.#next++;
  }
}
