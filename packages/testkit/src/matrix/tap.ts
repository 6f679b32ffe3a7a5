// A relay in front of a server's socket file that writes down the frames which clients send, and can cut connections. Changes
// nothing of what passes.
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { decodeFrames, rawType } from "../frames.js";

/** A frame's header, as it passed. */
export interface Passed {
  readonly connection: number;
  readonly id: number;
  readonly type: number;
  readonly flags: number;
}

/** The relay. Disposing it closes it and all its connections. */
export interface Tap extends AsyncDisposable {
  /** Where it listens. */
  readonly path: string;
  /** The frames of clients so far, in order. */
  readonly sent: readonly Passed[];
  /** Cuts all connections, as a lost network does: both ends see a reset or an end. */
  cut(): void;
}

/** Listens on `path`, and passes everything on to `target`. */
export async function openTap(path: string, target: string): Promise<Tap> {
  const sent: Passed[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    const connection = connections++;
    const peer = createConnection(target);
    let rest: Buffer = Buffer.alloc(0);
    client.on("data", (chunk: Buffer) => {
      const cut = decodeFrames(Buffer.concat([rest, chunk]));
      rest = cut.rest;
      for (const { id, type, flags } of cut.frames) sent.push({ connection, id, type, flags });
    });
    client.pipe(peer).pipe(client);
    for (const [socket, other] of [
      [client, peer],
      [peer, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(path);
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    path,
    sent,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

/**
 * What a client must never send, whatever its caller does: ids that do not rise by two, and data on a call that has no stream
 * of requests or on none at all, which ends the process of Go servers.
 *
 * @returns What was wrong, frame by frame; empty when all was right.
 */
export function wrongFrames(sent: readonly Passed[]): string[] {
  const opened = new Map<string, number>();
  const last = new Map<number, number>();
  const wrong: string[] = [];
  for (const { connection, id, type, flags } of sent) {
    const key = `${connection}/${id}`;
    const name = `connection ${connection}, id ${id}, type ${type}, flags ${flags}`;
    if (id === 0) continue; // a probe
    if (type === rawType.request) {
      if (id !== (last.get(connection) ?? -1) + 2) wrong.push(`${name}: after ${last.get(connection)}`);
      last.set(connection, id);
      opened.set(key, flags);
    } else if (type !== rawType.data) wrong.push(`${name}: clients send none`);
    else if (!opened.has(key)) wrong.push(`${name}: no such call`);
    else if (opened.get(key) === 0) wrong.push(`${name}: data on a unary call`);
  }
  return wrong;
}
