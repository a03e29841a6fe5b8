import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Curve {
  readonly name: string;
  /** One for each time; `undefined` leaves a gap. */
  readonly values: readonly (number | undefined)[];
}

interface Props {
  readonly title: string;
  /** What the title counts, in a few words. */
  readonly about: string;
  /** Milliseconds since the Unix epoch, rising. */
  readonly timesMs: readonly number[];
  /** One or two. */
  readonly curves: readonly Curve[];
  format(value: number): string;
}

const HEIGHT_PX = 150;
const COLOURS = ['--curve-1', '--curve-2'] as const;

/** Curves over time; the numbers above it are those under the pointer, else the last. */
export function CurveChart({ title, about, timesMs, curves, format }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const theme = useColourScheme();
  const names = curves.map(({ name }) => name).join();

  // Made anew for other colours and curves; data come below.
  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const chart = new uPlot(optionsOf(element, curves, format, setPointed), [[]], element);
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [theme, names]);

  useEffect(() => {
    plot.current?.setData([timesMs.map((ms) => ms / 1_000), ...curves.map(({ values }) => values.map(orGap))]);
  }, [timesMs, curves, theme, names]);

  const shown = curves.map(({ name, values }) => {
    const value = values[pointed ?? values.length - 1];
    return { name, words: value === undefined ? '–' : format(value) };
  });
  return (
    <figure class="card chart">
      <figcaption>
        <h2>{title}</h2>
        <p class="hint">{about}</p>
        <ul class="legend">
          {shown.map(({ name, words }, index) => (
            <li key={name} data-curve={index + 1}>
              {name} <strong>{words}</strong>
            </li>
          ))}
        </ul>
      </figcaption>
      <div
        ref={box}
        class="plot"
        role="img"
        aria-label={`${title}: ${shown.map((s) => `${s.name} ${s.words}`).join(', ')}`}
      />
    </figure>
  );
}

function orGap(value: number | undefined): number | null {
  return value ?? null;
}

function optionsOf(
  element: HTMLElement,
  curves: readonly Curve[],
  format: (value: number) => string,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--axis'),
    grid: { stroke: colour('--grid'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : 1] } },
    axes: [
      { ...axis, space: 80, size: 24, values: (_, seconds) => seconds.map(clockTime) },
      {
        ...axis,
        size: 62,
        space: 34,
        values: (_, values) => axisWords(format, values),
      },
    ],
    series: [
      {},
      ...curves.map((_, index) => ({
        stroke: colour(COLOURS[index] ?? COLOURS[0]),
        width: 2,
        fill: index === 0 ? colour('--curve-fill') : undefined,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? undefined)] },
  };
}

/** Round numbers need no digits behind them; lines between two that read the same get no words. */
function axisWords(format: (value: number) => string, values: readonly number[]): string[] {
  const words = values.map((value) => (value === 0 ? '0' : format(value).replace(/\.0(?!\d)/, '')));
  return words.map((word, i) => (word === words[i - 1] ? '' : word));
}

const CLOCK = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

function clockTime(seconds: number): string {
  return CLOCK.format(seconds * 1_000);
}

/** Changes with the colours of the page, which a canvas does not follow by itself. */
function useColourScheme(): string {
  const read = () => getComputedStyle(document.body).backgroundColor;
  const [scheme, setScheme] = useState(read);
  useEffect(() => {
    const follow = () => setScheme(read());
    const query = matchMedia('(prefers-color-scheme: dark)');
    const observer = new MutationObserver(follow);
    query.addEventListener('change', follow);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      query.removeEventListener('change', follow);
      observer.disconnect();
    };
  }, []);
  return scheme;
}
