// A relay between a client and a server, for connections that break when a test wants it.
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";

/** A relay that listens on loopback. */
export interface Relay extends AsyncDisposable {
  readonly address: string;
  /** Breaks all connections. */
  cut(): void;
}

/** Passes connections on to a unix socket, until they are cut. */
export async function relayTo(target: string): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection(target.slice("unix://".length));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `tcp://127.0.0.1:${(server.address() as { port: number }).port}`,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
