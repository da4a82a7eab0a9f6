import { toError } from '../../errors/thrown-value.ts';
import type { JobRun } from '../../run/job-run.ts';
import { insideOf, type RunInside } from '../../run/run-inside.ts';
import type { Redact } from '../recording/plain-value.ts';
import type { PictureLine, RecordingLine, RunLine } from '../recording/recording-line.ts';
import { RunPicture } from '../recording/run-picture.ts';
import { RunTap } from '../tap/run-tap.ts';
import { FrequentChanges } from './frequent-changes.ts';
import { LineRing } from './line-ring.ts';
import { presentPicture } from './present-picture.ts';
import { recordedEvent } from './recorded-event.ts';
import { runLine } from './run-line.ts';
import { Sampler } from './sampler.ts';

/** Options of a recording. */
export interface RecordingOptions {
  /**
   * What it says about actors: nothing (`counts`), which costs nothing, or which there are and their states (`states`,
   * the default), which costs a few µs per event of an actor while somebody watches. Focused actors are traced in
   * addition.
   */
  readonly level?: 'counts' | 'states' | undefined;
  /** Replaces what must not be recorded: in errors, pictures of records, payloads and contexts. */
  readonly redact?: Redact | undefined;
  /** Maximum bytes of lines kept in memory for those who ask for the recording so far. Default 8 MiB. */
  readonly keepBytes?: number | undefined;
  /** Time between samples, in ms. Default 250. */
  readonly sampleEveryMs?: number | undefined;
}

/** Gets the lines of a recording. A listener that throws is reported, and not called again. */
export interface LineListener {
  next(line: RecordingLine): void;
  /** The run is over; nothing follows. */
  ended(): void;
}

/**
 * The recording of a run from now on: its lines, for any number of listeners, each of whom may come late.
 *
 * Until somebody listens it keeps the job's events, and nothing else is done: no actor is observed, no sample taken.
 *
 * LR1 `opening` amounts to all lines so far: with it and the lines that follow, a listener misses nothing.
 * LR2 It holds at most `keepBytes` of lines, and a picture of those before.
 */
export class LiveRecording {
  readonly run: RunLine;
  readonly #inside: RunInside;
  readonly #level: 'counts' | 'states';
  readonly #tap: RunTap;
  readonly #sampler: Sampler;
  readonly #ring: LineRing;
  /** What has happened and is not yet a line. */
  readonly #frequent = new FrequentChanges();
  #isFlushDue = false;
  /** Replaced when it changes, so that a loop over it gets those of its beginning. */
  #listeners: readonly LineListener[] = [];
  /** The picture of all lines that the ring has dropped. */
  #dropped: RunPicture | undefined;
  /** The picture of the first `#presentCount` lines, made when it is asked for. */
  #present: RunPicture | undefined;
  #presentCount = 0;
  #opening: readonly [RunLine, PictureLine] | undefined;
  #isOver = false;

  constructor(run: JobRun, { level = 'states', redact, keepBytes = 8 << 20, sampleEveryMs = 250 }: RecordingOptions) {
    const inside = insideOf(run);
    this.#inside = inside;
    this.#level = level;
    this.run = runLine(inside);
    this.#ring = new LineRing(keepBytes, (line) => {
      this.#dropped ??= new RunPicture(this.run);
      this.#dropped.next(line);
    });
    const emit = (line: RecordingLine): void => this.#push(line);
    this.#sampler = new Sampler(run, inside, sampleEveryMs, emit);
    this.#tap = new RunTap({ inside, emit, redact });
    const picture = presentPicture(run, inside, this.run, { redact });
    if (picture !== undefined) this.#push(picture);
    inside.events$.subscribe({
      next: (event) => {
        if (this.#frequent.add(event)) this.#flushLater();
        else this.#push({ type: 'event', event: recordedEvent(event, { redact }) });
        this.#sampler.next(event);
      },
      complete: () => this.#end(),
    });
  }

  /** What the lines so far amount to: the run, and a picture that replaces all that came before. */
  opening(): readonly [RunLine, PictureLine] {
    this.#settle();
    if (this.#opening === undefined || this.#presentCount < this.#ring.end) {
      const present = this.#presentPicture();
      this.#opening = [this.run, { type: 'picture', atMs: present.atMs, picture: present.toPlain() }];
    }
    return this.#opening;
  }

  /** The recording so far, as far as it is kept: the run, a picture of the lines that are not, and the lines that are. */
  *lines(): Generator<RecordingLine> {
    this.#settle();
    yield this.run;
    if (this.#dropped !== undefined) {
      yield { type: 'picture', atMs: this.#dropped.atMs, picture: this.#dropped.toPlain() };
    }
    yield* this.#ring.from(this.#ring.start);
  }

  /** Passes on every line from now on, until the returned function is called. */
  listen(listener: LineListener): () => void {
    if (this.#isOver) {
      listener.ended();
      return () => {};
    }
    const guarded: LineListener = {
      next: (line) => this.#guard(() => listener.next(line), stop),
      ended: () => this.#guard(() => listener.ended(), stop),
    };
    const stop = (): void => {
      if (!this.#listeners.includes(guarded)) return;
      this.#listeners = this.#listeners.filter((each) => each !== guarded);
      if (this.#listeners.length === 0) this.#rest();
    };
    this.#flush();
    this.#listeners = [...this.#listeners, guarded];
    if (this.#listeners.length === 1) this.#wake();
    return stop;
  }

  /** Traces one actor while somebody listens, by its id: what it receives and does; null for none. */
  focus(actor: string | null): void {
    this.#tap.focus(actor);
  }

  #presentPicture(): RunPicture {
    const { start, end } = this.#ring;
    if (this.#present === undefined || this.#presentCount < start) {
      this.#present = new RunPicture(this.run);
      if (this.#dropped !== undefined) {
        this.#present.next({ type: 'picture', atMs: this.#dropped.atMs, picture: this.#dropped.toPlain() });
      }
      this.#presentCount = start;
    }
    for (const line of this.#ring.from(this.#presentCount)) this.#present.next(line);
    this.#presentCount = end;
    return this.#present;
  }

  /** Without a listener, as late as possible. */
  #flushLater(): void {
    if (this.#frequent.isFull) this.#flush();
    else if (this.#listeners.length > 0 && !this.#isFlushDue) {
      this.#isFlushDue = true;
      this.#inside.environment.clock.setImmediate(() => this.#flush());
    }
  }

  /** Makes lines of what has happened, unless listeners, to whom they would be new, will get them this turn. */
  #settle(): void {
    if (this.#listeners.length === 0) this.#flush();
  }

  #flush(): void {
    this.#isFlushDue = false;
    const line = this.#frequent.take();
    if (line !== undefined) this.#pass(line);
  }

  #push(line: RecordingLine): void {
    // In the order in which it happened.
    this.#flush();
    this.#pass(line);
  }

  #pass(line: RecordingLine): void {
    this.#ring.push(line);
    for (const listener of this.#listeners) listener.next(line);
  }

  #wake(): void {
    if (this.#level === 'states') this.#tap.open();
    this.#sampler.start();
  }

  #rest(): void {
    this.#tap.close();
    this.#sampler.stop();
  }

  #end(): void {
    this.#flush();
    this.#tap.end();
    this.#sampler.stop();
    this.#sampler.sample();
    this.#isOver = true;
    for (const listener of this.#listeners) listener.ended();
    this.#listeners = [];
  }

  #guard(call: () => void, stop: () => void): void {
    try {
      call();
    } catch (error) {
      stop();
      this.#inside.observerFailed('inspector', toError(error));
    }
  }
}

/** Records a run from now on. */
export function recordRun(run: JobRun, options: RecordingOptions = {}): LiveRecording {
  return new LiveRecording(run, options);
}
