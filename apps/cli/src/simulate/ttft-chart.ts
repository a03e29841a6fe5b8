import { measuredOf, type Simulation, ttftOf } from '#lib/simulator';

const WIDTH = 720;
const HEIGHT = 420;
const MARGIN = { left: 56, right: 190, top: 24, bottom: 48 };
const COLOURS = [
  '#1f77b4',
  '#d62728',
  '#2ca02c',
  '#9467bd',
  '#ff7f0e',
  '#17becf',
  '#8c564b',
  '#e377c2',
  '#7f7f7f',
  '#bcbd22',
];
/** Points of a curve: more are not to be seen at this width. */
const POINTS = 300;

/** The distribution of TTFT, one curve per simulation; time on a logarithmic axis, in seconds. */
export function ttftChart(simulations: readonly Simulation[]): string {
  const curves = simulations.map(({ result, requests }) => ({
    name: result.strategy,
    ttfts: Float64Array.from(measuredOf(requests).map(ttftOf).filter(Number.isFinite)).sort(),
  }));
  const all = curves.flatMap(({ ttfts }) => [ttfts[0] ?? 0.01, ttfts.at(-1) ?? 1]);
  const lowest = Math.floor(Math.log10(Math.max(1e-4, Math.min(...all))));
  const highest = Math.max(lowest + 1, Math.ceil(Math.log10(Math.max(...all))));
  const x = (s: number) =>
    MARGIN.left +
    ((Math.log10(Math.max(s, 10 ** lowest)) - lowest) / (highest - lowest)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (share: number) => HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const decades = Array.from({ length: highest - lowest + 1 }, (_, index) => 10 ** (lowest + index));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...decades.map(
      (s) => axisLine(x(s), y(0), x(s), y(1)) + label(x(s), y(0) + 18, 'middle', `${Number(s.toPrecision(1))}`),
    ),
    ...[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        axisLine(x(10 ** lowest), y(share), x(10 ** highest), y(share)) +
        label(MARGIN.left - 8, y(share) + 4, 'end', `${share}`),
    ),
    label((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 10, 'middle', 'time to first token, seconds'),
    ...curves.map(({ name, ttfts }, index) => {
      const colour = COLOURS[index % COLOURS.length]!;
      const legendY = MARGIN.top + 14 + index * 18;
      return (
        `<path d="${pathOf(ttfts, x, y)}" fill="none" stroke="${colour}" stroke-width="1.6"/>` +
        `<rect x="${WIDTH - MARGIN.right + 16}" y="${legendY - 9}" width="12" height="10" fill="${colour}"/>` +
        label(WIDTH - MARGIN.right + 34, legendY, 'start', name)
      );
    }),
    '</svg>\n',
  ].join('\n');
}

function pathOf(ttfts: Float64Array, x: (s: number) => number, y: (share: number) => number): string {
  const points: string[] = [];
  for (let point = 0; point <= POINTS && ttfts.length > 0; point++) {
    const share = point / POINTS;
    const s = ttfts[Math.min(ttfts.length - 1, Math.floor(share * ttfts.length))]!;
    points.push(`${x(s).toFixed(1)} ${y(share).toFixed(1)}`);
  }
  return points.length === 0 ? '' : `M${points.join('L')}`;
}

const axisLine = (x1: number, y1: number, x2: number, y2: number) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
const label = (x: number, y: number, anchor: string, text: string) =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#333">${text}</text>`;
