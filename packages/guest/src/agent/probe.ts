// Asks sockets whether somebody serves them. Connects and hangs up; sends nothing.
import { createConnection, type NetConnectOpts, type Socket } from "node:net";
import { probeMs } from "../limits.js";

/** What a probe of a unix socket found, in the words of ArcBox's service status. */
export interface Probe {
  /** `ready` it accepts connections; `not_ready` nobody listens; `error` it cannot be told. */
  readonly status: "ready" | "not_ready" | "error";
  /** For people: the path, or what went wrong. */
  readonly detail: string;
}

/** Probes a unix socket. Never throws. */
export async function probeSocket(path: string): Promise<Probe> {
  try {
    const socket = await open({ path });
    socket.destroy();
    return { status: "ready", detail: path };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { status: "not_ready", detail: `${path} does not exist` };
    if (code === "ECONNREFUSED") return { status: "not_ready", detail: `nobody listens on ${path}` };
    return { status: "error", detail: message };
  }
}

/**
 * Reads the line with which a server greets.
 *
 * @returns `undefined` when nobody listens or nobody greets in time.
 */
export async function readGreeting(host: string, port: number): Promise<string | undefined> {
  const socket = await open({ host, port }).catch(() => undefined);
  if (socket === undefined) return undefined;
  const timer = setTimeout(() => socket.destroy(), probeMs);
  let text = "";
  try {
    for await (const data of socket.setEncoding("latin1")) {
      text += data;
      const end = text.indexOf("\n");
      if (end >= 0) return text.slice(0, end).trim();
      if (text.length > 1024) return undefined;
    }
  } catch {
    // It hung up: no greeting.
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
  return undefined;
}

function open(target: NetConnectOpts): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(target);
    const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), probeMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error").on("error", () => {});
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
