import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { hasMethods } from '../foreign-value.ts';
import type { JobMetrics } from './job-metrics.ts';
import { type MetricDefinition, metricDefinitions, type MetricName, recoveryBuckets } from './metric-definitions.ts';

type Attributes = Record<string, string>;

interface InstrumentOptions {
  description?: string;
  unit?: string;
  advice?: { explicitBucketBoundaries?: number[] };
}

/** What is asked of a meter: the `Meter` of `@opentelemetry/api` has it. */
export interface OpenTelemetryMeter {
  createObservableCounter(name: string, options?: InstrumentOptions): object;
  createObservableGauge(name: string, options?: InstrumentOptions): object;
  createHistogram(name: string, options?: InstrumentOptions): { record(value: number, attributes?: Attributes): void };
  addBatchObservableCallback(callback: (result: BatchResult) => void, instruments: never[]): void;
  removeBatchObservableCallback(callback: (result: BatchResult) => void, instruments: never[]): void;
}

interface BatchResult {
  observe(instrument: never, value: number, attributes?: Attributes): void;
}

const units = { bytes: 'By', seconds: 's' } as const;

/**
 * Reports metrics to OpenTelemetry, with `metrics.getMeter('kintsugi')` of `@opentelemetry/api`: the same as Prometheus
 * gets, observed when they are exported. Names are without the unit and `_total`, which exporters to Prometheus add again:
 * `kintsugi_task_failures_total` is `kintsugi.task_failures`. Returns how to stop.
 *
 * @throws InvalidArgumentError unless it is given a meter
 */
export function reportToOpenTelemetry(metrics: JobMetrics, meter: OpenTelemetryMeter): () => void {
  if (!hasMethods(meter, 'createObservableCounter', 'createHistogram', 'addBatchObservableCallback')) {
    throw new InvalidArgumentError('meter', meter, "a meter of OpenTelemetry (`metrics.getMeter('kintsugi')`)");
  }
  const instruments = new Map<MetricName, object>();
  let stopRecording = (): void => {};
  for (const name of Object.keys(metricDefinitions) as MetricName[]) {
    const { kind, help, unit }: MetricDefinition = metricDefinitions[name];
    const options = { description: help, ...(unit && { unit: units[unit] }) };
    if (kind === 'histogram') {
      const advice = { explicitBucketBoundaries: [...recoveryBuckets] };
      const histogram = meter.createHistogram(openTelemetryName(name), { ...options, advice });
      stopRecording = metrics.onRecovery((seconds, job) => histogram.record(seconds, { job }));
    } else if (kind === 'counter')
      instruments.set(name, meter.createObservableCounter(openTelemetryName(name), options));
    else instruments.set(name, meter.createObservableGauge(openTelemetryName(name), options));
  }
  const observe = (result: BatchResult): void => {
    for (const { name, labels, series } of metrics.families()) {
      const instrument = instruments.get(name) as never;
      for (const [values, value] of series) {
        const attributes = Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
        result.observe(instrument, value, attributes);
      }
    }
  };
  const observed = [...instruments.values()] as never[];
  meter.addBatchObservableCallback(observe, observed);
  return () => {
    stopRecording();
    meter.removeBatchObservableCallback(observe, observed);
  };
}

/** `kintsugi_reused_bytes_total` → `kintsugi.reused`. */
function openTelemetryName(name: MetricName): string {
  return name
    .replace(/_total$/, '')
    .replace(/_(bytes|seconds)$/, '')
    .replace('_', '.');
}
