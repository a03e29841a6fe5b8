const WIDTH = 860;
const PANEL_HEIGHT = 220;
const MARGIN = { left: 56, right: 16, top: 64, between: 72 };
const LINE_HEIGHT = 17;
const BAR_GAP = 3;
/** Share of a group's width that its bars fill. */
const GROUP_FILL = 0.7;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 17px; font-weight: 600; }
  .faint { fill: #57606a; font-size: 12px; }
  .grid { stroke: #d0d7de; }
  .whisker { stroke: #24292f; stroke-width: 1.5; }
  .series-0 { fill: #0a7f5a; }
  .series-1 { fill: #9aa4af; }
  .series-2 { fill: #c9d1d9; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #8d96a0; }
    .grid { stroke: #30363d; }
    .whisker { stroke: #e6edf3; }
    .series-0 { fill: #2fbf8f; }
    .series-1 { fill: #6e7781; }
    .series-2 { fill: #484f58; }
  }`;

/**
 * Groups of bars with whiskers from least to most, in one panel above the other; dark where the reader's system is.
 * @param {object} chart
 * @param {string} chart.title
 * @param {readonly string[]} chart.series  names of the bars of each group; three have a colour
 * @param {readonly {title: string, groups: readonly {label: string, note?: string, bars: readonly {median: number, min: number, max: number}[]}[]}[]} chart.panels
 * @param {readonly string[]} chart.footer  lines below
 * @returns {string} SVG
 */
export function barChart({ title, series, panels, footer }) {
  const panelTop = (index) => MARGIN.top + 24 + index * (PANEL_HEIGHT + MARGIN.between);
  const footerTop = panelTop(panels.length) - MARGIN.between + 64;
  const height = footerTop + footer.length * LINE_HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}\n</style>`,
    text({ x: MARGIN.left, y: 26, className: 'title' }, title),
    ...series.map((name, index) => legend(name, index)),
    ...panels.map((panel, index) => drawPanel(panel, panelTop(index))),
    ...footer.map((line, index) =>
      text({ x: MARGIN.left, y: footerTop + index * LINE_HEIGHT, className: 'faint' }, line),
    ),
    '</svg>\n',
  ].join('\n');
}

function legend(name, index) {
  const x = MARGIN.left + index * 160;
  return `<rect class="series-${index}" x="${x}" y="40" width="12" height="12"/>\n${text({ x: x + 18, y: 51 }, name)}`;
}

function drawPanel({ title, groups }, top) {
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ max }) => max)));
  const step = gridStep(most);
  const end = Math.ceil(most / step) * step;
  const bottom = top + PANEL_HEIGHT;
  const y = (value) => round(bottom - (value / end) * PANEL_HEIGHT);
  const parts = [text({ x: MARGIN.left, y: top - 12 }, title)];
  for (let value = 0; value <= end; value += step) {
    parts.push(
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(value)}" y2="${y(value)}"/>`,
    );
    parts.push(text({ x: MARGIN.left - 8, y: y(value) + 4, className: 'faint', anchor: 'end' }, String(value)));
  }
  const groupWidth = (WIDTH - MARGIN.left - MARGIN.right) / groups.length;
  groups.forEach(({ label, note, bars }, index) => {
    const middle = MARGIN.left + (index + 0.5) * groupWidth;
    const barWidth = (groupWidth * GROUP_FILL) / bars.length;
    bars.forEach((bar, place) => {
      const x = middle + (place - bars.length / 2) * barWidth;
      parts.push(drawBar(bar, place, { x, width: barWidth - BAR_GAP, y, bottom }));
    });
    parts.push(text({ x: middle, y: bottom + 18, anchor: 'middle' }, label));
    if (note !== undefined) parts.push(text({ x: middle, y: bottom + 34, className: 'faint', anchor: 'middle' }, note));
  });
  return parts.join('\n');
}

function drawBar({ median, min, max }, series, { x, width, y, bottom }) {
  const middle = round(x + width / 2);
  return [
    `<rect class="series-${series}" x="${round(x)}" y="${y(median)}" width="${round(width)}" height="${round(bottom - y(median))}"/>`,
    `<line class="whisker" x1="${middle}" x2="${middle}" y1="${y(min)}" y2="${y(max)}"/>`,
    text({ x: middle, y: y(max) - 5, className: 'faint', anchor: 'middle' }, String(Math.round(median))),
  ].join('\n');
}

/** A round distance of grid lines: four to ten of them. */
function gridStep(most) {
  const magnitude = 10 ** Math.floor(Math.log10(most));
  return [0.1, 0.2, 0.5, 1].map((share) => share * magnitude).find((step) => most / step <= 8) ?? magnitude;
}

function text({ x, y, className, anchor }, content) {
  const attributes = [className && ` class="${className}"`, anchor && ` text-anchor="${anchor}"`]
    .filter(Boolean)
    .join('');
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${escaped(content)}</text>`;
}

const round = (value) => Math.round(value * 10) / 10;

function escaped(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
