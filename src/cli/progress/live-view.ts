import type { JobEvent } from '../../actors/job-event.ts';
import type { Logger } from '../../environment.ts';
import { counted } from '../../run/folds/counted.ts';
import type { JobSnapshot } from '../../run/folds/job-snapshot.ts';
import type { Colors, TextSink } from '../command-io.ts';
import { LiveBlock } from './live-block.ts';
import { progressTable } from './progress-table.ts';
import { RunProgress } from './run-progress.ts';
import { messagesOf, repeat, type RunView, type ViewedRun } from './run-view.ts';
import { printable } from './text-width.ts';

const redrawMs = 250;

/** Messages that a redraw shows in full; of a storm of failures it shows the first, and their number. */
const mostMessages = 6;

/** A line per vertex at the bottom of the terminal, redrawn in place; failures and decisions above it. */
export class LiveView implements RunView {
  readonly #viewed: ViewedRun;
  readonly #sink: TextSink;
  readonly #colors: Colors;
  readonly #block: LiveBlock;
  readonly #progress: RunProgress;
  readonly #stop: () => void;
  #messages: string[] = [];
  #further = 0;
  /** Whether others have left the cursor within a line. */
  #isMidLine = false;

  constructor(viewed: ViewedRun, sink: TextSink, colors: Colors) {
    this.#viewed = viewed;
    this.#sink = sink;
    this.#colors = colors;
    this.#block = new LiveBlock(sink);
    this.#progress = new RunProgress(viewed.vertices);
    this.#stop = repeat(viewed.clock, redrawMs, () => this.#redraw());
  }

  next(event: JobEvent): void {
    this.#progress.next(event);
    // The head shows it.
    if (event.type === 'job.statusChanged') return;
    for (const [level, message] of messagesOf(this.#viewed.run.job, event)) {
      if (this.#messages.length < mostMessages) this.#messages.push(this.#colorOf(level)(printable(message)));
      else this.#further++;
    }
  }

  note(text: string): void {
    this.#messages.push(text);
    this.#redraw();
  }

  makeRoom(text: string): void {
    this.#block.clear();
    this.#isMidLine = !text.endsWith('\n');
  }

  end(): void {
    this.#stop();
    this.#block.clear();
    this.#flush();
  }

  #redraw(): void {
    const { run, vertices, clock } = this.#viewed;
    const receipt = run.receipt();
    this.#progress.sample(receipt, clock.now());
    const snapshot = run.snapshot();
    if (this.#messages.length > 0) this.#block.clear();
    this.#flush();
    const head = {
      job: run.job,
      status: statusOf(snapshot),
      elapsedMs: receipt.durationMs,
      failures: snapshot.failures,
    };
    const { columns, lines } = this.#block;
    this.#block.draw(
      progressTable(head, this.#progress.rows(), {
        columns,
        lines: Math.min(lines, vertices.length + 2),
        colors: this.#colors,
      }),
    );
  }

  #flush(): void {
    if (this.#isMidLine) this.#sink.write('\n');
    this.#isMidLine = false;
    for (const message of this.#messages) this.#sink.write(`${message}\n`);
    if (this.#further > 0) this.#sink.write(this.#colors.dim(`… and ${this.#further} more messages\n`));
    this.#messages = [];
    this.#further = 0;
  }

  #colorOf(level: keyof Logger): (text: string) => string {
    if (level === 'error') return this.#colors.red;
    return level === 'warn' ? this.#colors.yellow : this.#colors.dim;
  }
}

/** `running, 1 region quarantined` */
function statusOf({ status, restarting, regions: { quarantined } }: JobSnapshot): string {
  const now = restarting ? 'restarting' : status;
  return quarantined === 0 ? now : `${now}, ${counted(quarantined, 'region')} quarantined`;
}
