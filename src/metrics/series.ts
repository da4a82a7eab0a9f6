import type { MetricName } from './metric-definitions.ts';

/** The values of the labels of a series, in the order of the metric's labels. */
export type LabelValues = readonly string[];

/** Numbers by metric and labels. */
export class Series {
  readonly #byMetric = new Map<MetricName, Map<string, { readonly labels: LabelValues; value: number }>>();

  add(metric: MetricName, labels: LabelValues, value: number): void {
    let byLabels = this.#byMetric.get(metric);
    if (byLabels === undefined) this.#byMetric.set(metric, (byLabels = new Map()));
    const key = JSON.stringify(labels);
    const known = byLabels.get(key);
    if (known === undefined) byLabels.set(key, { labels, value });
    else known.value += value;
  }

  addAll(other: Series): void {
    for (const [metric, byLabels] of other.#byMetric) {
      for (const { labels, value } of byLabels.values()) this.add(metric, labels, value);
    }
  }

  *of(metric: MetricName): Generator<readonly [LabelValues, number]> {
    for (const { labels, value } of this.#byMetric.get(metric)?.values() ?? []) yield [labels, value];
  }
}
