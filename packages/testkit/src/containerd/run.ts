// A program run to its end.
import { execFile } from "node:child_process";

/** How to run a program. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What its standard input has. Default nothing. */
  readonly input?: string | Uint8Array;
}

/** What a program printed, and the code that it ended with. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whichever that is. Its standard input ends: shims read theirs to the end before they do anything. */
export function runToEnd(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { input = "", ...rest } = options;
  return new Promise((resolve) => {
    const child = execFile(program, args, { ...rest, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr: stderr === "" && code < 0 ? (error?.message ?? "") : stderr });
    });
    // A program that ends without reading is no fault.
    child.stdin?.on("error", () => undefined).end(input);
  });
}

/**
 * Runs a program that has to succeed.
 *
 * @returns What it printed.
 * @throws {Error} with what it wrote on standard error.
 */
export async function run(program: string, args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}
