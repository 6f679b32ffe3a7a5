import { expect, test } from "vitest";
import { benchCases, chooseCases } from "./cases.js";

test("no two cases share a name", () => {
  expect(new Set(benchCases.map(({ name }) => name)).size).toBe(benchCases.length);
});

test("cases are chosen by name and by pattern, in their own order", () => {
  expect(chooseCases(["server-stream-*", "unary-64B-1-same"]).map(({ name }) => name)).toEqual([
    "unary-64B-1-same",
    "server-stream-64B-cross",
    "server-stream-32KiB-cross",
    "server-stream-1GiB-cross",
  ]);
});

test("a name that fits no case is refused by name", () => {
  expect(() => chooseCases(["unary-65B"])).toThrow('no case is called "unary-65B"');
});
