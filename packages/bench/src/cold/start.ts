// Starts one process, waits for its end, and tells what that took. Knows no stack.
import { spawn } from "node:child_process";

/** What one start took, in milliseconds. */
export interface Start {
  /** From the wish to start until the process was gone. */
  readonly wall: number;
  /** CPU time, as the process itself says before it ends; NaN when it does not. */
  readonly cpu: number;
}

/**
 * Starts a program and waits for its end.
 *
 * @param command The program and its arguments. It may print `{"user", "system"}` in microseconds, as JSON.
 * @throws {Error} when it ends with anything but 0, with what it said, or takes longer than `limitMs`.
 */
export function timeStart(command: readonly string[], cwd: string, limitMs: number): Promise<Start> {
  const [program = "", ...args] = command;
  const begin = performance.now();
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: limitMs });
  let stdout = "";
  let stderr = "";
  let wall = Number.NaN;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", () => {
      wall = performance.now() - begin;
    });
    child.on("close", (code, signal) => {
      if (code !== 0) return reject(new Error(`it ended with ${signal ?? code}: ${stderr.trim()}`));
      const { user, system } = stdout === "" ? { user: Number.NaN, system: 0 } : JSON.parse(stdout);
      resolve({ wall, cpu: (user + system) / 1000 });
    });
  });
}
