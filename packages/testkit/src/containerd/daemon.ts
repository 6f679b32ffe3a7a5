// A containerd of a test's own: everything that it keeps is in one folder, and its containers are in one namespace.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { connect as connectGrpc } from "@guestwire/grpc";
import { type Channel, createClient } from "@guestwire/rpc";
import { connect as connectTtrpc } from "@guestwire/ttrpc";
import { Version } from "../gen/containerd/services/version/v1/version_pb.js";
import { tempFolder } from "../temp-folder.js";
import { startTied, type TiedChild } from "../vm/tied-child.js";
import { writeImage } from "./image.js";
import { endContainers, killByArgument, removeLeftovers, testNamespace } from "./leftovers.js";
import { type ContainerPrograms, shimAddress } from "./programs.js";
import { type RunOptions, type RunResult, run, runToEnd } from "./run.js";

/** A running containerd. Disposing it ends its containers, their shims and the daemon. */
export interface Containerd extends AsyncDisposable {
  readonly namespace: string;
  /** Where it listens for gRPC, and for ttrpc. */
  readonly address: string;
  readonly ttrpcAddress: string;
  /** A channel to its gRPC services whose calls carry the namespace. */
  readonly grpc: Channel;
  /** A channel to its ttrpc services. */
  readonly ttrpc: Channel;
  /** The folder of a container's bundle while its task exists. */
  bundle(id: string): string;
  /** Where the shim of a container listens. */
  shimAddress(id: string): Promise<string>;
  /** Runs a container by `ctr run` with these options, until `ctr` ends. */
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs `ctr` in the namespace to its end. */
  ctr(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Kills the daemon as a crash would; shims and containers stay. */
  kill(): Promise<void>;
  /** Resolves when the daemon has ended, with how. */
  readonly ended: Promise<string>;
  /** Starts the daemon again after it ended. */
  restart(): Promise<void>;
}

/** Starts a containerd that has the image of {@link writeImage}. */
export async function startContainerd(programs: ContainerPrograms): Promise<Containerd> {
  const namespace = testNamespace();
  const folder = await tempFolder();
  const socket = folder.file("c.sock");
  const address = `unix://${socket}`;
  const ttrpcAddress = `${address}.ttrpc`;
  const state = folder.file("state");
  const configuration = folder.file("config.toml");
  await writeFile(configuration, config(folder.path, socket));

  const start = async (): Promise<TiedChild> => {
    // A shim's script is run by the Node that runs this, and containerd's own shim is of the same version.
    const path = `${dirname(process.execPath)}:${dirname(programs.shim)}:${process.env["PATH"]}`;
    const daemon = await startTied(programs.containerd, ["-c", configuration], {
      env: { ...process.env, PATH: path },
      stdio: "ignore",
    });
    await using channel = connectGrpc(address, {
      waitForReady: true,
      timeoutMs: 20_000,
      backoff: { initialMs: 5, maxMs: 20 },
    });
    const ready = createClient(Version, channel).version({});
    await Promise.race([ready, daemon.ended.then((how) => Promise.reject(new Error(`containerd ${how}`)))]);
    return daemon;
  };

  const ctr = (args: readonly string[], options?: RunOptions): Promise<RunResult> =>
    runToEnd(programs.ctr, ["-a", socket, "-n", namespace, ...args], options);
  let daemon = await start();
  const metadata = { "containerd-namespace": namespace };
  const grpc = connectGrpc(address, { timeoutMs: 20_000, metadata, backoff: { initialMs: 5, maxMs: 50 } });
  const ttrpc = connectTtrpc(ttrpcAddress, {
    timeoutMs: 20_000,
    metadata: { "containerd-namespace-ttrpc": namespace },
  });

  const fifos = folder.file("fifos");
  await mkdir(fifos);
  const images = folder.file("images");
  await mkdir(images);
  const archive = await writeImage(images, programs.busybox);
  await run(programs.ctr, ["-a", socket, "-n", namespace, "images", "import", archive]);

  const bundle = (id: string): string => join(state, "io.containerd.runtime.v2.task", namespace, id);
  return {
    namespace,
    address,
    ttrpcAddress,
    grpc,
    ttrpc,
    bundle,
    async shimAddress(id) {
      const file = (name: string): Promise<string> => readFile(join(bundle(id), name), "utf8");
      return shimAddress(await file("bootstrap.json").catch(() => file("address")));
    },
    run: (args, options) => ctr(["run", "--fifo-dir", fifos, ...args], options),
    ctr,
    get ended() {
      return daemon.ended;
    },
    async kill() {
      await daemon[Symbol.asyncDispose]();
    },
    async restart() {
      await daemon.ended;
      daemon = await start();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([grpc.close(), ttrpc.close()]);
      // Without containerd's help, as it may have crashed.
      await daemon[Symbol.asyncDispose]();
      await endContainers(programs, namespace);
      await killByArgument(namespace);
      await removeLeftovers(namespace, state);
      await rm(folder.path, { recursive: true, force: true });
    },
  };
}

function config(folder: string, socket: string): string {
  return `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`;
}
