// runc by its command line. A container and its execs run in the foreground, so that the end of runc is theirs.
import { execFile } from "node:child_process";
import { watch } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, RpcError } from "@guestwire/rpc";
import type { Streams } from "./streams.js";

/** A process that runc runs. */
export interface RuncProcess {
  /** Its number outside of the container. */
  readonly pid: number;
  /** Resolves with the exit code: 128 and the number of the signal where one ended it. */
  readonly exited: Promise<number>;
}

/** runc with the records of one namespace. */
export interface Runc {
  /**
   * Runs a command to its end.
   *
   * @returns What it printed, or what it said on standard error when it failed.
   */
  run(args: readonly string[], input?: string): Promise<{ readonly failed?: string; readonly output: string }>;
  /**
   * Starts a command that is there for as long as the process that it starts: `run` or `exec`.
   *
   * @param options Its flags.
   * @throws {RpcError} Code.Unknown with runc's own text when it cannot start the process.
   */
  start(command: string, options: readonly string[], id: string, streams: Streams): Promise<RuncProcess>;
}

/** Makes it. The records are where containerd's own shim has them. */
export function createRunc(namespace: string): Runc {
  const root = ["--root", join("/run/containerd/runc", namespace)];
  return {
    run: (args, input) =>
      new Promise((resolve) => {
        const child = execFile("runc", [...root, ...args], (error, output, errors) =>
          resolve(error === null ? { output } : { output, failed: errors.trim() || error.message }),
        );
        child.stdin?.on("error", () => undefined).end(input);
      }),

    async start(command, options, id, streams) {
      const folder = await mkdtemp(join(tmpdir(), "shim-"));
      const log = join(folder, "log");
      const pidFile = join(folder, "pid");
      try {
        const logging = ["--log", log, "--log-format", "json"];
        // Watched before anything can happen. The file appears, complete, once the process runs.
        const watcher = watch(folder);
        const exited = streams.launch("runc", [...root, ...logging, command, "--pid-file", pidFile, ...options, id]);
        let pid = 0;
        const appeared = new Promise<void>((resolve) => {
          watcher.on("change", async () => {
            pid ||= await readPid(pidFile);
            if (pid !== 0) resolve();
          });
        });
        await Promise.race([appeared, exited]);
        watcher.close();
        pid ||= await readPid(pidFile);
        if (pid === 0) throw new RpcError(Code.Unknown, await lastError(log, `runc ended with ${await exited}`));
        return { pid, exited };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function readPid(path: string): Promise<number> {
  return Number(await readFile(path, "utf8").catch(() => "0"));
}

async function lastError(log: string, otherwise: string): Promise<string> {
  const lines = (await readFile(log, "utf8").catch(() => "")).trim().split("\n");
  const last = /"msg":("(?:[^"\\]|\\.)*")/.exec(lines.at(-1) ?? "")?.[1];
  return last === undefined ? otherwise : `OCI runtime: ${JSON.parse(last)}`;
}
