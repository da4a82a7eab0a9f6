/** A server-sent event as bytes; several viewers share it. */
export type Frame = Uint8Array;

/** What a stream begins with. */
export type OpeningFrames = readonly Frame[];

/** Bytes of lines that wait for one viewer. */
const mostWaitingBytes = 1 << 20;

/** Bytes that are passed on at once. */
const chunkBytes = 64 * 1_024;

/**
 * One stream of frames, at the pace of its reader. Frames wait in a bounded queue. If the bound is reached, they are
 * dropped, and the reader gets a new opening when it reads on.
 */
export class Viewer {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #reopen: (dropped: number) => OpeningFrames;
  readonly #left: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Is always passed on as a whole, so that a slow reader gets somewhere. */
  #opening: Frame[] = [];
  #waiting: Frame[] = [];
  #waitingBytes = 0;
  /** Frames dropped since the opening. */
  #dropped = 0;
  #hasEnded = false;
  #wants = false;

  /**
   * @param reopen makes the frames that replace this many dropped ones
   * @param left called once, when the stream has ended or its reader has gone
   */
  constructor(reopen: (dropped: number) => OpeningFrames, left: () => void) {
    this.#reopen = reopen;
    this.#left = left;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#wants = true;
          this.#pass();
        },
        cancel: () => this.#leave(),
      },
      // Nothing is taken before the reader asks.
      { highWaterMark: 0 },
    );
  }

  begin(opening: OpeningFrames): void {
    this.#opening = [...opening];
  }

  push(frame: Frame): void {
    if (this.#hasEnded) return;
    if (this.#dropped > 0 || this.#waitingBytes + frame.byteLength > mostWaitingBytes) {
      this.#dropped += this.#waiting.length + 1;
      this.#waiting = [];
      this.#waitingBytes = 0;
    } else {
      this.#waiting.push(frame);
      this.#waitingBytes += frame.byteLength;
    }
    if (this.#wants) this.#pass();
  }

  /** Ends the stream behind what waits. */
  end(): void {
    this.#hasEnded = true;
    if (this.#wants) this.#pass();
  }

  #pass(): void {
    if (this.#opening.length === 0 && this.#dropped > 0) {
      this.#opening = [...this.#reopen(this.#dropped)];
      this.#dropped = 0;
    }
    const isOpening = this.#opening.length > 0;
    const frames = nextOf(isOpening ? this.#opening : this.#waiting);
    if (frames.length === 0) {
      if (this.#hasEnded) this.#close();
      return;
    }
    const chunk = Buffer.concat(frames);
    if (!isOpening) this.#waitingBytes -= chunk.byteLength;
    this.#wants = false;
    this.#controller?.enqueue(chunk);
  }

  #close(): void {
    this.#controller?.close();
    this.#leave();
  }

  #leave(): void {
    this.#controller = undefined;
    this.#wants = false;
    this.#opening = [];
    this.#waiting = [];
    this.#left();
  }
}

/** Takes the frames of one chunk out of a queue: one at least, if there is one. */
function nextOf(queue: Frame[]): Frame[] {
  let bytes = 0;
  const end = queue.findIndex((frame) => (bytes += frame.byteLength) > chunkBytes);
  return queue.splice(0, end < 0 ? queue.length : Math.max(1, end));
}
