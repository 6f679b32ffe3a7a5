import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { openPty } from "../ross/terminal/pty-binding.js";
import { stdioOf } from "./inherited.js";

/** Where a child's descriptor leads. */
async function linkOf(fd: number, stdio: readonly ("pipe" | "ignore")[]): Promise<string> {
  const child = spawn("sleep", ["1000"], { stdio: stdioOf(stdio) });
  await new Promise((resolve) => child.once("spawn", resolve));
  try {
    return readlinkSync(`/proc/${child.pid}/fd/${fd}`);
  } catch {
    return "none";
  } finally {
    child.kill("SIGKILL");
  }
}

test("children do not get the terminals of others", async () => {
  const pty = openPty(80, 24);
  const { fd } = pty;
  expect(readlinkSync(`/proc/self/fd/${fd}`)).toMatch(/ptmx$/);
  expect(await linkOf(fd, ["ignore", "ignore", "ignore"])).toBe("/dev/null");
  const closed = new Promise((resolve) => pty.output.once("close", resolve));
  pty.output.destroy();
  expect(pty.fd).toBe(-1);
  await closed;
  expect(stdioOf(["pipe"])).toEqual(["pipe"]);
});
