import { expect, test } from "vitest";
import { benchCases, chooseCases } from "./cases.js";
import { leftOutNotes, stacksFor } from "./left-out.js";

const [many] = chooseCases(["connections-10000-cross"]);
const [features] = chooseCases(["features-64B-64-cross"]);
if (many === undefined || features === undefined) throw new Error("the cases of this test are gone");

test("a stack that a case is not for is left out, with the reason", () => {
  const wanted = ["raw", "connect-node", "guestwire-ttrpc"];
  expect(stacksFor(many, wanted)).toEqual(["raw", "guestwire-ttrpc"]);
  expect(leftOutNotes([many], wanted)).toContain(
    "without connect-node (ten thousand connections of HTTP/2 take gigabytes or minutes): connections-10000-cross",
  );
});

test("memory is given back of large responses only, which needs no word", () => {
  const release = "guestwire-ttrpc+release";
  const cases = benchCases.filter((bench) => stacksFor(bench, [release]).length > 0);
  expect(cases.map(({ name }) => name)).toEqual([
    "server-stream-32KiB-cross",
    "unary-4MiB-8-cross",
    "unary-64KiB-8-cross",
    "server-stream-1GiB-cross",
    "unary-64KiB-1-same",
    "unary-4MiB-1-same",
    "unary-64KiB-64-cross",
    "unary-64KiB-1000-cross",
  ]);
  expect(leftOutNotes(benchCases, [release])).toEqual([]);
});

test("nothing is said of what was not asked for", () => {
  expect(leftOutNotes([many], ["raw"])).toEqual([]);
});

test("a case with stacks of its own has them wherever the bare stack is wanted", () => {
  expect(stacksFor(features, ["raw"])).toEqual([]);
  expect(stacksFor(features, ["guestwire-ttrpc"])).toContain("guestwire-ttrpc+deadline");
  expect(leftOutNotes([features], ["raw", "connect-node"])).toEqual([]);
});
