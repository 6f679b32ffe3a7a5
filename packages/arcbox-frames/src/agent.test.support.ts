// An agent on a socket file and a channel to it, for tests.
import { AgentService } from "@guestwire/agent";
import { type Channel, type Handlers, RpcError } from "@guestwire/rpc";
import { SandboxService, SandboxSnapshotService } from "@guestwire/sandbox";
import { tempFolder } from "@guestwire/testkit";
import { type ConnectOptions, connect } from "./channel.js";
import { type ServeOptions, type Server, serve } from "./server.js";

export interface TestAgent extends AsyncDisposable {
  readonly address: string;
  readonly server: Server;
  readonly channel: Channel;
}

export interface TestHandlers {
  readonly agent?: Partial<Handlers<typeof AgentService>>;
  readonly sandbox?: Partial<Handlers<typeof SandboxService>>;
  readonly snapshots?: Partial<Handlers<typeof SandboxSnapshotService>>;
}

/** Serves these handlers and opens a channel to them. */
export async function testAgent(
  handlers: TestHandlers,
  options: { readonly connect?: ConnectOptions; readonly serve?: ServeOptions } = {},
): Promise<TestAgent> {
  const folder = await tempFolder();
  const server = serve(options.serve)
    .service(AgentService, { ping: ({ message }) => ({ message: `pong: ${message}` }), ...handlers.agent })
    .service(SandboxService, handlers.sandbox ?? {})
    .service(SandboxSnapshotService, handlers.snapshots ?? {});
  const address = await server.listen(`unix://${folder.file("agent.sock")}`);
  const channel = connect(address, options.connect);
  return {
    address,
    server,
    channel,
    async [Symbol.asyncDispose]() {
      await channel.close();
      await server.close({ graceMs: 0 });
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Waits until `check` holds, turn by turn of the event loop. */
export async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setImmediate(resolve));
}

/** What a call fails with. Throws where it does not. */
export async function failure(promise: Promise<unknown>): Promise<RpcError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RpcError) return error;
  throw new Error("it did not fail with an RpcError");
}
