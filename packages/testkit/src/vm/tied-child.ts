// A program that cannot outlive this one: the kernel kills it when this process is gone, however that went. Knows no program.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";

/** A running program. Disposing it kills it and waits for its end. */
export interface TiedChild extends AsyncDisposable {
  readonly process: ChildProcess;
  /** Resolves once it has ended, with a sentence of how. */
  readonly ended: Promise<string>;
}

/**
 * Starts a program that the kernel kills when this process ends.
 *
 * @throws {Error} when it cannot be started.
 */
export async function startTied(program: string, args: readonly string[], options: SpawnOptions): Promise<TiedChild> {
  // setpriv becomes the program itself, so that the child's pid is the program's.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], options);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal === null ? `ended with ${code}` : `ended by ${signal}`));
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
  });
  await once(child, "spawn");
  return {
    process: child,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
