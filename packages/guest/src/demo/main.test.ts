// The demo as users run it: whichever way it ends, nothing of it stays behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../dist/demo/main.js", import.meta.url));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-demo-"));
});

afterEach(() => rm(folder, { recursive: true }));

function launch(temporary: string): ChildProcess {
  const env = { PATH: process.env["PATH"], HOME: folder, TMPDIR: temporary };
  return spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Reads until the guest's process is named. */
async function guestOf(child: ChildProcess): Promise<number> {
  // Not a loop with break: that would close the pipe, which is one of the endings to be tested.
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve) => {
    lines.on("line", (line) => {
      const pid = /guest +process (\d+)/.exec(line)?.[1];
      if (pid !== undefined) resolve(Number(pid));
    });
  });
}

const endings: [string, (child: ChildProcess) => void, number][] = [
  ["Ctrl-C", (child) => child.kill("SIGINT"), 130],
  ["SIGTERM", (child) => child.kill("SIGTERM"), 143],
  ["a reader that leaves", (child) => child.stdout?.destroy(), 1],
];

test.each(endings)("%s ends the guest as well and removes its folder", async (_, end, expected) => {
  const child = launch(folder);
  const exited = once(child, "exit");
  const guest = await guestOf(child);
  end(child);
  expect((await exited)[0]).toBe(expected);
  expect(() => process.kill(guest, 0)).toThrow("ESRCH");
  expect(await readdir(folder)).toEqual([]);
});

test("a folder for temporary files that is too deep for a socket does not stop the demo", async () => {
  const deep = join(folder, "x".repeat(100));
  await mkdir(deep);
  const child = launch(deep);
  const exited = once(child, "exit");
  await guestOf(child);
  expect((await exited)[0]).toBe(0);
});

test("a guest that cannot start is one line, not a stack", async () => {
  const child = launch(join(folder, "missing"));
  let errors = "";
  child.stderr?.on("data", (data) => {
    errors += data;
  });
  const [code] = await once(child, "close");
  expect(code).toBe(1);
  expect(errors).toMatch(/^demo: ENOENT[^\n]*missing[^\n]*\n$/);
});
