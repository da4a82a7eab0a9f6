import { checkBoolean, checkOptions } from '../options.ts';
import type { JobRun } from '../run/job-run.ts';
import { insideOf } from '../run/run-inside.ts';
import { BoundedValues } from './bounded-values.ts';
import { JobTotals } from './job-totals.ts';
import { type MetricDefinition, metricDefinitions, type MetricName } from './metric-definitions.ts';
import type { MetricFamily } from './metric-family.ts';
import { prometheusText } from './prometheus-text.ts';
import type { RecoveryTimes } from './recovery-times.ts';
import { hasRecovered, RunMeter } from './run-meter.ts';
import { type LabelValues, Series } from './series.ts';

/** Options of metrics. */
export interface JobMetricsOptions {
  /**
   * Whether failures also have the label `task`, which makes a series of each task that fails. Default false: a label
   * is never the id of a task.
   */
  readonly taskLabel?: boolean | undefined;
}

const mostJobs = 100;

/**
 * The metrics of runs: failures and restarts, recovery times, tasks, records, storage. Labels are bounded: vertices,
 * regions and causes past a limit are counted as `other`.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { collect, fromArray, Job } from 'kintsugi';
 * import { jobMetrics } from 'kintsugi/metrics';
 *
 * const metrics = jobMetrics();
 * const job = Job.create('words');
 * job.source('words', fromArray(['gold', 'dust'])).sink('out', collect());
 * metrics.watch(job.run());
 * createServer((_, response) => response.end(metrics.toPrometheus())).listen(9464).unref();
 * ```
 */
export class JobMetrics {
  readonly #hasTaskLabel: boolean;
  readonly #jobs = new BoundedValues(mostJobs);
  readonly #totals = new Map<string, JobTotals>();
  readonly #live = new Set<RunMeter>();
  readonly #recoveryListeners = new Set<(seconds: number, job: string) => void>();

  constructor({ taskLabel = false }: JobMetricsOptions = {}) {
    this.#hasTaskLabel = taskLabel;
  }

  /**
   * Counts a run from now on, until it ends or the returned function is called. Call it before the run's first turn of
   * the event loop to miss nothing.
   *
   * @throws InvalidArgumentError if it is not the handle of a run
   */
  watch(run: JobRun): () => void {
    const inside = insideOf(run);
    const job = this.#jobs.of(run.job);
    let totals = this.#totals.get(job);
    if (totals === undefined) this.#totals.set(job, (totals = new JobTotals()));
    const meter = new RunMeter(inside, run.status, job, totals, this.#hasTaskLabel);
    this.#live.add(meter);
    const events = inside.events$.subscribe({
      next: (event) => {
        meter.next(event);
        if (event.type === 'failover.completed' && hasRecovered(event)) this.#recovered(event.durationMs / 1_000, job);
      },
      complete: () => stop(),
    });
    const stop = (): void => {
      if (!this.#live.delete(meter)) return;
      meter.end();
      events.unsubscribe();
    };
    return stop;
  }

  /** Every metric with its values now. O(running tasks) */
  families(): MetricFamily[] {
    const gauges = new Series();
    for (const meter of this.#live) meter.read(gauges);
    return (Object.keys(metricDefinitions) as MetricName[]).map((name) => {
      const definition: MetricDefinition = metricDefinitions[name];
      const series = [...gauges.of(name)];
      const histograms: [LabelValues, RecoveryTimes][] = [];
      for (const [job, { counters, recovery }] of this.#totals) {
        series.push(...counters.of(name));
        if (definition.kind === 'histogram') histograms.push([[job], recovery]);
      }
      return { ...definition, name, labels: this.#labelsOf(name, definition), series, histograms };
    });
  }

  /** The metrics in the text format of Prometheus. */
  toPrometheus(): string {
    return prometheusText(this.families());
  }

  /** Answers `GET /metrics`: a handler for any server of web-standard requests. */
  readonly fetch = (request: Request): Response => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response('Only GET and HEAD\n', { status: 405, headers: { Allow: 'GET, HEAD' } });
    }
    const headers = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Cache-Control': 'no-store' };
    return new Response(request.method === 'HEAD' ? null : this.toPrometheus(), { headers });
  };

  /** Calls `listener` with each recovery time, until the returned function is called. */
  onRecovery(listener: (seconds: number, job: string) => void): () => void {
    this.#recoveryListeners.add(listener);
    return () => this.#recoveryListeners.delete(listener);
  }

  #recovered(seconds: number, job: string): void {
    for (const listener of this.#recoveryListeners) listener(seconds, job);
  }

  #labelsOf(name: MetricName, { labels }: MetricDefinition): readonly string[] {
    return name === 'kintsugi_task_failures_total' && this.#hasTaskLabel ? [...labels, 'task'] : labels;
  }
}

/**
 * Metrics of the runs that will be given to {@link JobMetrics.watch}.
 * @throws InvalidArgumentError for an invalid option
 */
export function jobMetrics(options: JobMetricsOptions = {}): JobMetrics {
  checkOptions('jobMetrics', options, { taskLabel: true });
  if (options.taskLabel !== undefined) checkBoolean('taskLabel', options.taskLabel);
  return new JobMetrics(options);
}
