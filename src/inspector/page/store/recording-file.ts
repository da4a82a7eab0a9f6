import type { RecordedPicture, RecordingLine, RunLine } from '../../recording/recording-line.ts';
import { parseRecording } from '../../recording/recording-text.ts';
import { RunPicture } from '../../recording/run-picture.ts';

/** A picture to begin from, in place of the lines before it. */
interface Checkpoint {
  /** Number of lines before it. */
  readonly line: number;
  readonly run: RunLine;
  readonly plain: RecordedPicture;
  readonly atMs: number;
}

/** Checkpoints of a recording: enough to go back quickly, few enough to fit in memory. */
const mostCheckpoints = 24;
const linesBetween = 2_000;

/**
 * A recording in memory: its lines, and the picture at some of them. The picture at any line is that of the nearest line
 * before it, and a fold over the lines between.
 */
export class RecordingFile {
  readonly #lines: readonly RecordingLine[];
  /** By line: the latest time so far. */
  readonly #times: Float64Array;
  readonly #checkpoints: Checkpoint[] = [];
  /** The latest picture that was asked for, and its number of lines. */
  #latest: { readonly picture: RunPicture; readonly lines: number };
  readonly run: RunLine;
  /** Lines that could not be read: the last one of a process that crashed, or damage. */
  readonly unreadable: number;

  /** @throws RecordingFormatError if it is no recording, or a newer format */
  constructor(text: string, name: string) {
    const { run, lines, damagedLines, isTorn } = parseRecording(text, name);
    this.run = run;
    this.unreadable = damagedLines + (isTorn ? 1 : 0);
    this.#lines = lines;
    this.#times = new Float64Array(lines.length);
    const every = Math.max(linesBetween, Math.ceil(lines.length / mostCheckpoints));
    const picture = new RunPicture(run);
    for (const [at, line] of lines.entries()) {
      // The picture has begun with the first line.
      if (at > 0) picture.next(line);
      this.#times[at] = picture.atMs;
      if ((at + 1) % every === 0) this.#checkpoints.push(checkpointOf(picture, at + 1));
    }
    this.#latest = { picture, lines: lines.length };
  }

  get lineCount(): number {
    return this.#lines.length;
  }

  get startMs(): number {
    return this.#times[0] ?? 0;
  }

  get endMs(): number {
    return this.#times[this.lineCount - 1] ?? 0;
  }

  /** The number of lines until a time, inclusive; at least 1. */
  linesUntil(atMs: number): number {
    let [low, high] = [1, this.lineCount];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#times[middle - 1] as number) <= atMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The time of the latest of the first `lines` lines. */
  timeAfter(lines: number): number {
    return this.#times[Math.min(Math.max(lines, 1), this.lineCount) - 1] ?? 0;
  }

  /** The picture after a number of lines. A later call may change it. */
  pictureAfter(lines: number): RunPicture {
    const wanted = Math.min(Math.max(lines, 1), this.lineCount);
    const from = this.#nearest(wanted);
    for (let at = from.lines; at < wanted; at++) from.picture.next(this.#lines[at] as RecordingLine);
    this.#latest = { picture: from.picture, lines: wanted };
    return from.picture;
  }

  #nearest(lines: number): { readonly picture: RunPicture; readonly lines: number } {
    const checkpoint = this.#checkpoints.findLast((one) => one.line <= lines);
    if (this.#latest.lines <= lines && this.#latest.lines >= (checkpoint?.line ?? 0)) return this.#latest;
    if (checkpoint === undefined) return { picture: new RunPicture(this.run), lines: 1 };
    return { picture: RunPicture.from(checkpoint.run, checkpoint.plain, checkpoint.atMs), lines: checkpoint.line };
  }
}

function checkpointOf(picture: RunPicture, line: number): Checkpoint {
  return { line, run: picture.run, plain: picture.toPlain(), atMs: picture.atMs };
}
