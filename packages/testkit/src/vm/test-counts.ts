// The counts that `node --test` prints at its end, in both forms that its reporters use. Pure.

/** How many tests passed and failed. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Reads the counts.
 *
 * @returns `undefined` where the output has none, as of a run that crashed.
 */
export function readTestCounts(lines: readonly string[]): TestCounts | undefined {
  const count = (word: string): number | undefined => {
    const found = lines.findLast((line) => new RegExp(`^(#|ℹ) ${word} \\d+$`).test(line));
    return found === undefined ? undefined : Number(found.slice(found.lastIndexOf(" ")));
  };
  const passed = count("pass");
  const failed = count("fail");
  const canceled = count("cancelled");
  if (passed === undefined || failed === undefined) return undefined;
  return { passed, failed: failed + (canceled ?? 0) };
}
