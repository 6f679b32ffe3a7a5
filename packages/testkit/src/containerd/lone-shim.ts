// containerd's shim for runc without containerd: one container's bundle, the shim started for it, and our own server as the
// one that takes its events. The calls are the test's.
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Channel } from "@guestwire/rpc";
import { connect, serve } from "@guestwire/ttrpc";
import type { Envelope } from "@guestwire/types";
import { Events } from "@guestwire/types/events-ttrpc";
import { type TempFolder, tempFolder } from "../temp-folder.js";
import { makeFifo } from "./fifo.js";
import { writeRootfs } from "./image.js";
import { endContainers, killByArgument, removeLeftovers, testNamespace } from "./leftovers.js";
import { type ContainerPrograms, shimAddress } from "./programs.js";
import { run, runToEnd } from "./run.js";

/** An event that the shim has forwarded, and how. */
export interface ForwardedEvent {
  readonly envelope: Envelope;
  /** The metadata that came with the call. */
  readonly namespace: string | undefined;
  /** How long the shim was willing to wait for the answer. */
  readonly timeoutMs: number;
}

/** A shim that serves one container. Disposing it ends the container, the shim and the server. */
export interface LoneShim extends AsyncDisposable {
  /** Where the shim listens. */
  readonly address: string;
  /** A channel to it. */
  readonly channel: Channel;
  readonly folder: TempFolder;
  readonly bundle: string;
  readonly namespace: string;
  readonly id: string;
  /** What the shim has forwarded so far. */
  readonly events: readonly ForwardedEvent[];
  /** Waits for an event of this topic. */
  event(topic: string): Promise<ForwardedEvent>;
}

/**
 * Starts a shim for a container that runs `args`.
 *
 * @param options.terminal Whether the container gets a terminal.
 */
export async function startLoneShim(
  programs: ContainerPrograms,
  args: readonly string[],
  options: { readonly terminal?: boolean } = {},
): Promise<LoneShim> {
  const id = "c1";
  const namespace = testNamespace();
  const folder = await tempFolder();
  const bundle = folder.file("bundle");
  await writeBundle(bundle, programs, args, `/${namespace}/${id}`, options.terminal ?? false);

  const events: ForwardedEvent[] = [];
  const waiting = new Set<() => void>();
  const server = serve().service(Events, {
    forward({ envelope }, context) {
      if (envelope === undefined) throw new Error("an event without envelope");
      const namespace = context.metadata.get("containerd-namespace-ttrpc");
      events.push({ envelope, namespace, timeoutMs: context.timeRemainingMs() });
      for (const look of waiting) look();
      return {};
    },
  });
  await server.listen(`unix://${folder.file("events.sock")}`);

  // The shim writes its log there, and waits for a reader.
  await makeFifo(join(bundle, "log"));
  const log = openSync(join(bundle, "log"), constants.O_RDWR | constants.O_NONBLOCK);
  const env = { ...process.env, TTRPC_ADDRESS: folder.file("events.sock"), NAMESPACE: namespace };
  const own = ["-namespace", namespace, "-id", id, "-address", folder.file("none.sock")];
  const address = shimAddress(await run(programs.shim, [...own, "start"], { cwd: bundle, env }));
  const channel = connect(address, { timeoutMs: 30_000 });
  return {
    address,
    channel,
    folder,
    bundle,
    namespace,
    id,
    events,
    async event(topic) {
      for (;;) {
        const found = events.find(({ envelope }) => envelope.topic === topic);
        if (found !== undefined) return found;
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
    async [Symbol.asyncDispose]() {
      await channel.close();
      // What a failed test left: the container first, then the shim, which then has nothing to serve.
      await endContainers(programs, namespace);
      await killByArgument(namespace);
      await runToEnd(programs.shim, [...own, "-bundle", bundle, "delete"], { cwd: bundle, env });
      await removeLeftovers(namespace);
      await rm(address.slice("unix://".length), { force: true });
      await server.close({ graceMs: 0 });
      closeSync(log);
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function writeBundle(
  bundle: string,
  { busybox, runc }: ContainerPrograms,
  args: readonly string[],
  cgroup: string,
  terminal: boolean,
): Promise<void> {
  await mkdir(bundle);
  await writeRootfs(join(bundle, "rootfs"), busybox);
  await run(runc, ["spec"], { cwd: bundle });
  const path = join(bundle, "config.json");
  const spec = JSON.parse(await readFile(path, "utf8"));
  Object.assign(spec.process, { terminal, args, env: ["PATH=/bin"] });
  spec.root.readonly = false;
  spec.linux.cgroupsPath = cgroup;
  await writeFile(path, JSON.stringify(spec));
}
