import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type InspectorApi, type ListedRun, RefusedRequest, type RunAction } from './inspector-api.ts';
import { RecordingFile } from './recording-file.ts';
import { RunStore } from './run-store.ts';
import { isTerminalStatus } from './statuses.ts';

/** Where the lines come from. */
export type Mode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'live'; readonly run: string; readonly connection: 'open' | 'waiting' | 'closed' }
  | {
      readonly kind: 'recording';
      readonly name: string;
      readonly file: RecordingFile;
      readonly run: string | undefined;
    };

/** A short message to the user. */
export interface Notice {
  readonly tone: 'error' | 'done';
  readonly text: string;
  readonly remedy: string | undefined;
}

/** What is selected in all views: a job vertex, and perhaps one of its tasks. */
export interface Selection {
  readonly jobVertex: number;
  /** Index of the execution vertex. */
  readonly task: number | undefined;
}

/** The state of the page. */
export class PageStore {
  readonly run: RunStore;
  readonly api: InspectorApi | undefined;
  readonly #runs = signal<readonly ListedRun[]>([]);
  readonly #mode = signal<Mode>({ kind: 'empty' });
  readonly #position = signal(0);
  readonly #notice = signal<Notice | undefined>(undefined);
  /** The server's reason for refusing actions that break things; undefined if it has not refused. */
  readonly #refusal = signal<string | undefined>(undefined);
  readonly selection: Signal<Selection | undefined> = signal(undefined);
  /** The actor whose chart is shown. */
  readonly actor: Signal<number | undefined> = signal(undefined);
  #lines: EventSource | undefined;

  constructor(api: InspectorApi | undefined, requestFrame: (draw: () => void) => void) {
    this.api = api;
    this.run = new RunStore(requestFrame);
  }

  get runs(): ReadonlySignal<readonly ListedRun[]> {
    return this.#runs;
  }

  get mode(): ReadonlySignal<Mode> {
    return this.#mode;
  }

  /** Of a recording: how many of its lines the picture shows. */
  get position(): ReadonlySignal<number> {
    return this.#position;
  }

  get notice(): ReadonlySignal<Notice | undefined> {
    return this.#notice;
  }

  get refusal(): ReadonlySignal<string | undefined> {
    return this.#refusal;
  }

  /** Whether actions can be asked for. */
  readonly isLive = computed(() => {
    const mode = this.#mode.value;
    return mode.kind === 'live' && !isTerminalStatus(this.run.frame.value?.picture.status ?? '');
  });

  /** Asks the server for its runs, and opens the latest one that has not ended. */
  async connect(): Promise<void> {
    if (this.api === undefined) return;
    try {
      this.#runs.value = await this.api.runs();
    } catch (error) {
      this.#report(error);
      return;
    }
    const runs = this.#runs.value;
    const first = runs.findLast(({ endedAtMs }) => endedAtMs === undefined) ?? runs.at(-1);
    if (first !== undefined) await this.open(first);
  }

  /** Opens a run of the server: live, or as a recording if it has ended. */
  async open({ run, endedAtMs }: Pick<ListedRun, 'run' | 'endedAtMs'>): Promise<void> {
    if (endedAtMs === undefined) this.#watch(run);
    else await this.scrub(run);
  }

  /** Opens what the server has recorded of a run, to go through its time. */
  async scrub(run: string): Promise<void> {
    if (this.api === undefined) return;
    try {
      this.openRecording(await this.api.recording(run), run, run);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Opens a recording, at its end. */
  openRecording(text: string, name: string, run?: string): void {
    let file: RecordingFile;
    try {
      file = new RecordingFile(text, name);
    } catch (error) {
      this.#report(error);
      return;
    }
    this.#close();
    batch(() => {
      this.#mode.value = { kind: 'recording', name, file, run };
      this.seek(file.lineCount);
    });
  }

  /** Shows a recording after a number of its lines. */
  seek(lines: number): void {
    const mode = this.#mode.value;
    if (mode.kind !== 'recording') return;
    this.#position.value = Math.min(Math.max(lines, 1), mode.file.lineCount);
    this.run.show(mode.file.pictureAfter(this.#position.value));
  }

  /** Asks for an action, and says what became of it. */
  async act(action: RunAction, done: string): Promise<void> {
    const mode = this.#mode.value;
    if (this.api === undefined || mode.kind !== 'live') return;
    try {
      await this.api.act(mode.run, action);
      this.#notice.value = { tone: 'done', text: done, remedy: undefined };
    } catch (error) {
      if (error instanceof RefusedRequest && error.status === 403) {
        this.#refusal.value = [error.message, error.remedy].filter(Boolean).join('. ');
      }
      this.#report(error);
    }
  }

  dismiss(): void {
    this.#notice.value = undefined;
  }

  say(text: string): void {
    this.#notice.value = { tone: 'done', text, remedy: undefined };
  }

  #watch(run: string): void {
    if (this.api === undefined) return;
    this.#close();
    this.run.show(undefined);
    const lines = this.api.lines(run);
    this.#lines = lines;
    const connected = (connection: 'open' | 'waiting' | 'closed'): void => {
      if (this.#lines === lines) this.#mode.value = { kind: 'live', run, connection };
    };
    connected('waiting');
    lines.onopen = () => connected('open');
    lines.onmessage = ({ data }: MessageEvent<string>) => this.run.take(JSON.parse(data) as never);
    lines.onerror = () => {
      const hasEnded = isTerminalStatus(this.run.picture?.status ?? '');
      if (hasEnded) lines.close();
      connected(lines.readyState === EventSource.CLOSED ? 'closed' : 'waiting');
    };
  }

  #close(): void {
    this.#lines?.close();
    this.#lines = undefined;
    this.selection.value = undefined;
    this.actor.value = undefined;
  }

  #report(error: unknown): void {
    const { message, remedy } = error as Partial<RefusedRequest>;
    this.#notice.value = { tone: 'error', text: message ?? String(error), remedy };
  }
}
