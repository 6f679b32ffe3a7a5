import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClock } from "../clock.js";
import { alive, errorOf } from "../guest.test.support.js";
import { GuestProcess } from "./process.js";
import type { ProcessOutput } from "./process-output.js";
import { readOutput } from "./read-output.js";
import { killScope, processesOf, signalScope } from "./scope.js";

const scope = `test-${process.pid}:task/process`;
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "gw-process-"));
});

afterAll(async () => {
  expect(await killScope(scope)).toBe(0);
  await rm(scratch, { recursive: true });
});

function make(script: string, env: Record<string, string> = { PATH: "/usr/bin:/bin" }): GuestProcess {
  const home = { subject: "tasks/test", scope, clock: createClock() };
  return new GuestProcess({ args: ["sh", "-c", script], env, cwd: scratch }, home);
}

async function text(output: ProcessOutput): Promise<string> {
  let all = "";
  const chunk = (data: Uint8Array) => Buffer.from(data).toString();
  for await (const part of readOutput([{ output, chunk, end: "" }])) all += part;
  return all;
}

test("a process runs with its environment, its directory and its exit code", async () => {
  const command = make('echo "$A"; pwd; echo bad >&2; exit 7', { PATH: "/usr/bin:/bin", A: "b c" });
  expect(command.pid).toBe(0);
  await command.run();
  expect(command.pid).toBeGreaterThan(1);
  expect(await text(command.stdout)).toBe(`b c\n${scratch}\n`);
  expect(await text(command.stderr)).toBe("bad\n");
  const exit = await command.ended;
  expect(exit.code).toBe(7);
  expect(Math.abs(exit.at - Date.now())).toBeLessThan(60_000);
  expect(command.exit).toEqual(exit);
});

test("a signal shows as 128 and its number", async () => {
  const command = make("exec sleep 1000");
  await command.run();
  expect(command.signal(0)).toBe(true);
  expect(command.signal(15)).toBe(true);
  expect((await command.ended).code).toBe(143);
  expect(command.signal(15)).toBe(false);
});

test("a signal reaches the whole group", async () => {
  const command = make("sleep 1000; echo never");
  await command.run();
  command.signal(15);
  expect((await command.ended).code).toBe(143);
  expect(processesOf(scope)).toEqual([]);
});

test("the child's streams are pipes that can be opened again by path", async () => {
  const command = make("echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin");
  await command.run();
  await command.stdin.write(Buffer.from("in\n"));
  command.stdin.close();
  expect(await text(command.stdout)).toBe("out\nin\n");
  expect(await text(command.stderr)).toBe("err\n");
});

test("the child inherits nothing but its three streams", async () => {
  // Besides what ls itself opens, and what whoever runs the tests left open.
  const usual = execFileSync("ls", ["/proc/self/fd"]).toString();
  const command = make("ls /proc/self/fd");
  await command.run();
  expect(await text(command.stdout)).toBe(usual);
});

test("input arrives in order and ends; a second end and a later write are refused", async () => {
  const command = make("cat");
  expect((await errorOf(Promise.resolve().then(() => command.stdin.write(Buffer.from("x"))))).message).toContain(
    "the process was not started",
  );
  await command.run();
  const writes = ["a", "b", "c"].map((part) => command.stdin.write(Buffer.from(part)));
  expect(await Promise.all(writes)).toEqual([1, 1, 1]);
  expect(await command.stdin.write(new Uint8Array())).toBe(0);
  command.stdin.close();
  expect(() => command.stdin.close()).toThrow("standard input is closed");
  expect(() => command.stdin.write(Buffer.from("x"))).toThrow("standard input is closed");
  command.stdin.end();
  expect(await text(command.stdout)).toBe("abc");
});

test("writing to a process that closed its input is refused", async () => {
  const command = make("exec <&-; echo closed; exec sleep 1000");
  await command.run();
  const reader = readOutput([{ output: command.stdout, chunk: () => "", end: "" }]);
  await reader.next();
  const error = await errorOf(command.stdin.write(Buffer.from("x")));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.message).toContain("closed its standard input");
  command.signal(9);
  await command.ended;
});

test("a process that does not read makes its writer wait, and too much is refused", async () => {
  const command = make("exec sleep 1000");
  await command.run();
  const waiting = command.stdin.write(Buffer.alloc(4 << 20));
  const second = command.stdin.write(Buffer.alloc(4 << 20));
  expect(() => command.stdin.write(Buffer.alloc(4 << 20))).toThrow("bytes of input wait already");
  command.signal(9);
  expect((await errorOf(waiting)).code).toBe(Code.FailedPrecondition);
  expect((await errorOf(second)).code).toBe(Code.FailedPrecondition);
  await command.ended;
});

test("a process without input reads the end at once", async () => {
  const command = make("cat; echo done");
  await command.run(false);
  expect(() => command.stdin.close()).toThrow("has no standard input");
  expect(await text(command.stdout)).toBe("done\n");
});

test("a held process waits for its release, and then has exactly the environment asked for", async () => {
  const command = make("exit 3", { PATH: "/usr/bin:/bin", "odd name": "x=y\n" });
  const held = new GuestProcess(
    { ...command.spec, args: ["env", "-0"] },
    { subject: "tasks/held", scope, clock: createClock() },
  );
  await held.hold();
  expect(alive(held.pid)).toBe(true);
  expect(processesOf(scope)).toContain(held.pid);
  const { pid } = held;
  held.release();
  const variables = (await text(held.stdout)).split("\0").filter(Boolean).sort();
  expect(variables).toEqual([`GUESTWIRE_SCOPE=${scope}`, "PATH=/usr/bin:/bin", "odd name=x=y\n"]);
  expect(held.pid).toBe(pid);
  expect((await held.ended).code).toBe(0);
});

test("a held process can be killed before its release", async () => {
  const command = make("echo never");
  await command.hold();
  command.signal(9);
  expect((await command.ended).code).toBe(137);
  command.release();
  expect(await text(command.stdout)).toBe("");
});

test("a process that cannot be started is an error, and may be tried again", async () => {
  const home = { subject: "tasks/bad", scope, clock: createClock() };
  const command = new GuestProcess({ args: ["/no/such/program"], env: {}, cwd: scratch }, home);
  await expect(command.run()).rejects.toThrow("ENOENT");
  await expect(command.run()).rejects.toThrow("ENOENT");
  expect(command.pid).toBe(0);
  const reason = new Error("given up");
  command.abandon(reason);
  await expect(command.ended).rejects.toBe(reason);
  expect(await text(command.stdout)).toBe("");
});

test("output does not wait for a process in the background that holds the pipe", async () => {
  const command = make("sleep 1000 & echo out");
  await command.run();
  expect(await text(command.stdout)).toBe("out\n");
  expect((await command.ended).code).toBe(0);
  expect(processesOf(scope)).toHaveLength(1);
  expect(await killScope(scope)).toBe(0);
});

test("a scope holds what moved to another session", async () => {
  const command = make("setsid sleep 1000 & wait");
  await command.run();
  while (processesOf(scope).length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(processesOf(`test-${process.pid}`)).toHaveLength(2);
  expect(processesOf(`test-${process.pid}:task/proc`)).toEqual([]);
  expect(signalScope(scope, 0)).toBe(2);
  expect(await killScope(scope)).toBe(0);
  await command.ended;
});

test("a reader sets the pace and gets every byte", async () => {
  const size = 8 << 20;
  const command = make(`head -c ${size} /dev/zero`);
  const reader = readOutput([{ output: command.stdout, chunk: (data) => data.length, end: -1 }]);
  await command.run();
  // The process cannot end: its output does not fit into the pipe and the reader's queue.
  expect(command.exit).toBeUndefined();
  let total = 0;
  for await (const length of reader) total += Math.max(length, 0);
  expect(total).toBe(size);
  expect((await command.ended).code).toBe(0);
});

test("a process whose output nobody reads does not stand still", async () => {
  const command = make("head -c 3000000 /dev/zero; exit 5");
  await command.run();
  expect((await command.ended).code).toBe(5);
});
