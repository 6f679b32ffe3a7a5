// Boots a VM whose root is the host's, read-only, and runs one command in it. The VM ends with its command, with its limit of
// time, and with this process.
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { tempFolder } from "../temp-folder.js";
import { createConsoleReader } from "./console-reader.js";
import { type CommandOptions, commandScript, keptPaths } from "./init-script.js";
import { packInitramfs } from "./initramfs.js";
import { repositoryRoot, type VmParts } from "./parts.js";
import { qemuArguments } from "./qemu-arguments.js";
import { startTied } from "./tied-child.js";

/** What is to be booted. */
export interface BootOptions extends Omit<CommandOptions, "env" | "cwd"> {
  /** Kernel modules to load; their needs come by themselves. */
  readonly modules: readonly string[];
  /** Default: 1500. */
  readonly memoryMiB?: number;
  /** Further arguments of QEMU. Default: none. */
  readonly devices?: readonly string[];
  /** Whether another process maps the memory, as vhost-user devices need. Default: no. */
  readonly sharedMemory?: boolean;
  /** Added to `PATH`, `HOME` and `TMPDIR`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the repository. */
  readonly cwd?: string;
  /** Paths under `/tmp` or `/run` of the host that the command needs. The repository is always in sight. */
  readonly keep?: readonly string[];
  /** Takes the command's output, line by line. */
  readonly onLine: (line: string) => void;
  /** After this time the VM is killed, whatever it does. Default: ten minutes. */
  readonly limitMs?: number;
  /** Gives the command this process's terminal. Default: no. */
  readonly terminal?: boolean;
}

/** How long it took until the command started. */
export interface BootTime {
  /** From the start of QEMU, in milliseconds. */
  readonly bootMs: number;
  /** By the VM's own clock, in seconds. */
  readonly uptime: number;
}

/** A running VM. Disposing it kills it. */
export interface Vm extends AsyncDisposable {
  /** QEMU's process. */
  readonly pid: number;
  /** Resolves when the command starts, with the time that took. Rejects when it does not come to that. */
  readonly ready: Promise<BootTime>;
  /** Resolves with the command's status. Rejects, with the end of all output, when the VM ended without telling it. */
  readonly exitStatus: Promise<number>;
  /**
   * Freezes QEMU; the VM answers nothing any more. QEMU's own `stop` is not that: it also takes a vhost-user device out of
   * use, and what a daemon has for the guest in that time is lost.
   */
  pause(): void;
  /** Lets it go on. */
  resume(): void;
  /** Ends QEMU as a crash would, and waits for that. */
  kill(): Promise<void>;
}

const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/tmp",
  TMPDIR: "/tmp",
};

/** Boots a VM. */
export async function bootVm(parts: VmParts, options: BootOptions): Promise<Vm> {
  const initramfs = await packInitramfs(parts, options.modules);
  const folder = await tempFolder();
  const sweep = (): void => rmSync(folder.path, { recursive: true, force: true });
  process.once("exit", sweep);
  const run = folder.file("vm");
  await mkdir(run);
  const { command, cwd = repositoryRoot } = options;
  await writeFile(join(run, "command.sh"), commandScript({ command, cwd, env: { ...environment, ...options.env } }));
  const kept = keptPaths([repositoryRoot, ...(options.keep ?? [])]);
  await writeFile(join(run, "keep"), kept.map((path) => `${path}\n`).join(""));

  const token = `gw-${randomBytes(8).toString("hex")}`;
  const consoleLog = folder.file("console");
  const args = qemuArguments({
    ...{ kernel: parts.kernel, initramfs, token, run, consoleLog },
    memoryMiB: options.memoryMiB ?? 1500,
    devices: options.devices ?? [],
    sharedMemory: options.sharedMemory ?? false,
    terminal: options.terminal ?? false,
  });
  const began = performance.now();
  const qemu = await startTied(parts.qemu, args, {
    stdio: [options.terminal === true ? "inherit" : "ignore", "pipe", "pipe"],
  });

  const ready = Promise.withResolvers<BootTime>();
  const exit = Promise.withResolvers<number>();
  // Who does not ask must not be ended by them.
  ready.promise.catch(() => {});
  exit.promise.catch(() => {});
  const tail: string[] = [];
  const note = (line: string): void => {
    tail.push(line);
    if (tail.length > 40) tail.shift();
  };
  let reason: string | undefined;
  const reader = createConsoleReader(token, {
    line(text) {
      note(text);
      options.onLine(text);
    },
    ready: (uptime) => ready.resolve({ bootMs: performance.now() - began, uptime }),
    exit(status) {
      exit.resolve(status);
      qemu.process.kill("SIGKILL");
    },
    failed(what) {
      reason = `its init failed: ${what}`;
    },
  });
  const stdout = new StringDecoder();
  const stderr = new StringDecoder();
  qemu.process.stdout?.on("data", (chunk: Buffer) => {
    // A terminal shows what is typed before its line is complete.
    if (options.terminal === true) process.stdout.write(chunk);
    reader.push(stdout.write(chunk));
  });
  qemu.process.stderr?.on("data", (chunk: Buffer) => note(`qemu: ${stderr.write(chunk).trimEnd()}`));
  const limitMs = options.limitMs ?? 600_000;
  const limit = setTimeout(() => {
    reason = `it was killed, as it took more than ${limitMs / 1000} s`;
    qemu.process.kill("SIGKILL");
  }, limitMs);

  const closed = new Promise<void>((resolve) => qemu.process.once("close", () => resolve()));
  const over = Promise.all([qemu.ended, closed]).then(async ([how]) => {
    clearTimeout(limit);
    const kernel = (await readFile(consoleLog, "utf8").catch(() => "")).split("\n").slice(-20);
    const said = [...kernel, ...tail].map((line) => `  | ${line}`).join("\n");
    const error = new Error(`the VM ended without a status: ${reason ?? `QEMU ${how}`}\n${said}`);
    ready.reject(error);
    exit.reject(error);
    await folder[Symbol.asyncDispose]();
    process.off("exit", sweep);
  });
  const kill = async (): Promise<void> => {
    reason ??= "it was killed";
    qemu.process.kill("SIGKILL");
    await over;
  };
  return {
    pid: qemu.process.pid!,
    ready: ready.promise,
    exitStatus: exit.promise,
    pause: () => void qemu.process.kill("SIGSTOP"),
    resume: () => void qemu.process.kill("SIGCONT"),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
