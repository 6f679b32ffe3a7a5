// A program of another language as a peer of a test: started, waited for, ended. Knows none of them.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

/** A server that runs beside the test. Disposing it ends it and waits for its end. */
export interface ServerProgram extends AsyncDisposable {
  /** The first line that it printed: where it listens. */
  readonly address: string;
}

/**
 * Starts a server that prints its address and ends when its standard input does.
 *
 * @throws {Error} with what it wrote on standard error, when it ends before it printed anything.
 */
export async function startServer(path: string, args: readonly string[]): Promise<ServerProgram> {
  const child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"] });
  const exited = once(child, "exit");
  const errors = text(child.stderr);
  const lines = createInterface({ input: child.stdout });
  const [address] = await Promise.race([once(lines, "line") as Promise<[string]>, exited.then(() => [undefined])]);
  if (address === undefined) throw new Error(`${path} ended at once: ${(await errors).trim()}`);
  return {
    address,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}

/**
 * Runs a client to its end.
 *
 * @returns What it wrote on standard output.
 * @throws {Error} with what it wrote on standard error, when it fails or takes more than `timeoutMs`.
 */
export function runClient(path: string, args: readonly string[], timeoutMs = 60_000): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(path, args, { timeout: timeoutMs }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${path} ${args.join(" ")} failed: ${stderr.trim().split("\n").slice(-5).join("\n")}`));
    });
  });
}
