import { forEach, Job } from 'kintsugi';
import { jobMetrics } from 'kintsugi/metrics';
import { faultPlan, virtualEnvironment } from 'kintsugi/testing';
import { CheckpointMeter } from '../../src/metrics/checkpoint-meter.ts';
import { tickingSource } from '../support/ticking-source.ts';
import { readExposition, valueOf } from './exposition.ts';

//  ticks[0..1] ─┤├▶ sums[0..1] ─▶ out
function sumsJob(): Job {
  const job = Job.create('sums', { mode: 'streaming', parallelism: 2 });
  job
    .source('ticks', tickingSource(400))
    .keyBy((n) => n % 10)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink(
      'out',
      forEach(() => {}),
    );
  return job;
}

const component = 'ticks';

describe('the metrics of checkpoints', () => {
  it('count what run.checkpoints() has, by component, and restores', async () => {
    const metrics = jobMetrics();
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex }) => vertex === 'sums', skip: 20, times: 1 });
    const environment = virtualEnvironment({ faults });
    const run = sumsJob().run({ checkpoints: { intervalMs: 5, retained: 3 }, environment });
    metrics.watch(run);
    let [bytes, referencedBytes, ms] = [0, 0, 0];
    const failed = new Map<string, number>();
    run.events$.subscribe((event) => {
      if (event.type === 'checkpoint.failed') failed.set(event.reason, (failed.get(event.reason) ?? 0) + 1);
      if (event.type !== 'checkpoint.completed') return;
      bytes += event.bytes;
      referencedBytes += event.referencedBytes;
      ms += event.durationMs;
    });
    await environment.drive(run.result);
    const [{ completed, restored } = { completed: 0, restored: 0 }] = run.checkpoints();
    expect(completed).toBeGreaterThan(3);
    expect(restored).toBeGreaterThan(0);
    const text = metrics.toPrometheus();
    expect(valueOf(text, 'kintsugi_checkpoints_total', { component, outcome: 'completed' })).toBe(completed);
    for (const [outcome, count] of failed) {
      expect(valueOf(text, 'kintsugi_checkpoints_total', { component, outcome })).toBe(count);
    }
    expect(valueOf(text, 'kintsugi_checkpoint_restores_total', { component })).toBe(restored);
    const byOrigin = (origin: string) => valueOf(text, 'kintsugi_checkpoint_bytes_total', { component, origin });
    expect(byOrigin('written')).toBe(bytes - referencedBytes);
    expect(byOrigin('referenced')).toBe(referencedBytes);
    expect(bytes).toBeGreaterThan(0);
    expect(valueOf(text, 'kintsugi_checkpoint_seconds_total', { component })).toBeCloseTo(ms / 1_000, 9);
  });

  it('are the sums over completed ones: times in seconds, bytes by who wrote them', () => {
    const counted = new Map<string, number>();
    const add = (metric: string, [, ...labels]: readonly string[], by: number): void => {
      const name = [metric.replace('kintsugi_checkpoint', ''), ...labels].join(' ');
      counted.set(name, (counted.get(name) ?? 0) + by);
    };
    const meter = new CheckpointMeter('sums', {
      counters: { add },
      labelOf: (_: string, value: string) => value,
    } as never);
    const completed = { type: 'checkpoint.completed', component: 0, head: 'ticks[0]', kind: 'checkpoint', tasks: [] };
    for (const [durationMs, alignmentMs, bytes, referencedBytes] of [
      [2_000, 500, 100, 0],
      [1_000, 250, 400, 90],
    ]) {
      meter.next({ ...completed, atMs: 9, durationMs, alignmentMs, bytes, referencedBytes } as never);
    }
    expect(Object.fromEntries(counted)).toEqual({
      's_total ticks completed': 2,
      '_seconds_total ticks': 3,
      '_alignment_seconds_total ticks': 0.75,
      '_bytes_total ticks written': 410,
      '_bytes_total ticks referenced': 90,
    });
  });

  it('tell how long ago the latest one completed, once there is one', async () => {
    const metrics = jobMetrics();
    const environment = virtualEnvironment();
    const run = sumsJob().run({ checkpoints: { intervalMs: 5 }, environment });
    metrics.watch(run);
    const ageOf = (): number | undefined =>
      readExposition(metrics.toPrometheus()).samples.find(({ name }) => name === 'kintsugi_checkpoint_age_seconds')
        ?.value;
    const ages: (number | undefined)[] = [];
    run.events$.subscribe(({ type }) => {
      // The meter has heard of it already: it watches from the beginning.
      if (type === 'checkpoint.triggered' || type === 'checkpoint.completed') ages.push(ageOf());
    });
    await environment.drive(run.result);
    const [beforeTheFirst, ...others] = ages;
    expect(beforeTheFirst).toBeUndefined();
    expect(others.every((age) => age !== undefined && age >= 0)).toBe(true);
    expect(Math.max(...(others as number[]))).toBeGreaterThanOrEqual(0.004);
  });
});
