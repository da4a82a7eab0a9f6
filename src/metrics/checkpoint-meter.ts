import type { CheckpointEvent } from '../actors/checkpoint-event.ts';
import type { JobTotals } from './job-totals.ts';
import type { MetricName } from './metric-definitions.ts';

/** Counts the checkpoints of a run. */
export class CheckpointMeter {
  readonly #job: string;
  readonly #totals: JobTotals;
  /** By component: when its latest checkpoint completed. */
  readonly #completedMs = new Map<number, number>();

  constructor(job: string, totals: JobTotals) {
    this.#job = job;
    this.#totals = totals;
  }

  next(event: CheckpointEvent): void {
    const component = this.#totals.labelOf('component', event.head.replace(/\[\d+\]$/, ''));
    switch (event.type) {
      case 'checkpoint.completed': {
        const { durationMs, alignmentMs, bytes, referencedBytes } = event;
        this.#completedMs.set(event.component, event.atMs);
        this.#count('kintsugi_checkpoints_total', [component, 'completed']);
        this.#count('kintsugi_checkpoint_seconds_total', [component], durationMs / 1_000);
        this.#count('kintsugi_checkpoint_alignment_seconds_total', [component], alignmentMs / 1_000);
        this.#count('kintsugi_checkpoint_bytes_total', [component, 'written'], bytes - referencedBytes);
        this.#count('kintsugi_checkpoint_bytes_total', [component, 'referenced'], referencedBytes);
        return;
      }
      case 'checkpoint.failed':
        this.#count('kintsugi_checkpoints_total', [component, event.reason]);
        return;
      case 'checkpoint.restored':
        this.#count('kintsugi_checkpoint_restores_total', [component]);
        return;
      default:
    }
  }

  /** Time since the latest completed checkpoint of the component that is furthest behind; undefined before the first. */
  oldestMs(nowMs: number): number | undefined {
    if (this.#completedMs.size === 0) return undefined;
    return Math.max(...[...this.#completedMs.values()].map((completedMs) => nowMs - completedMs));
  }

  #count(metric: MetricName, labels: readonly string[], by = 1): void {
    this.#totals.counters.add(metric, [this.#job, ...labels], by);
  }
}
