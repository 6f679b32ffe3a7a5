// Starts one end of a stack as a process of its own and talks to it. Measures nothing.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BenchCase } from "./cases.js";
import type { PeerAnswer, PeerReport, PeerRequest } from "./peer.js";

const script = fileURLToPath(new URL("./peer.js", import.meta.url));

/** Both ends of a stack. */
export interface Ends {
  readonly client: PeerProcess;
  readonly server: PeerProcess;
}

/** A peer's process. */
export class PeerProcess {
  readonly #child: ChildProcess;
  readonly #name: string;

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
  }

  /**
   * Starts a peer in Node. Resolves when it has loaded its stack.
   *
   * @param prefix Words in front of the command line, which bind it to a core.
   * @param nodeArgs Options for Node.
   */
  static start(
    stack: string,
    { name }: BenchCase,
    prefix: readonly string[],
    nodeArgs: readonly string[],
    limitMs: number,
  ): Promise<PeerProcess> {
    const [command = "", ...args] = [...prefix, process.execPath, ...nodeArgs, script, stack, name];
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    return PeerProcess.#ready(child, `${stack} in ${name}`, limitMs);
  }

  /** Starts a peer that is a program of its own. It is given the case as JSON, and then asked and answers by lines of JSON. */
  static startProgram(
    path: string,
    bench: BenchCase,
    prefix: readonly string[],
    limitMs: number,
  ): Promise<PeerProcess> {
    const [command = "", ...args] = [...prefix, path, JSON.stringify(bench)];
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    // Heard as if it had come over the channel that only Node has.
    createInterface({ input: child.stdout }).on("line", (line) => child.emit("message", JSON.parse(line)));
    return PeerProcess.#ready(child, `${basename(path)} in ${bench.name}`, limitMs);
  }

  static async #ready(child: ChildProcess, name: string, limitMs: number): Promise<PeerProcess> {
    const peer = new PeerProcess(child, name);
    await peer.#answer(limitMs);
    return peer;
  }

  /** Whether it is a program of its own, which knows nothing of Node's inside. */
  get foreign(): boolean {
    return this.#child.stdin !== null;
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid as number;
  }

  /** Has it do something. @throws {Error} what it fails with, or when it ends or takes longer than `limitMs`. */
  async ask(request: PeerRequest, limitMs: number): Promise<PeerReport> {
    const answer = this.#answer(limitMs);
    if (this.#child.stdin === null) this.#child.send(request);
    else this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer;
  }

  /** Ends it. Resolves when it is gone. @param limitMs How long it may take to end by itself. */
  async stop(limitMs: number): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    child.stdin?.end();
    if (child.connected) child.disconnect();
    await gone;
    clearTimeout(timer);
  }

  #answer(limitMs: number): Promise<PeerReport> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const finish = (error: string | undefined, report: PeerReport = {}): void => {
        clearTimeout(timer);
        child.off("message", onMessage).off("exit", onExit).off("error", onError);
        if (error === undefined) resolve(report);
        else {
          child.kill("SIGKILL");
          reject(new Error(`${this.#name}: ${error}`));
        }
      };
      const onMessage = (answer: unknown): void => {
        const { ok, ...rest } = answer as PeerAnswer;
        finish(ok ? undefined : (rest as { error: string }).error, rest as PeerReport);
      };
      const onExit = (code: number | null, signal: string | null): void => finish(`it ended with ${signal ?? code}`);
      const onError = (error: Error): void => finish(error.message);
      const timer = setTimeout(() => finish(`no answer within ${limitMs} ms`), limitMs);
      child.on("message", onMessage).on("exit", onExit).on("error", onError);
    });
  }
}
