import { expect, test } from "vitest";
import { median, percentile } from "./statistics.js";

test("the median is the middle, or the mean of both in the middle", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 100])).toBe(3);
  expect(median([])).toBeNaN();
});

test("percentiles never leave the values", () => {
  const sorted = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  expect(percentile(sorted, 0.5)).toBe(51);
  expect(percentile(sorted, 0.99)).toBe(100);
  expect(percentile(sorted, 1)).toBe(100);
  expect(percentile([], 0.5)).toBeNaN();
});
