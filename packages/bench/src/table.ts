// Lays out text in columns, and writes numbers as people read them.

/** Lays out columns; the first `texts` columns are flush left, the others, being numbers, flush right. */
export function table(
  heads: readonly (readonly string[])[],
  lines: readonly (readonly string[])[],
  texts: number,
): string {
  const all = [...heads, ...lines];
  const widths = (heads[0] ?? []).map((_, i) => Math.max(...all.map((line) => line[i]?.length ?? 0)));
  const format = (line: readonly string[]): string =>
    line.map((cell, i) => (i < texts ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [...heads.map(format), rule, ...lines.map(format)].map((line) => line.trimEnd()).join("\n");
}

/** A number in three digits, or whole with its thousands marked: "0.531", "12.1", "820,300"; "-" for none. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return "-";
  return Math.abs(value) >= 100 ? count(value) : value.toPrecision(3);
}

/** A whole number with its thousands marked; "-" for none. */
export function count(value: number): string {
  return Number.isNaN(value) ? "-" : Math.round(value).toLocaleString("en");
}

/** "21 ×"; "-" for none. */
export function times(value: number): string {
  return Number.isNaN(value) ? "-" : `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ×`;
}

/** "75 %"; "-" for none. */
export function percent(value: number): string {
  return Number.isNaN(value) ? "-" : `${(value * 100).toFixed(0)} %`;
}
