// A guest behind a monitor's hybrid vsock: a server of the echo service on a unix socket, which its host reaches by hvsock:.
import { createConnection, type Socket } from "node:net";
import type { Handlers } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { type HybridProxy, hybridProxy } from "@guestwire/vsock";
import { serve } from "./server.js";
import type { ServeOptions, Server } from "./server-options.js";

/** A machine that can be switched off and on, be paused, and lose its connections. */
export interface Machine extends AsyncDisposable {
  /** `hvsock:///path:1024`. */
  readonly address: string;
  /** The monitor's unix socket. */
  readonly path: string;
  /** The guest's server. */
  readonly server: Server;
  /** How many connections the monitor has been asked for, and still has. */
  readonly asked: number;
  readonly open: number;
  /** A paused machine's monitor takes connections and never answers. */
  paused: boolean;
  on(): Promise<void>;
  off(): Promise<void>;
}

/** Starts a machine whose guest serves on port 1024. */
export async function machine(
  handlers: Partial<Handlers<typeof EchoService>> = {},
  options: ServeOptions = {},
): Promise<Machine> {
  const folder = await tempFolder();
  const path = folder.file("vm.sock");
  const server = serve(options).service(EchoService, { ...echoHandlers, ...handlers });
  await server.listen(`unix://${folder.file("guest.sock")}`);
  let asked = 0;
  let proxy: HybridProxy | undefined;
  const connect = (port: number): Promise<Socket> => {
    asked++;
    if (self.paused) return new Promise(() => {});
    if (port !== 1024) throw new Error("nobody listens there");
    return opened(folder.file("guest.sock"));
  };
  const self: Machine = {
    address: `hvsock://${path}:1024`,
    path,
    server,
    paused: false,
    get asked() {
      return asked;
    },
    get open() {
      return proxy?.connections ?? 0;
    },
    async on() {
      proxy = await hybridProxy({ path, connect }, { handshakeTimeoutMs: Number.POSITIVE_INFINITY });
    },
    async off() {
      await proxy?.close();
    },
    async [Symbol.asyncDispose]() {
      await proxy?.close();
      await server.close({ graceMs: 0 });
      await folder[Symbol.asyncDispose]();
    },
  };
  await self.on();
  return self;
}

function opened(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path, allowHalfOpen: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}
