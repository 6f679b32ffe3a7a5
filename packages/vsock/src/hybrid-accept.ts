// The VMM's half of the handshake for one connection: reads the CONNECT line and opens the guest's side. It answers nothing itself.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { systemError } from "./hybrid-error.js";
import { firstLine } from "./hybrid-line.js";

/**
 * Opens the guest's side of a connection.
 *
 * @param signal Aborted when the host's side is gone, the time is up or the proxy closes. A stream that comes later is destroyed.
 */
export type ConnectGuest = (port: number, signal: AbortSignal) => Promise<Duplex> | Duplex;

// Firecracker's.
const longestCommand = 32;

/** Gives the guest's stream, connected. @throws Whatever prevented it; the caller destroys `host`. */
export async function acceptHandshake(
  host: Socket,
  connect: ConnectGuest,
  timeoutMs: number,
  closing: AbortSignal,
): Promise<Duplex> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(failure("ETIMEDOUT", `not done within ${timeoutMs} ms`)), timeoutMs);
  const onClosing = (): void => stop.abort(closing.reason);
  const onGone = (): void => stop.abort(failure("ECONNRESET", "the host's side closed before the answer"));
  closing.addEventListener("abort", onClosing);
  try {
    if (closing.aborted) throw closing.reason;
    const port = await readCommand(host, stop.signal);
    host.on("end", onGone).on("close", onGone);
    return await openGuest(connect, port, stop.signal);
  } finally {
    clearTimeout(timer);
    closing.removeEventListener("abort", onClosing);
    host.removeListener("end", onGone).removeListener("close", onGone);
  }
}

async function readCommand(host: Socket, signal: AbortSignal): Promise<number> {
  const line = firstLine(host, longestCommand);
  const { is } = await line.read(signal);
  if (is === "closed") throw failure("ECONNRESET", "the host's side closed before its command");
  const words = /^connect[ \t]+(\d{1,10})[ \t]*\r?$/i.exec(line.received.toString("latin1"));
  const port = Number(words?.[1]);
  if (is === "long" || !(port <= 2 ** 32 - 2)) throw failure("EPROTO", `the command is no "CONNECT <port>" line`);
  return port;
}

function openGuest(connect: ConnectGuest, port: number, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    opened(connect, port, signal)
      .finally(() => signal.removeEventListener("abort", onAbort))
      .then((guest) => {
        if (signal.aborted) discard(guest);
        resolve(guest);
      }, reject);
  });
}

async function opened(connect: ConnectGuest, port: number, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const guest = await connect(port, signal);
  if (!(guest instanceof Duplex)) throw new TypeError("the function connect of hybridProxy() did not return a Duplex");
  if (signal.aborted) return guest;
  if (guest.destroyed) throw failure("ECONNRESET", "the stream to the guest is closed already");
  if ((guest as Partial<Socket>).connecting === true) await connected(guest, signal);
  return guest;
}

/** A socket may be given while it still connects; the answer must wait for that. */
function connected(guest: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      guest.removeListener("connect", onConnect).removeListener("error", onError).removeListener("close", onClose);
      signal.removeEventListener("abort", onAbort);
    };
    const onConnect = (): void => {
      settle();
      resolve();
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onClose = (): void =>
      onError(failure("ECONNRESET", "the stream to the guest closed before it was connected"));
    const onAbort = (): void => {
      settle();
      discard(guest);
      reject(signal.reason);
    };
    guest.on("connect", onConnect).on("error", onError).on("close", onClose);
    signal.addEventListener("abort", onAbort);
  });
}

/** Destroys a stream that nobody owns; what it still says must not end the process. */
function discard(stream: Duplex): void {
  stream.on("error", () => {});
  stream.destroy();
}

function failure(code: string, what: string): Error {
  return systemError(code, "accept", "hybrid vsock", what);
}
