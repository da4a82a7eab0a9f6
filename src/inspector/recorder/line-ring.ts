import type { RecordingLine } from '../recording/recording-line.ts';

interface RingEntry {
  readonly line: RecordingLine;
  readonly bytes: number;
}

/** The latest lines of a recording, up to a number of bytes. */
export class LineRing {
  readonly #mostBytes: number;
  readonly #dropped: (line: RecordingLine) => void;
  readonly #entries: RingEntry[] = [];
  /** Index of its oldest entry. */
  #first = 0;
  #bytes = 0;
  /** Lines that were dropped. */
  #droppedCount = 0;

  /** @param dropped called with each line that no longer fits, oldest first */
  constructor(mostBytes: number, dropped: (line: RecordingLine) => void) {
    this.#mostBytes = mostBytes;
    this.#dropped = dropped;
  }

  /** The number of lines so far, dropped ones included. */
  get end(): number {
    return this.#droppedCount + this.#entries.length - this.#first;
  }

  /** How many lines were dropped: the number of its oldest line. */
  get start(): number {
    return this.#droppedCount;
  }

  push(line: RecordingLine): void {
    const bytes = lineBytes(line);
    this.#entries.push({ line, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#mostBytes && this.#first < this.#entries.length) this.#drop();
    if (this.#first > 1_024 && this.#first * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** Its lines from number `from`, which was not dropped. */
  *from(from: number): Generator<RecordingLine> {
    for (let at = this.#first + from - this.start; at < this.#entries.length; at++) {
      yield (this.#entries[at] as RingEntry).line;
    }
  }

  #drop(): void {
    const { line, bytes } = this.#entries[this.#first] as RingEntry;
    this.#first++;
    this.#bytes -= bytes;
    this.#droppedCount++;
    this.#dropped(line);
  }
}

/** What the names of a line's fields take, and numbers. */
const usualBytes = 160;

/** What a number in a list takes, in memory and at most as text. */
const numberBytes = 8;

/** The size of a line as JSON; estimated for the frequent ones, because writing them out would cost more than they do. */
function lineBytes(line: RecordingLine): number {
  switch (line.type) {
    case 'changes':
      return usualBytes + numberBytes * line.changes.length;
    case 'actors': {
      const { started, states, stopped } = line;
      let bytes = usualBytes + 8 * stopped.length;
      for (const { id, chart = '' } of started) bytes += 60 + id.length + chart.length;
      for (const [, paths] of states) for (const path of paths) bytes += 16 + path.length;
      return bytes;
    }
    default:
      return jsonBytes(line);
  }
}

function jsonBytes(line: RecordingLine): number {
  return JSON.stringify(line).length;
}
