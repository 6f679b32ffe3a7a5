// The shim's three commands: start it, clean up after it, and, which only `start` asks for, be it.
import { readArguments } from "./arguments.js";

/** Runs the program. @returns Its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    // Each loads what it needs: containerd waits for `start` before it does anything else.
    const shim = readArguments(args);
    switch (shim.command) {
      case "start":
        await (await import("./start.js")).startServer(shim, args);
        return 0;
      case "delete":
        await (await import("./clean-up.js")).cleanUp(shim);
        return 0;
      case "serve":
        await (await import("./serve.js")).serveTasks(shim);
        return 0;
      default:
        throw new Error(`${JSON.stringify(shim.command)} is no command; there are start and delete`);
    }
  } catch (error) {
    // containerd puts this into the error that its own client gets.
    console.error(`containerd-shim-guestwire-v1: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}
