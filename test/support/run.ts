// Runs programs for tests: waits for their end, or for a line that they print. Every child is ended by its pid.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

/** What a program that has ended left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. A code other than 0 is a failure that shows all output, unless `anyCode` is set. */
export async function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { readonly anyCode?: boolean } = {},
): Promise<Finished> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const output = collect(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status));
  });
  const finished = { code, ...output() };
  if (code !== 0 && options.anyCode !== true) {
    throw new Error(`${command} ${args.join(" ")} ended with ${code}\n${finished.stdout}\n${finished.stderr}`);
  }
  return finished;
}

/** A program that goes on. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: () => string;
  /** Resolves with the first whole line of standard output that fits; rejects when the program ends before. */
  line(pattern: RegExp): Promise<string>;
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<Finished>;
}

/** Starts a program and leaves it running. */
export function start(command: string, args: readonly string[], options: SpawnOptions = {}): Running {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const output = collect(child);
  const ended = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...output() }));
  });
  const stop = async (): Promise<Finished> => {
    child.kill("SIGTERM");
    return ended;
  };
  return {
    pid: child.pid ?? -1,
    stdout: () => output().stdout,
    stop,
    line(pattern) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = output()
            .stdout.split("\n")
            .slice(0, -1)
            .find((line) => pattern.test(line));
          if (found !== undefined) resolve(found);
        };
        child.stdout?.on("data", look);
        look();
        ended.then(
          (end) =>
            reject(new Error(`no line like ${pattern} before the end (${end.code})\n${end.stdout}\n${end.stderr}`)),
          reject,
        );
      });
    },
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return () => ({ stdout, stderr });
}
