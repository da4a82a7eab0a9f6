import { useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { colour, isDark } from '../shell/theme.ts';
import type { Series } from './series.ts';

interface LineChartProps {
  readonly title: string;
  readonly series: Series;
  readonly format: (value: number) => string;
  /** Whether values are single points, not a course. */
  readonly isPoints?: boolean;
}

const height = 190;
const colours = ['state-running', 'gold'];

/** Values over time. */
export function LineChart({ title, series, format, isPoints = false }: LineChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const theme = isDark.value;
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const drawn = new uPlot(optionsOf(series, format, isPoints, element.clientWidth), dataOf(series), element);
    plot.current = drawn;
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
    };
    // Built again for other colours alone: data is set below.
  }, [theme]);
  useLayoutEffect(() => plot.current?.setData(dataOf(series)));
  const latest = series.lines.map(({ name, values }) => `${name} ${describe(values.at(-1), format)}`).join(', ');
  return (
    <figure class="trend">
      <figcaption>{title}</figcaption>
      <div ref={box} role="img" aria-label={`${title}, latest: ${latest}`} />
    </figure>
  );
}

function describe(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value);
}

function dataOf({ atS, lines }: Series): uPlot.AlignedData {
  return [atS, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
}

function optionsOf(series: Series, format: LineChartProps['format'], isPoints: boolean, width: number): uPlot.Options {
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = {
    ...{ stroke: colour('muted'), font, labelFont: font },
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
  };
  return {
    width: Math.max(width, 100),
    height,
    scales: {
      x: { time: false, range: (_, _min, max) => [0, max > 0 ? max : 1] },
      y: { range: (_, _min, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    legend: { live: true },
    cursor: { points: { size: 6 } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} s`) },
      { ...axis, size: 72, values: (_, ticks) => ticks.map(format) },
    ],
    series: [
      { label: 'time', value: (_, value) => describe(value, (at) => `${at.toFixed(2)} s`) },
      ...series.lines.map(({ name }, at): uPlot.Series => {
        const stroke = colour(colours[at % colours.length] as string);
        return {
          ...{
            label: name,
            stroke,
            width: isPoints ? 0 : 1.5,
            points: { show: isPoints, size: 7, fill: stroke, stroke },
          },
          value: (_, value) => describe(value, format),
        };
      }),
    ],
  };
}
