// What is remembered of a sandbox: checked when it is made, kept as JSON, read again after a restart.
import { randomUUID } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import type { CreateSandboxRequest } from "@guestwire/sandbox";
import { invalid, quoted, unsupported } from "../errors.js";
import { checkSharedFolders, type SharedFolder } from "../files/shared-folders.js";
import { checkEnv, checkWorkingDir } from "../process/command-check.js";
import { idBytes, mostMemoryMib, mostVcpus } from "./limits.js";

/** How the commands of a sandbox run, and what was asked for besides. JSON. */
export interface SandboxSetup {
  /** Zero: not said. The memory is a decimal number, as JSON has no large ones. */
  readonly limits: { readonly vcpus: number; readonly memoryMib: string };
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly user: string;
  readonly mounts: readonly SharedFolder[];
  readonly sshPublicKey: string;
}

/** A sandbox. JSON. */
export interface SandboxRecord extends SandboxSetup {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 0 for ever. */
  readonly ttlSeconds: number;
  /** In milliseconds since 1970, as the other times. */
  readonly createdAt: number;
  /** 0 until then, as the next one. */
  readonly readyAt: number;
  readonly lastExitedAt: number;
  readonly lastExitCode: number;
}

/** The id for a new sandbox: the one asked for, or a made one. @throws {RpcError} Code.InvalidArgument. */
export function sandboxId(wanted: string): string {
  if (wanted === "") return randomUUID();
  const wrong = /[/\\\0]/.test(wanted) || wanted === "." || wanted === "..";
  if (wrong)
    throw invalid("id", `${quoted(wanted)} is no sandbox id: it must not have "/", "\\" or NUL, nor be "." or ".."`);
  if (Buffer.byteLength(wanted) > idBytes) throw invalid("id", `is longer than ${idBytes} bytes`);
  return wanted;
}

/**
 * Checks what a new sandbox is to be.
 *
 * @throws {RpcError} Code.InvalidArgument naming the field that is wrong; Code.Unimplemented for what a folder with local
 * processes cannot have: a kernel, an image, read-only mounts, no network.
 */
export async function readSetup(request: CreateSandboxRequest): Promise<SandboxSetup> {
  const { kernel, bootArgs, image, rootfs, limits, network, env, workingDir, user, sshPublicKey = "" } = request;
  if (kernel !== "") throw unsupported("kernel: a sandbox of this guest boots no kernel of its own");
  if (bootArgs !== "") throw unsupported("boot_args: a sandbox of this guest boots no kernel of its own");
  if (image !== "") throw unsupported("image: this guest fetches no images for sandboxes; give a directory as rootfs");
  if (rootfs !== "") await checkRootfs(rootfs);
  const mode = network?.mode ?? "";
  if (mode === "none")
    throw unsupported("network.mode: a guest that is not root cannot keep a sandbox off the network");
  if (mode !== "" && mode !== "tap") throw invalid("network.mode", `${quoted(mode)} is neither "tap" nor "none"`);
  const { vcpus = 0, memoryMib = 0n } = limits ?? {};
  if (vcpus > mostVcpus) throw invalid("limits.vcpus", `${vcpus} is impossible: it must be at most ${mostVcpus}`);
  if (memoryMib > mostMemoryMib) {
    throw invalid("limits.memory_mib", `${memoryMib} is impossible: it must be at most ${mostMemoryMib}`);
  }
  checkEnv(env);
  checkWorkingDir(workingDir);
  if (/[\r\n\0]/.test(sshPublicKey)) throw invalid("ssh_public_key", "must be one line");
  const wanted = request.mounts.map(({ source, target, readonly }) => ({ host: source, inside: target, readonly }));
  const mounts = await checkSharedFolders(wanted, { host: "source", inside: "target" });
  return { limits: { vcpus, memoryMib: String(memoryMib) }, env, workingDir, user, mounts, sshPublicKey };
}

/** Reads a record. @returns `undefined` where there is none that can be read. */
export async function readSandboxRecord(path: string): Promise<SandboxRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as SandboxRecord;
    return typeof record.id === "string" && typeof record.createdAt === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}

async function checkRootfs(path: string): Promise<void> {
  if (!isAbsolute(path) || path.includes("\0")) throw invalid("rootfs", "must be an absolute path");
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw invalid("rootfs", `${quoted(path)} is no directory; this guest opens no images of file systems`);
}
