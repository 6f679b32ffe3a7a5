// How to reach a machine by SSH: through the host's own server, where one answers. Never told without having been seen.
import { userInfo } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SSHInfoResponseSchema } from "@guestwire/machine";
import { readGreeting } from "../agent/probe.js";
import { unsupported } from "../errors.js";

/** Where the host's SSH server is. */
export interface SshOptions {
  /** Default "127.0.0.1". */
  readonly host?: string;
  /** Default 22. */
  readonly port?: number;
}

/**
 * What an SSH client needs to get a shell in a machine's root file system.
 *
 * @throws {RpcError} Code.Unimplemented when no SSH server answers.
 */
export async function sshInfo(
  { host = "127.0.0.1", port = 22 }: SshOptions,
  rootfs: string,
): Promise<MessageInitShape<typeof SSHInfoResponseSchema>> {
  const greeting = await readGreeting(host, port);
  if (!greeting?.startsWith("SSH-")) throw unsupported(`no SSH server answers on ${host}:${port}`);
  const user = userInfo().username;
  const inner = `cd ${quote(rootfs)} && exec "\${SHELL:-/bin/sh}"`;
  return { host, port, user, command: `ssh -t -p ${port} ${quote(`${user}@${host}`)} ${quote(inner)}` };
}

/** A word of a shell's command line. */
function quote(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
