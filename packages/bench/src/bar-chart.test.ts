import { expect, test } from "vitest";
import { type Bar, drawBarChart, type Panel } from "./bar-chart.js";

function panel(values: readonly number[], moreIsBetter = true): Panel {
  const bars = values.map((value, i): Bar => ({ label: `stack ${i}`, value, ours: i === 0 }));
  return { title: "Calls", unit: "calls/s", moreIsBetter, bars };
}

function draw(...panels: readonly Panel[]): string {
  return drawBarChart({ title: "A chart", subtitle: "of something", panels, note: "here" });
}

/** What is written, in the order in which it stands there. */
function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)/g)].map(([, text]) => text as string);
}

function widths(svg: string): number[] {
  return [...svg.matchAll(/<rect class="(?:ours|peer)"[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));
}

test("the best bar comes first, whichever way is better, and the same values give the same bytes", () => {
  const labels = (svg: string): string[] => texts(svg).filter((text) => text.startsWith("stack"));
  expect(labels(draw(panel([20, 30, 10])))).toEqual(["stack 1", "stack 0", "stack 2"]);
  expect(labels(draw(panel([20, 30, 10], false)))).toEqual(["stack 2", "stack 0", "stack 1"]);
  expect(draw(panel([20, 30, 10]))).toBe(draw(panel([20, 30, 10])));
});

test("bars of a linear scale are as long as their values, and each has its value beside it", () => {
  const svg = draw(panel([820_300, 410_150, 8.27]));
  expect(texts(svg)).toEqual(expect.arrayContaining(["820 k", "410 k"]));
  const linear = widths(draw(panel([80, 40, 20])));
  expect(linear[1]).toBeCloseTo((linear[0] as number) / 2, 0);
  expect(linear[2]).toBeCloseTo((linear[0] as number) / 4, 0);
});

test("the scale is logarithmic where the longest would be a hundred times the shortest, and says so", () => {
  expect(draw(panel([99, 1]))).not.toContain("logarithmic");
  const svg = draw(panel([10_000, 1000, 20]));
  expect(svg).toContain("logarithmic scale");
  const [most = 0, middle = 0, least = 0] = widths(svg);
  expect(most / middle).toBeCloseTo(3 / 2, 1);
  expect(least).toBeGreaterThan(10);
  // A bar that stands at the scale's end would have no length.
  expect(Math.min(...widths(draw(panel([10_000, 10]))))).toBeGreaterThan(100);
});

test("ours are drawn in another colour", () => {
  expect(draw(panel([1, 2, 3])).match(/<rect class="(ours|peer)"/g)).toEqual([
    '<rect class="peer"',
    '<rect class="peer"',
    '<rect class="ours"',
  ]);
});

test("text is escaped, and all values are in the description", () => {
  const label = `<script>"a" & 'b'`;
  const svg = drawBarChart({
    title: label,
    subtitle: label,
    note: label,
    panels: [{ ...panel([1]), title: label, bars: [{ label, value: 12, ours: false }] }],
  });
  expect(svg).not.toContain("<script");
  expect(svg.match(/&lt;script&gt;&quot;a&quot; &amp; 'b'/g)).toHaveLength(8);
  expect(svg).toMatch(/<desc>[^<]* 12\.<\/desc>/);
});

test("panels without bars are left out, and a bar of nothing is no error", () => {
  expect(draw(panel([]), panel([1]))).toBe(draw(panel([1])));
  expect(draw(panel([0, 0]))).not.toMatch(/NaN|Infinity/);
});
