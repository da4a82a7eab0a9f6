import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MetricDefinition, metricDefinitions } from 'kintsugi/metrics';

interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const dashboard = JSON.parse(
  readFileSync(join(__dirname, '..', '..', 'examples', 'grafana', 'kintsugi.json'), 'utf8'),
) as { readonly panels: readonly Panel[]; readonly templating: unknown };

const definitions: Readonly<Record<string, MetricDefinition>> = metricDefinitions;
const queries = dashboard.panels.flatMap(({ title, targets }) => targets.map((target) => ({ title, ...target })));

/** The definition of a metric in a query; of a histogram also by the names of its series. */
function definitionOf(name: string): MetricDefinition | undefined {
  const [base, part] = /^(.*)_(bucket|sum|count)$/.exec(name)?.slice(1) ?? [];
  const histogram = base === undefined ? undefined : definitions[base];
  if (histogram?.kind !== 'histogram') return definitions[name];
  const labels = part === 'bucket' ? [...histogram.labels, 'le'] : histogram.labels;
  return { ...histogram, kind: 'counter', labels };
}

describe.each(queries)('the query $expr', ({ expr, legendFormat }) => {
  const names = [...expr.matchAll(/kintsugi_\w+/g)].map(([name]) => name);

  it('asks for metrics that exist, and counts by rates', () => {
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const definition = definitionOf(name);
      expect({ name, isKnown: definition !== undefined }).toEqual({ name, isKnown: true });
      const isRate = new RegExp(`(rate|increase)\\(${name}\\{[^}]*\\}\\[`).test(expr);
      expect({ name, isRate }).toEqual({ name, isRate: definition?.kind === 'counter' });
    }
  });

  it('asks for labels that they have', () => {
    for (const name of names) {
      const matched = [...(new RegExp(`${name}\\{([^}]*)\\}`).exec(expr)?.[1] ?? '').matchAll(/(\w+)=~?"/g)];
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '));
      for (const label of [...matched.map(([, label]) => label), ...grouped]) {
        expect(definitionOf(name)?.labels).toContain(label);
      }
    }
    const grouped = new Set([...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', ')));
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(grouped).toContain(label);
  });
});

describe('the dashboard', () => {
  it('shows every metric that the documentation lists', () => {
    const text = JSON.stringify(dashboard);
    const absent = Object.keys(definitions).filter((name) => !new RegExp(`\\b${name}(?:_bucket)?\\b`).test(text));
    // Sums of others that are shown, or what they are shown against.
    expect(absent).toEqual([
      'kintsugi_tasks_restarted_total',
      'kintsugi_reused_records_total',
      'kintsugi_records_out_total',
      'kintsugi_exchange_results',
      'kintsugi_exchange_held_records',
    ]);
  });

  it('has panels that do not overlap', () => {
    const cells = dashboard.panels.flatMap(({ title, gridPos: { x, y, w, h } }) => {
      expect({ title, fits: x + w <= 24 }).toEqual({ title, fits: true });
      return Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });

  it('offers the jobs that there are', () => {
    expect(JSON.stringify(dashboard.templating)).toContain('label_values(kintsugi_records_in_total, job)');
  });
});
