import {
  recordingFormat,
  type RecordedPicture,
  type RecordingLine,
  type RunLine,
} from '../../recording/recording-line.ts';
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
 * A recording in memory, as text and the picture at some lines. The picture at any line is that of the nearest line
 * before it, and a fold over the lines between.
 */
export class RecordingFile {
  readonly #lines: readonly string[];
  /** By line: the latest time so far. */
  readonly #times: Float64Array;
  readonly #checkpoints: Checkpoint[] = [];
  /** The latest picture that was asked for, and its number of lines. */
  #latest: { readonly picture: RunPicture; readonly lines: number };
  readonly run: RunLine;
  /** Lines that could not be read: the last one of a process that crashed, or damage. */
  readonly unreadable: number;

  /** @throws RecordingProblem if it is no recording, or a newer format */
  constructor(text: string) {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    const run = parsed(lines[0] ?? '');
    if (run?.type !== 'run') {
      throw new RecordingProblem(
        'This is no recording: its first line does not name a run',
        'Record one with `job.run({ record: "run.jsonl" })`',
      );
    }
    if (run.format > recordingFormat) {
      throw new RecordingProblem(
        `The recording has format ${run.format}; this page reads up to ${recordingFormat}`,
        'Open it with a newer version of Kintsugi',
      );
    }
    this.run = run;
    this.#times = new Float64Array(lines.length);
    const readable: string[] = [];
    const every = Math.max(linesBetween, Math.ceil(lines.length / mostCheckpoints));
    const picture = new RunPicture(run);
    for (const text of lines) {
      const line = parsed(text);
      if (line === undefined) continue;
      // The picture has begun with the first line.
      if (readable.length > 0) picture.next(line);
      this.#times[readable.length] = picture.atMs;
      readable.push(text);
      if (readable.length % every === 0) this.#checkpoints.push(checkpointOf(picture, readable.length));
    }
    this.#lines = readable;
    this.unreadable = lines.length - readable.length;
    this.#latest = { picture, lines: readable.length };
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
    for (let at = from.lines; at < wanted; at++) {
      const line = parsed(this.#lines[at] as string);
      if (line !== undefined) from.picture.next(line);
    }
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

/** What is wrong with a file, and what to do. */
export class RecordingProblem extends Error {
  override readonly name = 'RecordingProblem';
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

function checkpointOf(picture: RunPicture, line: number): Checkpoint {
  return { line, run: picture.run, plain: picture.toPlain(), atMs: picture.atMs };
}

/** A line; undefined if it cannot be read. */
function parsed(text: string): RecordingLine | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === 'object' && line !== null && 'type' in line ? (line as RecordingLine) : undefined;
  } catch {
    return undefined;
  }
}
