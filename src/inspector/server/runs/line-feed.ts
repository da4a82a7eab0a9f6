import type { RecordingLine } from '../../recording/recording-line.ts';
import { type Frame, type OpeningFrames, Viewer } from './viewer.ts';

/** The lines of a run, as its recording offers them. */
export interface RunLines {
  /** What the lines so far amount to: a `run`, then what replaces all that came before. */
  opening(): readonly RecordingLine[];
  /** Passes on every line from now on, and says when there are no more. Returns how to stop listening. */
  listen(listener: { next(line: RecordingLine): void; ended(): void }): () => void;
}

/** Bytes of lines that are held to resume streams that broke off. */
const mostHeldBytes = 1 << 20;

/**
 * The lines of a run as server-sent events for any number of viewers. Its source is listened to from the first viewer
 * to the last. Each line is numbered and encoded once, and all viewers share its bytes; so do viewers that join late
 * share an opening, and read from there on.
 *
 * - LF1 A viewer gets an opening and every line after it, in order and once; or it is told how many lines it missed,
 *   and gets a new opening.
 * - LF2 A viewer that says which line it saw last gets the lines after it, if they are still held.
 * - LF3 Neither the number of viewers nor a slow one makes the server hold more than a bounded number of bytes each.
 */
export class LineFeed {
  readonly #source: RunLines;
  readonly #nowMs: () => number;
  readonly #viewers = new Set<Viewer>();
  /** The latest frames. The first is number `#last - #held.length + 1`. */
  #held: Frame[] = [];
  #heldBytes = 0;
  /** The number of the latest line. */
  #last = 0;
  /** An opening, and the number of the line that it includes last. */
  #opening: { readonly frames: readonly Frame[]; readonly upTo: number } | undefined;
  #stopListening: (() => void) | undefined;
  #hasEnded = false;

  /** @param nowMs the time on the clock of the run */
  constructor(source: RunLines, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
  }

  get viewerCount(): number {
    return this.#viewers.size;
  }

  /**
   * A stream of server-sent events, which ends after the last line; undefined if there is nothing more to come.
   *
   * @param lastSeen the number of the last line that this viewer got from an earlier stream
   */
  open(lastSeen: number | undefined): ReadableStream<Uint8Array> | undefined {
    if (this.#hasEnded && lastSeen === this.#last) return undefined;
    this.#listen();
    const viewer = new Viewer(
      (dropped) => [frameOf({ type: 'gap', atMs: this.#nowMs(), lines: dropped }, undefined), ...this.#frames()],
      () => this.#leave(viewer),
    );
    this.#viewers.add(viewer);
    viewer.begin(this.#since(lastSeen) ?? this.#frames());
    if (this.#hasEnded) viewer.end();
    return viewer.stream;
  }

  /** Ends all streams. */
  close(): void {
    for (const viewer of this.#viewers) viewer.end();
  }

  #listen(): void {
    if (this.#stopListening !== undefined || this.#hasEnded) return;
    // Stands for the lines that came while nobody listened: a stream from before cannot be resumed.
    this.#last++;
    this.#stopListening = this.#source.listen({ next: (line) => this.#next(line), ended: () => this.#end() });
  }

  #next(line: RecordingLine): void {
    const frame = frameOf(line, ++this.#last);
    this.#held.push(frame);
    this.#heldBytes += frame.byteLength;
    while (this.#heldBytes > mostHeldBytes) this.#heldBytes -= (this.#held.shift() as Frame).byteLength;
    for (const viewer of this.#viewers) viewer.push(frame);
  }

  #end(): void {
    this.#hasEnded = true;
    this.close();
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
    // Lines are missed from now on.
    this.#held = [];
    this.#heldBytes = 0;
    this.#opening = undefined;
  }

  /** The held frames after line `number`; undefined if some are missing. */
  #since(number: number | undefined): readonly Frame[] | undefined {
    const before = this.#last - this.#held.length;
    if (number === undefined || number < before || number > this.#last) return undefined;
    return this.#held.slice(number - before);
  }

  /** An opening, and the frames since. */
  #frames(): OpeningFrames {
    const since = this.#opening && this.#since(this.#opening.upTo);
    if (this.#opening !== undefined && since !== undefined) return [...this.#opening.frames, ...since];
    const lines = this.#source.opening();
    // Only the last line has the number: a stream that broke off before it has to begin again.
    const frames = lines.map((line, index) => frameOf(line, index === lines.length - 1 ? this.#last : undefined));
    this.#opening = { frames, upTo: this.#last };
    return frames;
  }
}

const encoder = new TextEncoder();

/** A line as a server-sent event. JSON has no line breaks, which would end it. */
function frameOf(line: RecordingLine, number: number | undefined): Frame {
  return encoder.encode(`${number === undefined ? '' : `id: ${number}\n`}data: ${JSON.stringify(line)}\n\n`);
}
