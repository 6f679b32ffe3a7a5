// Sandbox services of a test's own: on a real unix socket, in a folder that is gone at the end together with every process.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@guestwire/grpc";
import { type Channel, type Client, createClient } from "@guestwire/rpc";
import {
  type CreateSandboxRequestSchema,
  type SandboxEvent,
  SandboxService,
  SandboxSnapshotService,
} from "@guestwire/sandbox";
import * as ttrpc from "@guestwire/ttrpc";
import { createClock } from "../clock.js";
import { processesOf } from "../process/scope.js";
import { openStateFolder } from "../state/state-folder.js";
import { createSandboxServices, type SandboxServices } from "./sandbox-services.js";

/** Open services, and ways to them. */
export interface TestSandboxes extends AsyncDisposable {
  readonly channel: Channel;
  readonly sandboxes: Client<typeof SandboxService>;
  readonly snapshots: Client<typeof SandboxSnapshotService>;
  readonly services: SandboxServices;
  /** The state folder. */
  readonly path: string;
  rootfs(id: string): string;
  /** Makes a sandbox and waits until it has started, or failed. @returns Its id. */
  ready(request?: MessageInitShape<typeof CreateSandboxRequestSchema>): Promise<string>;
  /** Ids of the processes in all sandboxes. */
  processes(): number[];
  /** Closes the services and opens others on the same folder. */
  reopen(): Promise<TestSandboxes>;
}

/** What calls are carried by. */
export type Wire = "ttrpc" | "grpc";

/** Opens them. */
export async function testSandboxes(wire: Wire = "ttrpc", folder?: string): Promise<TestSandboxes> {
  const { connect, serve } = wire === "grpc" ? grpc : ttrpc;
  const parent = folder ?? (await mkdtemp(join(tmpdir(), "gw-sandbox-")));
  const state = await openStateFolder(join(parent, "state"));
  const services = await createSandboxServices({ folder: state, clock: createClock() });
  const server = serve();
  services.register(server);
  const address = await server.listen(`unix://${join(parent, "sandbox.sock")}`);
  const channel = connect(address);
  const sandboxes = createClient(SandboxService, channel);
  let over = false;
  const end = async (): Promise<void> => {
    if (over) return;
    over = true;
    await services.close(0);
    await channel.close();
    await server.close({ graceMs: 0 });
    const left = [processesOf(state.token), await readdir(state.scratch)];
    state.release();
    if (left.flat().length > 0) throw new Error(`left behind: ${left.flat()}`);
  };
  return {
    channel,
    sandboxes,
    snapshots: createClient(SandboxSnapshotService, channel),
    services,
    path: state.path,
    rootfs: (id) => join(state.path, "sandbox/sandboxes", id, "rootfs"),
    async ready(request = {}) {
      const { id } = await sandboxes.create(request);
      while ((await sandboxes.inspect({ id })).state === "starting");
      return id;
    },
    processes: () => processesOf(state.token),
    async reopen() {
      await end();
      return testSandboxes(wire, parent);
    },
    async [Symbol.asyncDispose]() {
      await end();
      await rm(parent, { recursive: true, force: true });
    },
  };
}

/** A message of a command's output. */
interface Output {
  readonly stream: string;
  readonly data: Uint8Array;
  readonly exitCode: number;
  readonly done: boolean;
}

/** Everything of a command. The last message, and no other, is the end. */
export async function readAll(
  output: AsyncIterable<Output>,
): Promise<{ stdout: string; stderr: string; code?: number }> {
  const text: Record<string, string> = { stdout: "", stderr: "" };
  let code: number | undefined;
  for await (const { stream, data, exitCode, done } of output) {
    if (code !== undefined) throw new Error("something came after the end");
    if (done !== (stream === "exit") || (done && data.length > 0)) throw new Error(`a wrong end: ${stream} ${done}`);
    if (done) code = exitCode;
    else text[stream] += Buffer.from(data).toString();
  }
  const { stdout = "", stderr = "" } = text;
  return code === undefined ? { stdout, stderr } : { stdout, stderr, code };
}

/** Reads messages until their text contains this. @returns All text so far. */
export async function readUntil(output: AsyncIterator<Output>, wanted: string | RegExp): Promise<string> {
  let text = "";
  while (typeof wanted === "string" ? !text.includes(wanted) : !wanted.test(text)) {
    const { done, value } = await output.next();
    if (done) throw new Error(`the stream ended before ${wanted}: ${JSON.stringify(text)}`);
    text += Buffer.from((value as Output).data).toString();
  }
  return text;
}

/** Subscribes, and is sure of it: everything that happens from now on comes. */
export async function subscribed(
  sandboxes: Client<typeof SandboxService>,
  filter: { id?: string; action?: string } = {},
): Promise<AsyncIterator<SandboxEvent>> {
  const events = sandboxes.events(filter)[Symbol.asyncIterator]();
  const first = events.next();
  first.catch(() => {});
  // One connection: the server has the subscription before it answers this.
  await sandboxes.list({});
  let used = false;
  return {
    next: () => {
      if (used) return events.next();
      used = true;
      return first;
    },
    return: () => (events.return as () => Promise<IteratorResult<SandboxEvent>>)(),
  };
}

/** The next events. */
export async function take(events: AsyncIterator<SandboxEvent>, count: number): Promise<SandboxEvent[]> {
  const taken: SandboxEvent[] = [];
  while (taken.length < count) taken.push((await events.next()).value as SandboxEvent);
  return taken;
}
