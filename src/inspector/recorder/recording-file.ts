import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { RecordingFormatError } from '../../errors/recording-errors.ts';
import { makeDirectory } from '../../partitions/claims/make-directory.ts';

/**
 * The file of a recording, and the one before it, which has `.1` at the end of its name. Writes synchronously, so that
 * what was written outlives the process. Any method may throw what the file system does.
 */
export class RecordingFile {
  readonly path: string;
  #descriptor: number | undefined;
  #bytes = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Bytes of the present file. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Begins a file with a text. An earlier recording moves aside.
   * @throws RecordingFormatError if there is a file that is not a recording
   */
  begin(text: string): void {
    makeDirectory(dirname(this.path));
    assertRecording(this.path);
    // Under another name until it can be read, so that there is a readable file at any time.
    const [next, before] = [`${this.path}.next`, `${this.path}.1`];
    for (const old of [next, before]) rmSync(old, { force: true });
    this.close();
    this.#descriptor = openSync(next, 'wx', 0o600);
    this.#bytes = 0;
    this.append(text);
    if (existsSync(this.path)) renameSync(this.path, before);
    renameSync(next, this.path);
  }

  append(text: string): void {
    const bytes = Buffer.from(text);
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#descriptor as number, bytes, written);
    this.#bytes += bytes.length;
  }

  close(): void {
    if (this.#descriptor === undefined) return;
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    closeSync(descriptor);
  }
}

const start = Buffer.from('{"type":"run"');

/** A path given by mistake must not cost a file that is something else. */
function assertRecording(path: string): void {
  if (!existsSync(path)) return;
  const stats = statSync(path);
  if (stats.isFile() && (stats.size === 0 || beginsLikeRecording(path))) return;
  throw new RecordingFormatError(
    path,
    'it exists and is not a recording, so nothing is recorded. Record to another file',
  );
}

function beginsLikeRecording(path: string): boolean {
  const descriptor = openSync(path, 'r');
  try {
    const found = Buffer.alloc(start.length);
    readSync(descriptor, found, 0, found.length, 0);
    return found.equals(start);
  } finally {
    closeSync(descriptor);
  }
}
