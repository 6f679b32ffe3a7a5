// A guest of a test's own: in this process, with real frames between it and its clients, in a folder that is gone at the
// end together with every process that the guest started.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { Bundle } from "@guestwire/bundle/vminitd";
import { type Channel, type Client, createClient, RpcError } from "@guestwire/rpc";
import { connectInProcess, serve } from "@guestwire/ttrpc";
import { Task } from "@guestwire/types/task/v3";
import { createGuest, type Guest, type GuestOptions } from "./guest.js";
import { processesOf } from "./process/scope.js";
import { tokenOf } from "./state/state-folder.js";

/** An open guest, and ways to it. */
export interface TestGuest extends AsyncDisposable {
  readonly guest: Guest;
  readonly channel: Channel;
  /** Opens another connection. */
  open(): Channel;
  client<S extends DescService>(service: S): Client<S>;
  /** Makes a bundle of a command and a container of it. */
  container(id: string, args: readonly string[], more?: object): Promise<void>;
}

/** Opens one. @param options As of `createGuest()`; the state folder is a fresh one where none is given. */
export async function testGuest(options: GuestOptions = {}): Promise<TestGuest> {
  const folder = await mkdtemp(join(tmpdir(), "gw-guest-"));
  const guest = await createGuest({ stateDir: join(folder, "state"), ...options });
  const server = serve();
  guest.register(server);
  const channel = connectInProcess(server);
  return {
    guest,
    channel,
    open: () => connectInProcess(server),
    client: (service) => createClient(service, channel),
    async container(id, args, more) {
      const files = { "config.json": ociConfig(args, more) };
      const { bundle } = await createClient(Bundle, channel).create({ id, files });
      await createClient(Task, channel).create({ id, bundle });
    },
    async [Symbol.asyncDispose]() {
      await guest.close({ graceMs: 0 });
      await channel.close();
      await server.close();
      const left = processesOf(tokenOf(guest.stateDir));
      await rm(folder, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`the guest left processes behind: ${left}`);
    },
  };
}

/** A config.json that runs a command. */
export function ociConfig(args: readonly string[], more: object = {}): Uint8Array {
  return Buffer.from(JSON.stringify({ ociVersion: "1.2.0", process: ociProcess(args), ...more }));
}

/** The OCI form of a process. */
export function ociProcess(args: readonly string[]): object {
  return { args, env: ["PATH=/usr/local/bin:/usr/bin:/bin"], cwd: "/", user: { uid: 0, gid: 0 } };
}

/** The spec of Exec. */
export function execSpec(args: readonly string[]): { typeUrl: string; value: Uint8Array } {
  const typeUrl = "types.containerd.io/opencontainers/runtime-spec/1/Process";
  return { typeUrl, value: Buffer.from(JSON.stringify(ociProcess(args))) };
}

/** What a call fails with. @throws when it does not fail. */
export async function errorOf(call: Promise<unknown> | AsyncIterator<unknown>): Promise<RpcError> {
  let result: unknown;
  try {
    result = await ("next" in call ? call.next() : call);
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error(`the call succeeded with ${JSON.stringify(result, (_, value) => String(value))}`);
}

/** All text of a stream of output. */
export async function textOfAll(chunks: AsyncIterable<{ data: Uint8Array }>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const { data } of chunks) parts.push(data);
  return Buffer.concat(parts).toString();
}

/** Whether a process runs; one that has ended and waits to be taken note of by the system's init does not. */
export function alive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
