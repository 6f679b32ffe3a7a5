// A guest as a process of its own, which may be killed, ended in order and started again at the same address.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const home = dirname(fileURLToPath(import.meta.resolve("@guestwire/guest/package.json")));
const program = join(home, "bin", "guestwire-guest.js");

/** A guest that can be started any number of times. */
export interface GuestProcess {
  readonly name: string;
  /** Where it serves gRPC. */
  readonly address: string;
  /** Its process; `undefined` while it does not run. */
  readonly pid: number | undefined;
  /** Starts it and waits until it can be called. @throws when it ends before that, with what it printed. */
  start(): Promise<void>;
  /** Sends a signal, if it runs, and waits for its end. @returns The exit code; null when the signal killed it. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null>;
}

/** Prepares a guest that keeps everything in one folder. */
export function guestIn(folder: string, name: string): GuestProcess {
  const address = `unix://${join(folder, `${name}.sock`)}`;
  const args = [program, "--grpc", address, "--state-dir", join(folder, name)];
  let child: ChildProcess | undefined;
  const running = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  // Whatever ends this process: the guest goes as well.
  process.once("exit", () => child?.kill("SIGTERM"));
  return {
    name,
    address,
    get pid() {
      return running() ? child?.pid : undefined;
    },
    async start() {
      child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
      await listening(child);
    },
    async end(signal) {
      const ended = running() ? once(child as ChildProcess, "exit") : undefined;
      child?.kill(signal);
      await ended;
      return child?.exitCode ?? null;
    },
  };
}

/** The guest prints a line for its address once it can be called. */
async function listening(child: ChildProcess): Promise<void> {
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (line.startsWith("listening on unix://")) return void child.stdout?.resume();
  }
  throw new Error(`the guest did not start: ${errors.trim()}`);
}
