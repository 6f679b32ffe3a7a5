// A running machine: its own process, the connection to it, and its end. Knows no record and no service.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { AgentService } from "@guestwire/agent";
import { type Channel, type Client, Code, createClient, RpcError } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { failure, textOf } from "../errors.js";
import { machineAnswerMs, machineBootMs } from "../limits.js";
import { stdioOf } from "../process/inherited.js";
import { killScope, scopeVariable } from "../process/scope.js";
import { settledWithin } from "../wait.js";
import { type MachinePaths, socketName } from "./machine-folder.js";

// The built program, also where this file runs from its source.
const program = fileURLToPath(new URL("../../dist/machine/machine-main.js", import.meta.url));

/** A machine's process. */
export class MachineProcess {
  readonly agent: Client<typeof AgentService>;
  /** Resolves when the process and everything that came from it has ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #channel: Channel;
  readonly #folder: FileHandle;
  #exited = false;

  private constructor(child: ChildProcess, folder: FileHandle, scope: string) {
    this.#child = child;
    this.#folder = folder;
    this.#channel = connect(child.stdio[3] as Duplex);
    this.agent = createClient(AgentService, this.#channel, { timeoutMs: machineAnswerMs });
    this.ended = new Promise((resolve) => child.once("exit", resolve)).then(async () => {
      this.#exited = true;
      await killScope(scope);
      await Promise.all([this.#channel.close(), folder.close()]);
    });
  }

  /**
   * Starts a machine and waits until it answers.
   *
   * @param scope The scope of the machine's processes.
   * @throws {RpcError} Code.Internal when it does not start.
   */
  static async start(name: string, paths: MachinePaths, scope: string): Promise<MachineProcess> {
    const console = await open(paths.console, "w", 0o600);
    const folder = await open(paths.folder);
    let started: MachineProcess;
    try {
      const child = spawn(process.execPath, [program, name, paths.rootfs, scope], {
        cwd: paths.folder,
        env: { PATH: process.env["PATH"], [scopeVariable]: scope },
        // A group of its own, so that a terminal's signals reach the guest alone.
        detached: true,
        stdio: stdioOf(["ignore", console.fd, console.fd, "pipe"]),
      });
      await once(child, "spawn");
      child.on("error", () => {});
      started = new MachineProcess(child, folder, scope);
    } catch (error) {
      await folder.close();
      throw failure(Code.Internal, `machine ${JSON.stringify(name)} did not start: ${textOf(error)}`, error);
    } finally {
      await console.close();
    }
    try {
      await started.agent.ping({}, { timeoutMs: machineBootMs });
      return started;
    } catch (error) {
      await started.stop(0);
      const text = `machine ${JSON.stringify(name)} did not start: ${textOf(error)}; see ${paths.console}`;
      throw failure(Code.Internal, text, error);
    }
  }

  /** Opens a connection for one command; a slow reader of it holds up no other call. */
  open(): Channel {
    // By way of the open folder, as long paths do not fit into a socket's address.
    return connect(() => createConnection(`/proc/self/fd/${this.#folder.fd}/${socketName}`));
  }

  /**
   * Ends the machine: SIGTERM, and SIGKILL for what is left after the grace.
   *
   * @param graceMs 0 kills at once.
   * @param hurry Cuts the grace short.
   */
  async stop(graceMs: number, hurry?: AbortSignal): Promise<void> {
    if (graceMs > 0 && !hurry?.aborted) this.#signal("SIGTERM");
    if (!(await settledWithin(this.ended, graceMs, hurry))) this.#signal("SIGKILL");
    await this.ended;
  }

  /** The error of a call to the machine as its clients should see it. */
  static unreachable(name: string, error: unknown): RpcError {
    const failed = RpcError.from(error);
    // The machine's own answer stays as it is.
    if (failed.reason === undefined) return failed;
    return failure(Code.Unavailable, `machine ${JSON.stringify(name)} does not answer: ${failed.rawMessage}`, error);
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#exited) this.#child.kill(signal);
  }
}
