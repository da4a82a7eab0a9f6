import type { Clock } from '../../../environment.ts';
import { toError } from '../../../errors/thrown-value.ts';
import type { JournalStorage } from '../../../journal/journal-storage.ts';
import { encodeOwner, ownerOf } from '../../../partitions/claims/owner-note.ts';
import type { ProcessTable } from '../../../partitions/claims/process-table.ts';
import { type AnswerFiles, freeSegmentName } from './answer-files.ts';
import type { CallMarks, NewAnswer } from './answer-record.ts';
import { AnswerWriter, type WrittenAnswer } from './answer-writer.ts';

export interface AnswerOutputOptions {
  readonly storage: JournalStorage;
  readonly processes: ProcessTable;
  readonly clock: Clock;
  /** Unique among the writers of the directory. */
  readonly writer: string;
}

/** Where answers were written, or why they were not. */
export type Written =
  | { readonly segment: number; readonly places: readonly WrittenAnswer[]; readonly error?: undefined }
  | { readonly error: Error; readonly segment?: undefined; readonly places?: undefined };

/** A file that answers are written to, and its number among the files. */
interface OwnFile {
  readonly writer: AnswerWriter;
  readonly segment: number;
}

/** The files that one store writes, one after the other. After one that is full, or has failed, comes a new one. */
export class AnswerOutput {
  readonly #options: AnswerOutputOptions;
  readonly #files: AnswerFiles;
  readonly #warn: (error: unknown) => void;
  #file: OwnFile | undefined;
  /** Files that it has begun. */
  #begun = 0;

  /**
   * @param files where the files that it writes are read
   * @param warn hears what fails while nobody waits
   */
  constructor(options: AnswerOutputOptions, files: AnswerFiles, warn: (error: unknown) => void) {
    this.#options = options;
    this.#files = files;
    this.#warn = warn;
  }

  /** Bytes of the present file. */
  get size(): number {
    return this.#file?.writer.size ?? 0;
  }

  /** Writes answers, and marks of calls behind them, with one write. */
  write(answers: readonly NewAnswer[], marks: readonly CallMarks[]): Written {
    try {
      const { writer, segment } = (this.#file ??= this.#newFile());
      return { segment, places: writer.append(this.#options.clock.epochMs(), answers, marks) };
    } catch (error) {
      this.#drop(this.#file);
      return { error: toError(error) };
    }
  }

  /**
   * Settles when what was written to the present file is synced.
   * @throws JournalAccessError (as a rejection)
   */
  async sync(): Promise<void> {
    const file = this.#file;
    try {
      await file?.writer.sync();
    } catch (error) {
      this.#drop(file);
      throw error;
    }
  }

  /** The present file is complete. */
  endFile(): void {
    const { writer, segment } = this.#file as OwnFile;
    this.#file = undefined;
    writer.end();
    this.#files.endOwn(segment);
    void writer
      .sync()
      .catch(this.#warn)
      .then(() => writer.close());
  }

  /** A new file, which is not the present one. @param atMs the time in its name */
  create(atMs: number): AnswerWriter {
    const { storage, processes, writer } = this.#options;
    const name = freeSegmentName(storage, atMs, `${writer}-${processes.pid}`, this.#begun++);
    try {
      return new AnswerWriter(storage, name, encodeOwner(ownerOf(processes)));
    } catch (error) {
      storage.remove(name);
      throw error;
    }
  }

  /** Ends, syncs and closes the present file, behind these marks. */
  async close(marks: readonly CallMarks[]): Promise<void> {
    const writer = this.#file?.writer;
    this.#file = undefined;
    try {
      writer?.append(this.#options.clock.epochMs(), [], marks);
      writer?.end();
      await writer?.sync();
    } catch (error) {
      this.#warn(error);
    }
    await writer?.close();
  }

  #newFile(): OwnFile {
    const writer = this.create(this.#options.clock.epochMs());
    return { writer, segment: this.#files.addOwn(writer.name) };
  }

  /** A file that has failed is written no more. */
  #drop(file: OwnFile | undefined): void {
    if (this.#file === file) this.#file = undefined;
    void file?.writer.close();
  }
}
