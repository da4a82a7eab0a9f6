import type { JobEvent } from '../../actors/job-event.ts';
import type { JobStatus } from '../../actors/protocol/states.ts';
import type { TextSink } from '../command-io.ts';
import { clockTime, grouped } from './progress-table.ts';
import { messagesOf, PeriodicView, type ViewedRun } from './run-view.ts';
import { printable } from './text-width.ts';

const progressMs = 10_000;

/** The others are over at once. */
const toldStatuses: readonly JobStatus[] = [
  ...(['running', 'canceling', 'canceled', 'failing', 'failed', 'finished', 'incomplete'] as const),
];

/** Lines for a log: what happens, and now and then how far the job is. */
export class PlainView extends PeriodicView {
  constructor(viewed: ViewedRun, sink: TextSink) {
    super(viewed, sink, progressMs);
  }

  override next(event: JobEvent): void {
    this.progress.next(event);
    if (event.type === 'job.statusChanged' && !toldStatuses.includes(event.status)) return;
    for (const [, message] of messagesOf(this.viewed.run.job, event)) this.note(message);
  }

  override note(text: string): void {
    this.sink.write(`[${clockTime(this.viewed.run.receipt().durationMs)}] ${printable(text)}\n`);
  }

  protected override report(): void {
    const { run, clock } = this.viewed;
    if (run.status !== 'running') return;
    this.progress.sample(run.receipt(), clock.now());
    for (const { vertex, tasks, states, recordsIn, perSecond } of this.progress.rows()) {
      const finished = states.get('finished') ?? 0;
      if (finished === tasks || recordsIn === 0) continue;
      this.note(`${vertex}: ${finished}/${tasks} finished, ${grouped(recordsIn)} records, ${grouped(perSecond)}/s`);
    }
  }
}
