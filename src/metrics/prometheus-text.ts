import { recoveryBuckets } from './metric-definitions.ts';
import type { MetricFamily } from './metric-family.ts';
import type { RecoveryTimes } from './recovery-times.ts';

/**
 * Metrics in the text format of Prometheus, version 0.0.4.
 * See https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families.map(textOf).join('');
}

function textOf({ name, help, kind, labels, series, histograms }: MetricFamily): string {
  const samples = [
    ...series.map(([values, value]) => sample(name, pairsOf(labels, values), value)),
    ...histograms.flatMap(([values, times]) => histogramOf(name, pairsOf(labels, values), times)),
  ];
  if (samples.length === 0) return '';
  return [`# HELP ${name} ${escapedHelp(help)}`, `# TYPE ${name} ${kind}`, ...samples, ''].join('\n');
}

type Pairs = readonly (readonly [label: string, value: string])[];

function pairsOf(labels: readonly string[], values: readonly string[]): Pairs {
  return labels.map((label, index) => [label, values[index] ?? ''] as const);
}

function histogramOf(name: string, pairs: Pairs, times: RecoveryTimes): string[] {
  let below = 0;
  const buckets = times.counts.map((count, index) => {
    below += count;
    return sample(`${name}_bucket`, [...pairs, ['le', String(recoveryBuckets[index] ?? '+Inf')]], below);
  });
  return [...buckets, sample(`${name}_sum`, pairs, times.sumSeconds), sample(`${name}_count`, pairs, times.count)];
}

function sample(name: string, pairs: Pairs, value: number): string {
  const labels = pairs.map(([label, text]) => `${label}="${escapedValue(text)}"`).join(',');
  return `${name}${labels === '' ? '' : `{${labels}}`} ${value}`;
}

function escapedValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapedHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
