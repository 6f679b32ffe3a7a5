// Programs that are to end soon: what they print, and that nothing of them is left.
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { alive } from "../../guest.test.support.js";
import { programOutputBytes } from "../limits.js";
import { ProgramRunner } from "./run-program.js";
import { Turns } from "./turns.js";

let scratch: string;
const never = new AbortController().signal;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "gw-program-"));
});
afterEach(async () => {
  expect(readdirSync(scratch)).toEqual([]);
  await rm(scratch, { recursive: true });
});

function shell(script: string, limitMs?: number, signal = never) {
  const program = { path: "/bin/sh", args: ["-c", script], folders: ["/first"], environment: { COLOUR: "red" } };
  return new ProgramRunner(scratch, limitMs).run(program, signal);
}

test("it has its own home, the folders first in PATH, and variables", async () => {
  const { output, code, problem } = await shell('echo "$COLOUR $PWD=$HOME"; echo "$PATH" >&2; ls -A');
  expect([code, problem]).toEqual([0, ""]);
  const lines = output.trim().split("\n").sort();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toBe(`/first:${process.env["PATH"]}`);
  expect(lines[1]).toMatch(new RegExp(`^red (${scratch}/trial-.*)=\\1$`));
});

test("how it ended", async () => {
  expect(await shell("echo why; exit 4")).toMatchObject({ code: 4, problem: "/bin/sh failed with exit code 4: why" });
  expect(await shell("kill -TERM $$")).toMatchObject({ code: 143, problem: "/bin/sh was ended by SIGTERM" });
  const missing = { path: "/no/such", args: [], folders: [], environment: {} };
  expect((await new ProgramRunner(scratch).run(missing, never)).problem).toContain("/no/such cannot be started");
});

test("output beyond the bound is dropped", async () => {
  const { output } = await shell("head -c 1000000 /dev/zero");
  expect(output).toHaveLength(programOutputBytes);
});

test("one that takes too long is ended with all that it started", async () => {
  const { code, output, problem } = await shell("sleep 1000 & echo $!; sleep 1000", 200);
  expect([code, problem]).toEqual([-1, "/bin/sh did not end within 200 ms"]);
  expect(alive(Number.parseInt(output, 10))).toBe(false);
});

test("one that leaves a child behind ends with it", async () => {
  const { code, output } = await shell("sleep 1000 & echo $!");
  expect(code).toBe(0);
  expect(alive(Number.parseInt(output, 10))).toBe(false);
});

test("who cancels gets the reason, and the program has ended", async () => {
  const canceled = new AbortController();
  const reason = new Error("enough");
  const end = shell("sleep 1000", undefined, canceled.signal);
  canceled.abort(reason);
  await expect(end).rejects.toBe(reason);
});

test("turns: a few at a time, in order, and none is lost with who gives up", async () => {
  const turns = new Turns(1);
  const first = Promise.withResolvers<void>();
  const order: string[] = [];
  const take = (name: string, signal = never, until: Promise<void> = Promise.resolve()) =>
    turns.run(signal, async () => {
      order.push(name);
      await until;
    });
  const one = take("one", never, first.promise);
  const canceled = new AbortController();
  const two = take("two", canceled.signal);
  const three = take("three");
  canceled.abort(new Error("gave up"));
  await expect(two).rejects.toThrow("gave up");
  expect(order).toEqual(["one"]);
  first.resolve();
  await Promise.all([one, three]);
  await take("four");
  expect(order).toEqual(["one", "three", "four"]);
});
