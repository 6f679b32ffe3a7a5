import { expect, test } from "vitest";
import { bareName, dressedStacks, featuresOf } from "./features.js";

test("a stack's name carries its features", () => {
  expect(bareName("guestwire-ttrpc+full+otel")).toBe("guestwire-ttrpc");
  expect(featuresOf("guestwire-ttrpc+full+otel")).toEqual(["deadline", "metadata", "async", "interceptors", "otel"]);
  expect(featuresOf("guestwire-ttrpc")).toEqual([]);
});

test("each stack whose price is asked for can be read", () => {
  expect(dressedStacks.map((stack) => featuresOf(stack).length)).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 6]);
});

test("what is no feature is refused by name", () => {
  expect(() => featuresOf("guestwire-ttrpc+soap")).toThrow('there is no feature "soap"');
});
