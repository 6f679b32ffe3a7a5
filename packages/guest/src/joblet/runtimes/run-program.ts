// Runs a program that is to end soon, as a job would run it, and keeps what it prints. Nothing that it started is left.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { constants, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { textOf } from "../../errors.js";
import { removeTree } from "../../files/remove-tree.js";
import { quietMs } from "../../limits.js";
import { settledWithin } from "../../wait.js";
import { programMs, programOutputBytes, programsAtOnce } from "../limits.js";
import { Turns } from "./turns.js";

/** How a program ended. */
export interface ProgramResult {
  /** 128 + number for a signal, -1 when it could not be started or took too long. */
  readonly code: number;
  /** What it printed, to both outputs. */
  readonly output: string;
  /** Why it did not end with 0; empty when it did. */
  readonly problem: string;
}

/** What to run. */
export interface Program {
  /** Absolute path. */
  readonly path: string;
  readonly args: readonly string[];
  /** Folders that are searched for programs before those of the host. */
  readonly folders: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The folders with the host's programs, as jobs get them. */
export function hostPath(): string {
  return process.env["PATH"] || "/usr/local/bin:/usr/bin:/bin";
}

/** Runs programs. */
export class ProgramRunner {
  readonly #scratch: string;
  readonly #limitMs: number;
  readonly #turns = new Turns(programsAtOnce);

  /**
   * @param scratch Where each gets an empty folder of its own as its home.
   * @param limitMs How long each may take. Default {@link programMs}.
   */
  constructor(scratch: string, limitMs: number = programMs) {
    this.#scratch = scratch;
    this.#limitMs = limitMs;
  }

  /** @throws the signal's reason, as soon as it fires; the program has ended then. */
  run(program: Program, signal: AbortSignal): Promise<ProgramResult> {
    return this.#turns.run(signal, async () => {
      const home = await mkdtemp(join(this.#scratch, "trial-"));
      try {
        return await this.#run(program, home, signal);
      } finally {
        await removeTree(home);
      }
    });
  }

  async #run({ path, args, folders, environment }: Program, home: string, signal: AbortSignal): Promise<ProgramResult> {
    const PATH = [...folders, hostPath()].join(delimiter);
    const env = { HOME: home, USER: userInfo().username, ...environment, PATH, PWD: home };
    // A group of its own, so that what it starts can be ended with it.
    const child = spawn(path, args, { cwd: home, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    let room = programOutputBytes;
    const keep = (chunk: Buffer): void => {
      if (room > 0) chunks.push(chunk.subarray(0, room));
      room -= chunk.length;
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const closed = once(child, "close").catch(() => {});
    let failed: unknown;
    const ended = once(child, "exit").catch((error: unknown) => {
      failed = error;
    });
    const inTime = await settledWithin(ended, this.#limitMs, signal);
    killGroup(child);
    await ended;
    // What left the group may hold the outputs open for as long as it likes.
    await settledWithin(closed, quietMs);
    child.stdout.destroy();
    child.stderr.destroy();
    signal.throwIfAborted();
    const output = Buffer.concat(chunks).toString();
    if (failed !== undefined) return { code: -1, output, problem: `${path} cannot be started: ${textOf(failed)}` };
    if (!inTime) return { code: -1, output, problem: `${path} did not end within ${this.#limitMs} ms` };
    const code = child.exitCode ?? 128 + constants.signals[child.signalCode ?? "SIGKILL"];
    const how = child.exitCode === null ? `was ended by ${child.signalCode}` : `failed with exit code ${code}`;
    const [line = ""] = output.trim().split("\n", 1);
    return { code, output, problem: code === 0 ? "" : `${path} ${how}${line === "" ? "" : `: ${line}`}` };
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}
