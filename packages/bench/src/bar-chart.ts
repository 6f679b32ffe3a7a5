// Draws bar charts as SVG text: the same values give the same bytes. A library that draws without a browser brings tens of
// megabytes for what is a few rectangles here. Knows nothing of benchmarks.

/** One bar. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Whether it is one of ours, which are drawn in a colour of their own. */
  readonly ours: boolean;
}

/** Bars that share a scale. */
export interface Panel {
  readonly title: string;
  /** The unit of the values, and which end is better. */
  readonly unit: string;
  /** Whether the best bar, which comes first, is the longest one. */
  readonly moreIsBetter: boolean;
  readonly bars: readonly Bar[];
}

/** A picture of one or more panels, one below the other. */
export interface BarChart {
  readonly title: string;
  /** What was measured how; one line below the title. */
  readonly subtitle: string;
  readonly panels: readonly Panel[];
  /** Where it was measured; in small letters at the end. */
  readonly note: string;
}

const width = 820;
const margin = 20;
const labelWidth = 205;
const valueWidth = 80;
const barLeft = margin + labelWidth;
const barRoom = width - barLeft - valueWidth - margin;
const row = 26;
const headHeight = 62;
const panelHead = 40;
const panelFoot = 34;
const footHeight = 20;

// From here on, short bars of a linear scale could not be told apart.
const logFrom = 100;

// A reader's system says which theme it prefers; the card has a ground of its own, so it can be read on any page.
const style = `
  .card { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 } .dim { fill: #59636e }
  .grid { stroke: #d8dee4 } .ours { fill: #0969da } .peer { fill: #afb8c1 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .dim { fill: #9198a1 }
    .grid { stroke: #2f353d } .ours { fill: #4493f8 } .peer { fill: #656c76 }
  }`;

/** Draws a chart. Panels without bars are left out. */
export function drawBarChart({ title, subtitle, panels, note }: BarChart): string {
  const shown = panels.filter(({ bars }) => bars.length > 0);
  let top = headHeight;
  const drawn = shown.map((panel) => {
    const text = drawPanel(panel, top);
    top += panelHead + panel.bars.length * row + panelFoot;
    return text;
  });
  const height = top + footHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13">
<title>${escaped(title)}</title>
<desc>${escaped(shown.map(inWords).join("\n"))}</desc>
<style>${style}
</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${label(margin, 30, title, 'class="text" font-size="17" font-weight="600"')}
${label(margin, 50, subtitle, 'class="dim"')}
${drawn.join("\n")}
${label(margin, height - 14, note, 'class="dim" font-size="11"')}
</svg>
`;
}

function drawPanel(panel: Panel, top: number): string {
  const scale = scaleOf(panel.bars.map(({ value }) => value));
  const first = top + panelHead;
  const last = first + panel.bars.length * row;
  const at = (value: number): number => barLeft + Math.max(0, Math.min(1, scale.part(value))) * barRoom;
  const grid = scale.ticks.map((tick) => {
    const x = at(tick).toFixed(1);
    const line = `<line class="grid" x1="${x}" y1="${first - 4}" x2="${x}" y2="${last + 2}"/>`;
    return `${line}\n${label(x, last + 17, short(tick), 'class="dim" font-size="11" text-anchor="middle"')}`;
  });
  const bars = sorted(panel).map(({ label: name, value, ours }, i) => {
    const y = first + i * row;
    const end = at(value);
    const weight = ours ? ' font-weight="600"' : "";
    return [
      label(barLeft - 10, y + 16, name, `class="text" text-anchor="end"${weight}`),
      `<rect class="${ours ? "ours" : "peer"}" x="${barLeft}" y="${y + 3}" width="${Math.max(1.5, end - barLeft).toFixed(1)}" height="${row - 8}" rx="2"/>`,
      label((end + 6).toFixed(1), y + 16, short(value), `class="text"${weight}`),
    ].join("\n");
  });
  const unit = `${panel.unit}, ${panel.moreIsBetter ? "more" : "less"} is better${scale.log ? "; logarithmic scale" : ""}`;
  const head = `<text class="text" x="${margin}" y="${top + 22}" font-weight="600">${escaped(panel.title)}<tspan class="dim" dx="8" font-weight="400">${escaped(unit)}</tspan></text>`;
  return [head, ...grid, ...bars].join("\n");
}

interface Scale {
  readonly log: boolean;
  readonly ticks: readonly number[];
  /** Where a value lies between the ends of the scale, from 0 to 1. */
  part(value: number): number;
}

function scaleOf(values: readonly number[]): Scale {
  const most = Math.max(...values);
  const least = Math.min(...values);
  if (least > 0 && most / least >= logFrom) {
    const from = Math.floor(Math.log10(least));
    // A bar of no length would look like nothing at all.
    const low = Math.log10(least) - from < 0.1 ? from - 1 : from;
    const high = Math.ceil(Math.log10(most));
    const ticks = Array.from({ length: high - low + 1 }, (_, i) => Number(`1e${low + i}`));
    return { log: true, ticks, part: (value) => (Math.log10(value) - low) / (high - low) };
  }
  const step = niceStep(most / 5);
  const end = Math.max(1, Math.ceil(most / step - 1e-9)) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
  return { log: false, ticks, part: (value) => value / end };
}

/** The next of 1, 2, 5, 10, 20, … */
function niceStep(least: number): number {
  if (!(least > 0)) return 1;
  const power = Number(`1e${Math.floor(Math.log10(least))}`);
  return (([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) as number) * power;
}

function sorted({ bars, moreIsBetter }: Panel): Bar[] {
  return [...bars].sort(
    (a, b) => (moreIsBetter ? b.value - a.value : a.value - b.value) || (a.label < b.label ? -1 : 1),
  );
}

/** The panel for who cannot see it. */
function inWords(panel: Panel): string {
  return `${panel.title}, ${panel.unit}: ${sorted(panel)
    .map(({ label: name, value }) => `${name} ${short(value)}`)
    .join(", ")}.`;
}

/** A value in three digits: "0.53", "12.1", "820 k", "3 M". */
function short(value: number): string {
  for (const [from, sign] of [
    [1e9, " G"],
    [1e6, " M"],
    [1e4, " k"],
  ] as const) {
    if (Math.abs(value) >= from) return `${Number((value / (sign === " k" ? 1000 : from)).toPrecision(3))}${sign}`;
  }
  const digits = Number(value.toPrecision(3));
  return digits >= 1000 ? digits.toLocaleString("en") : String(digits);
}

function label(x: number | string, y: number, text: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(text)}</text>`;
}

/** Text as it may stand between tags and in attributes. */
function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot" };
  return text.replace(/[&<>"]/g, (sign) => `&${names[sign]};`);
}
