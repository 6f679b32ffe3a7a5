// Runs the guest's own program as a process of its own, in a folder that is gone afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makeImageLayout } from "./image-layout.js";

const program = fileURLToPath(new URL("../../bin/guestwire-guest.js", import.meta.url));

/** A guest that runs. */
export interface GuestProcess {
  readonly pid: number;
  /** Where it serves ttrpc. */
  readonly address: string;
  /** Where it serves gRPC. */
  readonly grpcAddress: string;
  /** Sends SIGTERM, waits for the end and removes the folder; gives the exit code, null when a signal killed it. */
  stop(): Promise<number | null>;
}

/** Starts a guest and waits until it is ready. @throws when it ends before, with what it printed. */
export async function startGuest(): Promise<GuestProcess> {
  // The path of a socket has room for 107 bytes, and some folders for temporary files are deeper than that.
  const base = Buffer.byteLength(tmpdir()) <= 75 ? tmpdir() : "/tmp";
  const folder = await mkdtemp(join(base, "guestwire-demo-"));
  const address = `unix://${join(folder, "guest.sock")}`;
  const grpcAddress = `unix://${join(folder, "grpc.sock")}`;
  const images = join(folder, "images");
  const listen = ["--listen", address, "--grpc", grpcAddress];
  const args = [program, ...listen, "--image-layout", images, "--state-dir", join(folder, "state")];
  await makeImageLayout(images);
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  // Whatever ends this process: the guest goes too.
  process.once("exit", () => child.kill("SIGTERM"));
  const stop = async (): Promise<number | null> => {
    const running = child.exitCode === null && child.signalCode === null;
    const ended = running ? once(child, "exit") : undefined;
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
    return child.exitCode;
  };
  try {
    await ready(child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid as number, address, grpcAddress, stop };
}

async function ready(child: ChildProcess): Promise<void> {
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  // The guest prints one line per address once it can be called there; gRPC comes last.
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (line.includes("(gRPC)")) return void child.stdout?.resume();
  }
  throw new Error(`the guest did not start: ${errors.trim()}`);
}
