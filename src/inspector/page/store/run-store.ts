import { type ReadonlySignal, signal } from '@preact/signals';
import type { RecordingLine } from '../../recording/recording-line.ts';
import { RunPicture } from '../../recording/run-picture.ts';

/** What is drawn in one animation frame. Its picture is another object in each frame, so that what shows it is drawn. */
export interface Frame {
  readonly picture: RunPicture;
}

/** The run that the page shows. Lines change its picture at once, and what is drawn once per animation frame. */
export class RunStore {
  readonly #frame = signal<Frame | undefined>(undefined);
  readonly #requestFrame: (draw: () => void) => void;
  #picture: RunPicture | undefined;
  #isDue = false;

  constructor(requestFrame: (draw: () => void) => void) {
    this.#requestFrame = requestFrame;
  }

  /** What is drawn; undefined until a run is known. */
  get frame(): ReadonlySignal<Frame | undefined> {
    return this.#frame;
  }

  /** The picture now, which may be ahead of the frame. */
  get picture(): RunPicture | undefined {
    return this.#picture;
  }

  /** Takes a line of a live run. */
  take(line: RecordingLine): void {
    if (this.#picture !== undefined) this.#picture.next(line);
    else if (line.type === 'run') this.#picture = new RunPicture(line);
    else return;
    this.#schedule();
  }

  /** Shows a picture, of a recording. */
  show(picture: RunPicture | undefined): void {
    this.#picture = picture;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#requestFrame(() => {
      this.#isDue = false;
      this.#frame.value = this.#picture && { picture: this.#picture.sameAgain() };
    });
  }
}
