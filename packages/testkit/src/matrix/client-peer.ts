// A row of the matrix whose peer is a client: its program makes the calls of a case, against a server of ours.
import { Code, type Handlers, RpcError } from "@guestwire/rpc";
import { serve } from "@guestwire/ttrpc";
import { echoHandlers } from "../echo-handlers.js";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { Streaming } from "../gen/ttrpc/integration/streaming/streaming_pb.js";
import { runClient } from "../peer-program.js";
import { tempFolder } from "../temp-folder.js";
import { integrationHandlers } from "./integration.js";
import type { MatrixPeer } from "./matrix.js";
import { openTap } from "./tap.js";

/** What a row with a client needs beside what its table says. */
export interface ClientPeerOptions extends Omit<MatrixPeer, "role" | "open"> {
  /** What the program is given before the rest. Default nothing. */
  readonly args?: readonly string[];
  /** The path of the program; it is run as `PROGRAM ...args client SOCKET CASE`. `undefined` where it cannot be had. */
  program(): Promise<string | undefined>;
  /** What its program calls a case that runs otherwise with this version. */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** Makes the row of a client. */
export function clientPeer({ program, args = [], renamed = {}, ...peer }: ClientPeerOptions): MatrixPeer {
  return {
    ...peer,
    without: { control: "Our servers say nothing of their own.", ...peer.without },
    role: "client",
    async open() {
      const path = await program();
      if (path === undefined) return undefined;
      return {
        run: (name) => runClientCase(path, args, name, renamed[name] ?? name),
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

async function runClientCase(program: string, args: readonly string[], name: string, asked: string): Promise<void> {
  await using folder = await tempFolder();
  let hanging = (): void => {};
  const hang: typeof echoHandlers.hang = (...args) => {
    hanging();
    return echoHandlers.hang(...args);
  };
  const server = serve()
    .service(EchoService, { ...echoHandlers, ...refusing, hang })
    .service(Streaming, integrationHandlers);
  const path = folder.file("s.sock");
  await server.listen(`unix://${path}`);
  await using tap = await openTap(folder.file("t.sock"), path);
  try {
    let closed: Promise<void> | undefined;
    if (name === "reset") hanging = () => tap.cut();
    if (name === "shutdown") {
      hanging = () => {
        closed = server.close({ graceMs: 20 });
      };
    }
    await runClient(program, [...args, "client", tap.path, asked]);
    await closed;
    // The client is gone: nothing of it may be left.
    while (server.connections > 0 || server.runningCalls > 0) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    await server.close({ graceMs: 0 });
  }
}

/** Handlers that fail on a message that says `refuse`, with whatever comes behind it. */
const refusing: Pick<Handlers<typeof EchoService>, "chat"> = {
  async *chat(requests) {
    for await (const { text, payload, number } of requests) {
      if (text === "refuse") throw new RpcError(Code.Aborted, "refused");
      yield { text, payload, number };
    }
  },
};
