import { fileProblem } from '../../connectors/file-problem.ts';
import { KintsugiError } from '../../errors/kintsugi-error.ts';
import { RecordingLimitError } from '../../errors/recording-errors.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { ResolvedRecordOptions } from '../../run/record-option.ts';
import { insideOf, type RunInside } from '../../run/run-inside.ts';
import type { RecordingLine } from '../recording/recording-line.ts';
import { type LiveRecording, recordRun } from './live-recording.ts';
import { RecordingFile } from './recording-file.ts';

/** Fault points around the file of a recording (`environment.faults`). Their place has `file`. */
export const recordingFaultPoints = {
  /** Before lines are written. */
  write: 'recording.write',
} as const;

/** Lines that wait are written after this time at the latest, or when they are this long. */
const latestMs = 100;
const mostWaiting = 64 << 10;

/** Share of `maxBytes` that a picture may take. */
const mostPicture = 3 / 8;

/** What lines are kept in memory: the recorder needs a picture only, when it begins a file. */
const keepBytes = 256 << 10;

/** Records a run in a file, from now to its end. */
export function recordToFile(run: JobRun, options: ResolvedRecordOptions): void {
  const { redact } = options;
  new FlightRecorder(insideOf(run), recordRun(run, { redact, keepBytes }), options).start();
}

/**
 * Writes the recording of a run to a file as it happens.
 *
 * FR1 The file can be read at any time, whenever the process is killed: whole lines, the last of which may be torn.
 * FR2 The present file and the one before take `maxBytes` at most. Each begins with the run and a picture of it.
 * FR3 An error of the file ends the recording, with one `observer.failed`, and never the run.
 */
class FlightRecorder {
  readonly #inside: RunInside;
  readonly #recording: LiveRecording;
  readonly #options: ResolvedRecordOptions;
  readonly #file: RecordingFile;
  #waiting: string[] = [];
  #waitingLength = 0;
  #timer: unknown;
  #isFlushDue = false;
  #stop: (() => void) | undefined;

  constructor(inside: RunInside, recording: LiveRecording, options: ResolvedRecordOptions) {
    this.#inside = inside;
    this.#recording = recording;
    this.#options = options;
    this.#file = new RecordingFile(options.file);
  }

  start(): void {
    const stop = this.#recording.listen({ next: (line) => this.#next(line), ended: () => this.#end() });
    this.#stop = stop;
    // What was said as it began to listen is in the picture.
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#attempt(() => this.#begin());
  }

  #next(line: RecordingLine): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#waiting.push(text);
    this.#waitingLength += text.length;
    if (this.#waitingLength >= mostWaiting) this.#flush();
    else if (isUrgent(line)) this.#flushThisTurn();
    else this.#timer ??= this.#inside.environment.clock.setTimeout(() => this.#flush(), latestMs, 'background');
  }

  /** What may be the last event before the process ends must not wait. */
  #flushThisTurn(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#inside.environment.clock.setImmediate(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#inside.environment.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#stop === undefined || this.#waiting.length === 0) return;
    const text = this.#waiting.join('');
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#attempt(() => {
      // What waits is in the picture with which a new file begins.
      if (this.#file.bytes + Buffer.byteLength(text) > this.#options.maxBytes / 2) this.#begin();
      else {
        this.#reach();
        this.#file.append(text);
      }
    });
  }

  /** FR2 */
  #begin(): void {
    this.#reach();
    const text = this.#recording
      .opening()
      .map((line) => `${JSON.stringify(line)}\n`)
      .join('');
    const { maxBytes, file } = this.#options;
    // A file, which is half of it, needs room for what happens: otherwise the next one would have to begin at once.
    const neededBytes = Math.ceil(Buffer.byteLength(text) / mostPicture);
    if (neededBytes > maxBytes) throw new RecordingLimitError(file, maxBytes, 2 * neededBytes);
    this.#file.begin(text);
  }

  #end(): void {
    this.#flush();
    this.#attempt(() => this.#file.close());
    this.#stop = undefined;
  }

  #reach(): void {
    this.#inside.environment.faults.reach(recordingFaultPoints.write, { file: this.#options.file });
  }

  /** FR3 */
  #attempt(work: () => void): void {
    if (this.#stop === undefined) return;
    try {
      work();
    } catch (error) {
      this.#stop();
      this.#stop = undefined;
      this.#waiting = [];
      const cause = error instanceof KintsugiError ? error : fileProblem(this.#options.file, 'write', error);
      this.#inside.observerFailed('record', cause);
      this.#closeQuietly();
    }
  }

  #closeQuietly(): void {
    try {
      this.#file.close();
    } catch {
      // The error before it is reported.
    }
  }
}

/** Everything but the usual course of a run. */
function isUrgent(line: RecordingLine): boolean {
  return line.type === 'event' && line.event.type !== 'task.ended';
}
