// The example of three guests as users run it: its outcome, and that it leaves nothing behind whichever way it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const program = fileURLToPath(new URL("../examples/fleet/dist/main.js", import.meta.url));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-fleet-"));
});

afterEach(() => rm(folder, { recursive: true }));

/** The example, what it has printed so far, and the processes that it told of. */
function launch(env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env["PATH"], HOME: folder, TMPDIR: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed: string[] = [];
  let errors = "";
  child.stderr.on("data", (data) => {
    errors += data;
  });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => printed.push(line));
  return {
    child,
    ended: once(child, "close"),
    text: () => printed.join("\n"),
    errors: () => errors,
    pids: () => printed.flatMap((line) => /process (\d+)/.exec(line)?.[1] ?? []).map(Number),
    async line(pattern: RegExp): Promise<void> {
      while (!printed.some((line) => pattern.test(line))) await once(lines, "line");
    },
  };
}

function expectGone(pids: readonly number[]): void {
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
}

test("no call fails while one guest is killed, another one ends, and the first comes back", async () => {
  const { ended, text, errors, pids } = launch();
  const [code] = await ended;
  expect([code, errors()], text()).toEqual([0, ""]);
  expect(text()).toMatch(/failed +0\n[\s\S]*all 9 checks passed/);
  expect(Number(/calls +(\d+)/.exec(text())?.[1])).toBeGreaterThan(5000);
  expect(pids()).toHaveLength(4);
  expectGone(pids());
  expect(await readdir(folder)).toEqual([]);
});

const endings: [string, RegExp, (child: ChildProcess) => void, number][] = [
  ["Ctrl-C while guests start", /^Guestwire example/, (child) => child.kill("SIGINT"), 130],
  ["Ctrl-C under load", /Kill bea/, (child) => child.kill("SIGINT"), 130],
  ["SIGTERM", /Start bea again/, (child) => child.kill("SIGTERM"), 143],
  ["a reader that leaves", /cyd +process/, (child) => child.stdout?.destroy(), 1],
];

test.each(endings)("%s ends all guests and removes their folder", async (_, when, end, expected) => {
  const { child, ended, line, pids } = launch();
  await line(when);
  end(child);
  expect((await ended)[0]).toBe(expected);
  expectGone(pids());
  expect(await readdir(folder)).toEqual([]);
});

test("guests that cannot start are one line, not a stack", async () => {
  const { ended, errors } = launch({ TMPDIR: join(folder, "missing") });
  expect((await ended)[0]).toBe(1);
  expect(errors()).toMatch(/^example: ENOENT[^\n]*missing[^\n]*\n$/);
});
