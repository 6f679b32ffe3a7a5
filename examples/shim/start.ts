// `start`: makes the server as a process of its own, waits until it listens, and tells containerd where.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ShimArguments } from "./arguments.js";

/** The socket file of a container's shim: the folder and the kind of name that all shims use. */
export function socketPath({ address, namespace, id }: ShimArguments): string {
  const name = createHash("sha256")
    .update(join(address, namespace, id))
    .digest("hex");
  return `/run/containerd/s/${name}`;
}

/**
 * Starts the server and prints its address.
 *
 * @throws {Error} when it ends before it listens.
 */
export async function startServer(shim: ShimArguments, args: readonly string[]): Promise<void> {
  const program = fileURLToPath(new URL("../bin/containerd-shim-guestwire-v1", import.meta.url));
  const log = openLog(join(shim.bundle, "log"));
  const child = spawn(process.execPath, [program, ...args.slice(0, -1), "serve"], {
    cwd: shim.bundle,
    detached: true,
    // Nothing of ours: containerd waits until all that have our output are gone.
    stdio: ["ignore", "pipe", log ?? "ignore"],
  });
  if (log !== undefined) closeSync(log);
  const output = child.stdout as Readable;
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the server ended with ${code} before it listened`);
  });
  await Promise.race([once(output, "data"), ended]);
  ended.catch(() => undefined);
  const address = `unix://${socketPath(shim)}`;
  // A containerd that is started anew finds its shims by these files.
  await writeFile(join(shim.bundle, "address"), address);
  process.stdout.write(address);
  output.destroy();
  child.unref();
}

/** A named pipe that containerd reads. Opened for both ways, so that the shim survives a containerd that is gone. */
function openLog(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
