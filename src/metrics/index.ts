/** @packageDocumentation Metrics of runs, for Prometheus and OpenTelemetry. */
export { type JobMetrics, jobMetrics, type JobMetricsOptions } from './job-metrics.ts';
export { type MetricDefinition, metricDefinitions, type MetricName } from './metric-definitions.ts';
export type { MetricFamily } from './metric-family.ts';
export { type OpenTelemetryMeter, reportToOpenTelemetry } from './open-telemetry.ts';
