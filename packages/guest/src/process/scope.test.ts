import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { alive } from "../guest.test.support.js";
import { freezeScope, killScope, newScope, processesOf, scopeVariable, signalScope } from "./scope.js";

const token = `scope-${process.pid}`;
let count = 0;

/** Starts `sh -c` in a session of its own and, unless told otherwise, in a scope. */
function start(script: string, scope: string, args: readonly string[] = []): ChildProcess {
  const env = { PATH: process.env["PATH"], [scopeVariable]: scope };
  return spawn("/bin/sh", ["-c", script, "/bin/sh", ...args], { env, stdio: "ignore", detached: true });
}

const fresh = (): string => newScope(token, "test", `${++count}`);
const pidOf = ({ pid = 0 }: ChildProcess): number => pid;

test("who becomes another program in the moment of the look does not escape", async () => {
  // With so many arguments its environment cannot be read for about one fifth of its time.
  const again = 'exec "$0" -c "$1" "$0" "$@"';
  const args = [again, ...Array.from({ length: 1000 }, () => "x")];
  for (let round = 0; round < 60; round++) {
    const scope = fresh();
    const child = start(again, scope, args);
    const ended = once(child, "exit");
    await once(child, "spawn");
    const left = await killScope(scope);
    const escaped = alive(pidOf(child));
    child.kill("SIGKILL");
    await ended;
    expect([left, escaped]).toEqual([0, false]);
  }
});

test("who ends during the look does not leave children that came too late for it", async () => {
  for (let round = 0; round < 30; round++) {
    const scope = fresh();
    const child = start("(sleep 1000 &) & (sleep 1000 &) &", scope);
    await once(child, "exit");
    expect(await killScope(scope)).toBe(0);
    expect(processesOf(scope)).toEqual([]);
  }
});

test("who clears its environment belongs to the session of its leader", async () => {
  const scope = fresh();
  const child = start("env -i sleep 1000 & env -i sleep 1000 & exec env -i sleep 1000", scope);
  const ended = once(child, "exit");
  const leaders = [pidOf(child)];
  await expect.poll(() => [processesOf(scope).length, processesOf(scope, leaders).length]).toEqual([0, 3]);
  const pids = processesOf(scope, leaders);
  expect(signalScope(scope, 0, leaders)).toBe(3);
  expect(await killScope(scope, leaders)).toBe(0);
  expect(pids.filter(alive)).toEqual([]);
  await ended;
});

test("a frozen scope does nothing until it goes on", async () => {
  const scope = fresh();
  const child = start("trap 'exit 7' TERM; while :; do sleep 0.01; done", scope);
  const ended = once(child, "exit");
  await once(child, "spawn");
  await expect.poll(() => processesOf(scope)).toContain(pidOf(child));
  await freezeScope(scope, [pidOf(child)]);
  const states = processesOf(scope).map(
    (pid) => / \(.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1],
  );
  // "D": it waits for a child that is stopped before it became its program.
  expect(states.filter((state) => state !== "T" && state !== "D")).toEqual([]);
  signalScope(scope, 15, [pidOf(child)]);
  expect(child.exitCode).toBeNull();
  signalScope(scope, 18, [pidOf(child)]);
  expect(["7", "SIGTERM"]).toContain(String((await ended).find((part) => part !== null)));
  expect(await killScope(scope)).toBe(0);
});
