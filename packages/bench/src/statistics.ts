// The few numbers that the tables are made of.

/**
 * The middle value: of an even number of values the mean of both in the middle.
 *
 * @returns NaN for no values.
 */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[half] as number;
  return sorted.length === 0 ? Number.NaN : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

/**
 * The value below which a part of the values lies.
 *
 * @param sorted In rising order.
 * @param part From 0 to 1; 0.99 is the 99th percentile.
 * @returns NaN for no values.
 */
export function percentile(sorted: ArrayLike<number>, part: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number;
}
