// Charts over time, and the small lines in tables.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { zone } from '../data/format.js';
import { systemIsDark, theme } from '../data/preferences.js';

export interface Line {
  readonly title: string;
  readonly values: readonly (number | null)[];
  /** The name of a colour of the page. */
  readonly colour: '--accent' | '--bad' | '--muted';
}

export interface ChartProps {
  readonly label: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly text: (value: number) => string;
}

const HEIGHT = 132;

/** Drawn again when theme or zone change, since a canvas does not follow. */
export function Chart({ label, times, lines, text }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = [times, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const [scheme, shown] = [`${theme.value} ${systemIsDark.value}`, zone.value];
  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(options(element, lines, text), data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [scheme, shown, lines.length]);
  useEffect(() => plot.current?.setData(data), [times, lines]);
  return <div class="chart" role="img" aria-label={label} ref={box} />;
}

function options(
  element: HTMLElement,
  lines: readonly Line[],
  text: (value: number) => string,
): uPlot.Options {
  const [grid, ink] = [colour(element, '--line'), colour(element, '--muted')];
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const axis: uPlot.Axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    ...(zone.value === 'utc' && { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1_000), 'UTC') }),
    legend: { show: true },
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.15, 0.1)] } },
    axes: [
      { ...axis, grid: { show: false }, values: '{HH}:{mm}', space: 60, size: 28 },
      { ...axis, size: 62, space: 34, values: (_, values) => values.map(text) },
    ],
    series: [
      { value: '{HH}:{mm}:{ss}', label: 'Time' },
      ...lines.map(({ title, colour: name }): uPlot.Series => {
        const stroke = colour(element, name);
        return {
          label: title,
          stroke,
          width: 1.5,
          fill: name === '--accent' ? colour(element, '--soft') : undefined,
          points: { show: false },
          value: (_, value: number | null) => (value === null ? '–' : text(value)),
        };
      }),
    ],
  };
}

/** What a colour of the page is in the theme of now. */
function colour(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = '';
  return color;
}

/** A line as high as a row; what it shows is also said in figures beside it. */
export function Spark({
  values,
  bad,
}: {
  readonly values: readonly number[];
  readonly bad?: readonly number[] | undefined;
}) {
  const most = Math.max(1, ...values);
  const points = (list: readonly number[]): string =>
    list
      .map((value, index) => `${(index / Math.max(1, list.length - 1)) * 72},${17 - (value / most) * 15}`)
      .join(' ');
  return (
    <svg class="spark" viewBox="0 0 72 18" width="72" height="18" aria-hidden="true">
      <polyline points={points(values)} />
      {bad?.some((value) => value > 0) && <polyline class="bad" points={points(bad)} />}
    </svg>
  );
}

/** Parts of a whole as one bar; the parts are listed below it. */
export function Parts({
  parts,
}: {
  readonly parts: readonly { readonly name: string; readonly value: number; readonly tone: string }[];
}) {
  const all = parts.reduce((sum, { value }) => sum + value, 0);
  const shown = parts.filter(({ value }) => value > 0);
  return (
    <div class="parts">
      <div class="whole" aria-hidden="true">
        {shown.map(({ name, value, tone }) => (
          <i key={name} class={tone} style={{ flexGrow: String(value / all) }} />
        ))}
      </div>
      <ul>
        {shown.map(({ name, value, tone }) => (
          <li key={name}>
            <i class={tone} aria-hidden="true" />
            {name} <b>{value.toLocaleString('en')}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}
