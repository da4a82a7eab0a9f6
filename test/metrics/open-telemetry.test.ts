import type { Meter } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { collect, fixedDelay, Job, range } from 'kintsugi';
import { jobMetrics, metricDefinitions, reportToOpenTelemetry } from 'kintsugi/metrics';
import { faultPlan, virtualEnvironment } from 'kintsugi/testing';

function exporting() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  const meter: Meter = provider.getMeter('kintsugi');
  const collected = async (): Promise<readonly MetricData[]> => {
    exporter.reset();
    await provider.forceFlush();
    return exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  };
  return { meter, collected, end: () => provider.shutdown() };
}

async function failingRun(metrics: ReturnType<typeof jobMetrics>): Promise<void> {
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', range(0, 200))
    .keyBy((n) => n % 10)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('out', collect());
  const faults = faultPlan();
  faults.fail('task.batch', { when: ({ vertex, subtask }) => vertex === 'sums' && subtask === 0, times: 1 });
  const environment = virtualEnvironment({ faults });
  const run = job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 400 }) });
  metrics.watch(run);
  await environment.drive(run.result);
}

it('OpenTelemetry gets what Prometheus gets, and the recovery times as a histogram', async () => {
  const { meter, collected, end } = exporting();
  const metrics = jobMetrics();
  reportToOpenTelemetry(metrics, meter);
  await failingRun(metrics);
  const exported = await collected();
  for (const { name, kind, labels, series } of metrics.families()) {
    const data = exported.find((each) => promNameOf(each) === name);
    if (kind === 'histogram') continue;
    const points = data?.dataPoints ?? [];
    const told = points.map(({ attributes, value }) => [labels.map((label) => attributes[label]), value]);
    expect(told).toEqual(series.map(([values, value]) => [[...values], value]));
  }
  const recovery = exported.find(({ descriptor }) => descriptor.name === 'kintsugi.recovery');
  expect(recovery).toMatchObject({ dataPointType: DataPointType.HISTOGRAM, descriptor: { unit: 's' } });
  expect(recovery?.dataPoints).toMatchObject([{ attributes: { job: 'sums' }, value: { count: 1 } }]);
  await end();
});

it('stops when it is told to', async () => {
  const { meter, collected, end } = exporting();
  const metrics = jobMetrics();
  const stop = reportToOpenTelemetry(metrics, meter);
  stop();
  await failingRun(metrics);
  expect((await collected()).filter(({ dataPoints }) => dataPoints.length > 0)).toEqual([]);
  await end();
});

it('refuses what is no meter', () => {
  expect(() => reportToOpenTelemetry(jobMetrics(), {} as never)).toThrow(/metrics\.getMeter\('kintsugi'\)/);
});

/** The name that an exporter to Prometheus gives an instrument. */
function promNameOf({ descriptor: { name, unit }, dataPointType }: MetricData): string {
  const unitName = unit === 'By' ? '_bytes' : unit === 's' ? '_seconds' : '';
  const full = `${name.replace('.', '_')}${unitName}${dataPointType === DataPointType.SUM ? '_total' : ''}`;
  expect(Object.keys(metricDefinitions)).toContain(full);
  return full;
}
