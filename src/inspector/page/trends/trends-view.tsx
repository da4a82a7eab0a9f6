import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { formatBytes, formatDuration, formatShort } from '../shell/format.ts';
import { shownIn, ViewSwitch } from '../shell/view-switch.tsx';
import { LineChart } from './line-chart.tsx';
import { backPressure, failureRate, recoveryTimes, type Series, storage, throughput } from './series.ts';

/** A trend: what it shows, of what, and how its values read. */
interface Trend {
  readonly title: string;
  readonly seriesOf: (picture: RunPicture) => Series;
  readonly format: (value: number) => string;
  readonly isPoints?: boolean;
}

const trends: readonly Trend[] = [
  { title: 'Records per second', seriesOf: throughput, format: formatShort },
  { title: 'Results held', seriesOf: storage, format: formatBytes },
  { title: 'Failures per minute', seriesOf: failureRate, format: (value) => String(Math.round(value)) },
  { title: 'Recovery time', seriesOf: recoveryTimes, format: formatDuration, isPoints: true },
  { title: 'Waiting for room', seriesOf: backPressure, format: (value) => `${Math.round(value)} %` },
];

/** The course of the run. */
export function TrendsView({ picture }: { picture: RunPicture }) {
  const shown = shownIn('trends').value ?? 'picture';
  const drawn = trends.map((trend) => ({ ...trend, series: trend.seriesOf(picture) }));
  return (
    <div class="view">
      <section class="stage scrolls" aria-label="Trends">
        <div class="toolbar">
          <ViewSwitch view="trends" shown={shown} />
          <p class="hint">Over the whole run. The older, the fewer samples are kept.</p>
        </div>
        {shown === 'picture' ? (
          <div class="trends">
            {drawn.map(({ title, series, format, isPoints = false }) =>
              series.atS.length === 0 ? (
                <figure key={title} class="trend">
                  <figcaption>{title}</figcaption>
                  <p class="empty">None so far.</p>
                </figure>
              ) : (
                <LineChart key={title} title={title} series={series} format={format} isPoints={isPoints} />
              ),
            )}
          </div>
        ) : (
          drawn.map(({ title, series, format }) => (
            <div key={title}>
              <h2 class="part">{title}</h2>
              <DataTable
                label={title}
                rowCount={series.atS.length}
                rowAt={(at) => series.atS.length - 1 - at}
                empty="None so far."
                columns={[
                  { title: 'Time', isNumber: true, cell: (at) => `+${(series.atS[at] ?? 0).toFixed(3)} s` },
                  ...series.lines.map(({ name, values }) => ({
                    title: name,
                    isNumber: true,
                    cell: (at: number) => {
                      const value = values[at];
                      return value === null || value === undefined ? '–' : format(value);
                    },
                  })),
                ]}
              />
            </div>
          ))
        )}
      </section>
    </div>
  );
}
