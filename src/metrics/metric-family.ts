import type { MetricDefinition, MetricName } from './metric-definitions.ts';
import type { RecoveryTimes } from './recovery-times.ts';
import type { LabelValues } from './series.ts';

/** A metric and its values now. */
export interface MetricFamily extends MetricDefinition {
  readonly name: MetricName;
  /** Of a counter or gauge: the value by the values of the labels. */
  readonly series: readonly (readonly [labels: LabelValues, value: number])[];
  /** Of a histogram. */
  readonly histograms: readonly (readonly [labels: LabelValues, times: RecoveryTimes])[];
}
