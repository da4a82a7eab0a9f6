/** What a metric means: a fixed part of the interface, like the names of events. */
export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly unit: 'bytes' | 'seconds' | undefined;
  readonly labels: readonly string[];
}

const counter = (help: string, labels: readonly string[], unit?: 'bytes' | 'seconds'): MetricDefinition => ({
  ...{ kind: 'counter', help, unit, labels: ['job', ...labels] },
});
const gauge = (help: string, labels: readonly string[], unit?: 'bytes' | 'seconds'): MetricDefinition => ({
  ...{ kind: 'gauge', help, unit, labels: ['job', ...labels] },
});

/**
 * Every metric, by its name in Prometheus. Values are sums over the watched runs of a job: counters over all of them,
 * gauges over those that have not ended. A `region` is named by its vertices, which all its equals share.
 */
export const metricDefinitions = {
  kintsugi_runs: gauge('Runs that have not ended, by status.', ['status']),
  kintsugi_runs_ended_total: counter('Runs that have ended, by outcome.', ['outcome']),
  kintsugi_tasks: gauge('Tasks by the state of their latest attempt.', ['vertex', 'state']),
  kintsugi_task_failures_total: counter('Failures of tasks, by region and class of cause.', [
    'region',
    'cause',
    'classification',
  ]),
  kintsugi_region_restarts_total: counter('Restarts of regions, by the class of cause.', ['region', 'cause']),
  kintsugi_tasks_restarted_total: counter('Tasks in restarts.', []),
  kintsugi_restarts_refused_total: counter('Failures after which the job was not restarted.', []),
  kintsugi_regions_quarantined: gauge('Regions that are quarantined.', []),
  kintsugi_quarantines_total: counter('Regions that were quarantined, each time.', ['region']),
  kintsugi_recovery_seconds: {
    kind: 'histogram',
    help: 'Time from a failure until everything it stopped runs again.',
    unit: 'seconds',
    labels: ['job'],
  },
  kintsugi_reused_records_total: counter('Records of results that restarts re-read instead of recomputing them.', []),
  kintsugi_reused_bytes_total: counter('Size of these results.', [], 'bytes'),
  kintsugi_results_lost_total: counter('Results that were lost.', []),
  kintsugi_executors_lost_total: counter('Executors that were lost.', []),
  kintsugi_speculations_total: counter('Second attempts of slow tasks, begun and finished first.', ['outcome']),
  kintsugi_executors: gauge('Executors by state.', ['state']),
  kintsugi_slots: gauge('Slots of executors: used, and free unless there is no limit.', ['state']),
  kintsugi_executor_heartbeat_age_seconds: gauge(
    'Time since the longest silent executor was heard; absent without heartbeats.',
    [],
    'seconds',
  ),
  kintsugi_checkpoints_total: counter(
    'Checkpoints by the vertex at which the barriers of their component start: completed, or why they failed.',
    ['component', 'outcome'],
  ),
  kintsugi_checkpoint_seconds_total: counter(
    'Time from the trigger of completed checkpoints until they were stored.',
    ['component'],
    'seconds',
  ),
  kintsugi_checkpoint_alignment_seconds_total: counter(
    'The longest time from the first to the last barrier at a task, summed over completed checkpoints.',
    ['component'],
    'seconds',
  ),
  kintsugi_checkpoint_bytes_total: counter(
    'States of completed checkpoints: written, or referenced because an earlier one had written them.',
    ['component', 'origin'],
    'bytes',
  ),
  kintsugi_checkpoint_restores_total: counter('Restarted regions that continued from a checkpoint.', ['component']),
  kintsugi_checkpoint_age_seconds: gauge(
    'Time since the latest completed checkpoint, of the component where it is longest; absent before the first.',
    [],
    'seconds',
  ),
  kintsugi_records_in_total: counter('Records that tasks read, over all attempts.', ['vertex']),
  kintsugi_records_out_total: counter('Records that tasks emitted, over all attempts.', ['vertex']),
  kintsugi_exchange_records_total: counter('Records written to an exchange, over all attempts.', [
    ...['source', 'target', 'exchange'],
  ]),
  kintsugi_exchange_results: gauge('Results that an exchange holds.', ['source', 'target', 'exchange']),
  kintsugi_exchange_held_records: gauge('Records in these results.', ['source', 'target', 'exchange']),
  kintsugi_exchange_held_bytes: gauge(
    'Estimated size of these results, by place: memory or disk.',
    ['source', 'target', 'exchange', 'place'],
    'bytes',
  ),
  kintsugi_back_pressure_seconds_total: counter(
    'Time that tasks have waited for room in their outputs.',
    ['vertex'],
    'seconds',
  ),
  kintsugi_memory_bytes: gauge('Memory that results take.', [], 'bytes'),
  kintsugi_memory_budget_bytes: gauge('The limit of it; absent if there is none.', [], 'bytes'),
  kintsugi_disk_bytes: gauge('Disk that results take.', [], 'bytes'),
  kintsugi_disk_budget_bytes: gauge('The limit of it; absent if there is none.', [], 'bytes'),
  kintsugi_calls_total: counter('Calls of operators that remember answers: made, or answered from memory (reused).', [
    'outcome',
  ]),
  kintsugi_rejected_records_total: counter(
    'Records that onError rejected in finished attempts: skipped, dead_letter or replaced.',
    ['operator', 'outcome'],
  ),
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof metricDefinitions;

/** Upper bounds of the buckets of `kintsugi_recovery_seconds`, without the last, which has none. */
export const recoveryBuckets: readonly number[] = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
];
