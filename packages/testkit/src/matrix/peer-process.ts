// A peer's server as a process: told what to do by lines on its standard input, tells what happens by lines on its output.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

/** A running process. Disposing it ends it and waits for its end. */
export interface PeerProcess extends AsyncDisposable {
  /** Settles with its end: the exit code, and what it wrote on standard error. */
  readonly exited: Promise<{ readonly code: number | null; readonly errors: string }>;
  /** Sends it a signal. */
  kill(signal: NodeJS.Signals): void;
  /** Writes a line to it. */
  tell(line: string): void;
  /**
   * Waits until it has printed this line once more than was waited for already.
   *
   * @throws {Error} with what it wrote on standard error, when it ends before.
   */
  said(line: string): Promise<void>;
}

/** Starts a program. */
export function startPeer(path: string, args: readonly string[]): PeerProcess {
  const child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"] });
  const errors = text(child.stderr);
  const exited = once(child, "close").then(async ([code]) => ({ code: code as number | null, errors: await errors }));
  // A process that has crashed takes no more lines; its end tells that better.
  child.stdin.on("error", () => {});
  const heard: string[] = [];
  const waiting: { line: string; resolve: () => void }[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const at = waiting.findIndex((waiter) => waiter.line === line);
    if (at < 0) heard.push(line);
    else waiting.splice(at, 1)[0]?.resolve();
  });
  return {
    exited,
    kill: (signal) => void child.kill(signal),
    tell: (line) => void child.stdin.write(`${line}\n`),
    async said(line) {
      const at = heard.indexOf(line);
      if (at >= 0) {
        heard.splice(at, 1);
        return;
      }
      const heardNow = new Promise<void>((resolve) => waiting.push({ line, resolve }));
      const ended = exited.then(({ code, errors: wrote }) => {
        throw new Error(`${path} ended with ${code} before it said "${line}": ${wrote.trim().slice(0, 2000)}`);
      });
      await Promise.race([heardNow, ended]);
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}
