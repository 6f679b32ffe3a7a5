// Sizes as Joblet's users write them: "1GB". Reads and writes them; knows no volume.

const units = ["KB", "MB", "GB", "TB"] as const;

/** Reads a size: a number with KB, MB, GB or TB (powers of 1024), or bytes. @returns `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]B)?\s*$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const power = units.indexOf(unit.toUpperCase() as (typeof units)[number]) + 1;
  const bytes = Number(digits) * 1024 ** power;
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** Writes a size in the largest unit that leaves a whole number. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = "";
  for (const next of units) {
    if (value % 1024 !== 0) break;
    value /= 1024;
    unit = next;
  }
  return `${value}${unit}`;
}
