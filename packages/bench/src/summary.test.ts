import { expect, test } from "vitest";
import { resultsOf } from "./results.js";
import { summary } from "./summary.js";
import { callRow } from "./testing/rows.js";

const machine = { node: "v26.10.0", machine: "linux 6.1, 2 × CPU" };

test("says what each case is, its figures, its ratios and its targets", () => {
  const text = summary(
    resultsOf([
      callRow("unary-64B-64-full-cross", "raw", [1_000_000]),
      callRow("unary-64B-64-full-cross", "grpcjs-protobufjs", [10_000]),
      callRow("unary-64B-64-full-cross", "guestwire-ttrpc", [400_000]),
      callRow("server-stream-32KiB-cross", "raw", [100_000]),
    ]),
    machine,
  );
  expect(text).toContain("Node v26.10.0, linux 6.1, 2 × CPU");
  expect(text).toContain(
    "unary-64B-64-full-cross: 64 calls in flight, each a request and a response of 64 B, with deadline, metadata, async handler and interceptors; client and server on a core each",
  );
  expect(text).toContain("server stream, 1,024 messages per call, figures per message, of 32 KiB; client and server");
  expect(text).toMatch(/^ {2}guestwire-ttrpc +400,000 +1\.50 +1\.00 +2\.50 +10\.0 +20\.0$/m);
  expect(text).toMatch(/^unary-64B-64-full-cross +40 × +40 × +- +- +40 % +250 % +-$/m);
  expect(text).toMatch(/raw = 100 % +at least 35 % +40 % +yes$/m);
});

test("groups that were not measured are left out", () => {
  expect(summary(resultsOf([]), machine).trim()).toBe("Node v26.10.0, linux 6.1, 2 × CPU");
  const cold = { case: "cold-start-nothing", stack: "node", millis: 19, cpuMillis: 15 };
  const text = summary(resultsOf([cold]), machine);
  expect(text).toContain("Cold start");
  expect(text).not.toContain("per second");
  expect(text).not.toContain("target");
});
