// Sockets for the stacks that are given open ones.
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Connects to a unix socket. */
export async function dialUnix(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, "connect");
  return socket;
}
