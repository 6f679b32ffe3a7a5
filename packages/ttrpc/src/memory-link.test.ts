// A pair of links inside the process.
import { FakeClock, turns } from "@guestwire/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import type { Link } from "./link.js";
import { linkPair } from "./memory-link.js";

let a: Link;
let b: Link;
let told: string[];

function listen(link: Link, name: string): void {
  link.start({
    received: (chunk) => void told.push(`${name} got ${chunk}`),
    drained: () => void told.push(`${name} drained`),
    closed: (error) => void told.push(`${name} closed ${error}`),
  });
}

beforeEach(() => {
  told = [];
  [a, b] = linkPair(new FakeClock(), { kind: "pair", address: "pair:" });
});

describe("a pair of links", () => {
  test("carries copies, in order, never in the same turn", async () => {
    listen(a, "a");
    listen(b, "b");
    const memory = Buffer.from("1");
    expect(a.write(memory)).toBe(true);
    memory.fill("x");
    a.writeAll([Buffer.from("2"), Buffer.from(""), Buffer.from("3")]);
    expect([told, a.queuedBytes]).toEqual([[], 3]);
    await turns();
    expect(told.filter((line) => line.startsWith("b got"))).toEqual(["b got 1", "b got 2", "b got 3"]);
    expect(told).toContain("a drained");
    expect(a.queuedBytes).toBe(0);
  });

  test("keeps what was sent before the other end started, and while it is paused", async () => {
    listen(a, "a");
    a.write(Buffer.from("1"));
    await turns();
    expect(a.queuedBytes).toBe(1);
    b.pause();
    listen(b, "b");
    await turns();
    expect(told).not.toContain("b got 1");
    b.resume();
    await turns();
    expect(told).toContain("b got 1");
  });

  test("ends both ways after what was sent, once", async () => {
    listen(a, "a");
    listen(b, "b");
    a.write(Buffer.from("1"));
    a.end();
    a.destroy();
    await turns();
    expect(told.filter((line) => !line.endsWith("drained"))).toEqual([
      "a closed undefined",
      "b got 1",
      "b closed undefined",
    ]);
    b.write(Buffer.from("late"));
    await turns();
    expect(told.some((line) => line.includes("late"))).toBe(false);
  });
});
