import type { JobEvent } from '../../actors/job-event.ts';
import { recordedEvent } from '../../inspector/recorder/recorded-event.ts';
import { toPlainError } from '../../plain-error.ts';
import type { TextSink } from '../command-io.ts';
import { PeriodicView, type ViewedRun } from './run-view.ts';

const progressMs = 1_000;

/** For machines: a JSON object per line. */
export class JsonView extends PeriodicView {
  constructor(viewed: ViewedRun, sink: TextSink) {
    super(viewed, sink, progressMs);
  }

  override next(event: JobEvent): void {
    this.progress.next(event);
    // As in a recording: an error may have data of any kind, cyclic or secret.
    this.sink.write(jsonLine({ type: 'event', event: recordedEvent(event, {}) }));
  }

  override note(text: string): void {
    this.sink.write(jsonLine({ type: 'note', text }));
  }

  protected override report(): void {
    const { run, clock } = this.viewed;
    const atMs = clock.now();
    this.progress.sample(run.receipt(), atMs);
    const vertices = this.progress.rows().map(({ states, ...row }) => ({ ...row, states: Object.fromEntries(states) }));
    this.sink.write(jsonLine({ type: 'progress', atMs, status: run.status, vertices }));
  }
}

/** A value as one line of JSON. Errors are plain, and what JSON does not know is a text. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, (_, each: unknown) => {
    if (each instanceof Error) return toPlainError(each);
    if (each instanceof Map) return [...each];
    if (each instanceof Set) return [...each];
    return typeof each === 'bigint' ? String(each) : each;
  })}\n`;
}
