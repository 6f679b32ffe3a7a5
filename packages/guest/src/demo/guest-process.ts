// Runs the guest's own program as a process of its own, in a folder that is gone afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { hybridProxy, unixPorts } from "@guestwire/vsock";
import { makeImageLayout } from "./image-layout.js";
import { guestPorts } from "./vm-steps.js";

const program = fileURLToPath(new URL("../../bin/guestwire-guest.js", import.meta.url));

/** A guest that runs. */
export interface GuestProcess {
  readonly pid: number;
  /** Where it serves ttrpc. */
  readonly address: string;
  /** Where it serves gRPC. */
  readonly grpcAddress: string;
  /** The unix socket of a monitor, through which the guest is reached as a virtual machine is. */
  readonly monitor: string;
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
  const streams = join(folder, "streams.sock");
  const arcbox = join(folder, "arcbox.sock");
  const others = ["--streams", `unix://${streams}`, "--arcbox", `unix://${arcbox}`];
  const listen = ["--listen", address, ...others, "--grpc", grpcAddress];
  const args = [program, ...listen, "--image-layout", images, "--state-dir", join(folder, "state")];
  await makeImageLayout(images);
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  // Whatever ends this process: the guest goes too.
  process.once("exit", () => child.kill("SIGTERM"));
  // A guest that is a process has no monitor: this one plays it, and a host could not tell.
  const monitor = await hybridProxy({
    path: join(folder, "vm.sock"),
    connect: unixPorts({
      [guestPorts.ttrpc]: join(folder, "guest.sock"),
      [guestPorts.streams]: streams,
      [guestPorts.arcbox]: arcbox,
      [guestPorts.grpc]: join(folder, "grpc.sock"),
    }),
  });
  const stop = async (): Promise<number | null> => {
    const running = child.exitCode === null && child.signalCode === null;
    const ended = running ? once(child, "exit") : undefined;
    child.kill("SIGTERM");
    await ended;
    await monitor.close();
    await rm(folder, { recursive: true, force: true });
    return child.exitCode;
  };
  try {
    await ready(child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid as number, address, grpcAddress, monitor: monitor.path, stop };
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
