// Opens a connection to a guest's vsock port through a VMM's unix socket. One attempt; trying again is the caller's affair.
import type { Socket } from "node:net";
import { checkAddress, checkTimeout, type HybridAddress, invalid } from "./hybrid-address.js";
import { connectPath } from "./hybrid-connect.js";
import { hybridError, quoted } from "./hybrid-error.js";
import { type FirstLine, firstLine } from "./hybrid-line.js";

/** How to open a connection. */
export interface HybridDialOptions {
  /** Ends the attempt, which then rejects with the signal's reason. Without effect once the socket was handed over. */
  readonly signal?: AbortSignal;
  /**
   * The time for connecting and for the answer, in milliseconds; `Infinity` for none. A paused guest never answers, and a VMM
   * need not give up by itself.
   *
   * @defaultValue 5000, which is longer than the 2 s that VMMs and kernels give a guest to answer.
   */
  readonly timeoutMs?: number;
  /** As of Node's sockets: whether the writable side stays open after the peer's end. @defaultValue false */
  readonly allowHalfOpen?: boolean;
  /** Whether to send `CONNECT` or `connect`; every known VMM takes both. @defaultValue "upper" */
  readonly case?: "upper" | "lower";
}

const defaultTimeoutMs = 5_000;
// `OK 2147483647` and its newline are 14 bytes; kata's limit.
const longestReply = 64;

/**
 * Connects to a vsock port of a guest through its VMM's unix socket (Firecracker, Cloud Hypervisor, vhost-device-vsock, kata's
 * `hvsock://`): sends `CONNECT <port>`, waits for `OK <number>`, and gives the socket as it is after that line: nothing is read from
 * it before its owner listens, no byte that follows the line is lost.
 *
 * The answer must be `OK`, one space and digits; a `\r` before the newline is allowed. Its number is not given: VMMs do not agree
 * on its meaning.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when an argument is wrong.
 * @throws {HybridError} `ERR_VSOCK_HYBRID_CLOSED`, `ERR_VSOCK_HYBRID_REPLY` or `ERR_VSOCK_HYBRID_TIMEOUT`.
 * @throws {Error} Node's own error when the unix socket cannot be connected (`ENOENT`, `ECONNREFUSED`, `EACCES`, …); the signal's
 * reason when it is aborted.
 */
export async function dialHybrid(address: HybridAddress, options: HybridDialOptions = {}): Promise<Socket> {
  const { path, port } = checkAddress(address);
  const timeoutMs = checkTimeout("timeoutMs", options.timeoutMs ?? defaultTimeoutMs);
  const word = verb(options.case ?? "upper");
  const { signal } = options;
  signal?.throwIfAborted();

  let phase: Phase = { is: "connecting" };
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(timeoutError({ path, port }, timeoutMs, phase)), timeoutMs);
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const socket = await connectPath(path, options.allowHalfOpen ?? false, stop.signal, (error) => {
      phase = { is: "connecting", error };
    });
    const line = firstLine(socket, longestReply);
    phase = { is: "waiting", line };
    // Whole, in one write: Firecracker fails on a line that comes in parts. Nothing else before the answer: some lose it.
    socket.write(`${word} ${port}\n`);
    try {
      await answer(line, { path, port }, stop.signal);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

type Phase =
  | { readonly is: "connecting"; readonly error?: Error }
  | { readonly is: "waiting"; readonly line: FirstLine };

async function answer(line: FirstLine, to: HybridAddress, signal: AbortSignal): Promise<void> {
  const { is, cause } = await line.read(signal);
  const { received } = line;
  if (is === "closed") {
    const got = received.length === 0 ? "" : `; it had sent ${quoted(received)}`;
    const why =
      "the VMM closed the connection before its answer (nobody listens on the port, the guest is not up, or this is no VMM's socket)";
    throw hybridError("ERR_VSOCK_HYBRID_CLOSED", to, `${why}${got}`, cause);
  }
  if (is === "long") {
    const what = `no line within the first ${longestReply} bytes of the answer, but ${quoted(received)}`;
    throw hybridError("ERR_VSOCK_HYBRID_REPLY", to, what);
  }
  if (!/^OK \d+\r?$/.test(received.toString("latin1"))) {
    throw hybridError("ERR_VSOCK_HYBRID_REPLY", to, `the answer was ${quoted(received)}, not "OK <number>"`);
  }
}

function timeoutError(to: HybridAddress, timeoutMs: number, phase: Phase): Error {
  const code = "ERR_VSOCK_HYBRID_TIMEOUT";
  if (phase.is === "connecting") {
    const why = phase.error === undefined ? "the unix socket did not connect" : "the unix socket's backlog stayed full";
    return hybridError(code, to, `${why} within ${timeoutMs} ms`, phase.error);
  }
  const { received } = phase.line;
  const got = received.length === 0 ? "the guest may be paused" : `only ${quoted(received)} came`;
  return hybridError(code, to, `no answer within ${timeoutMs} ms; ${got}`);
}

function verb(letters: "upper" | "lower"): string {
  if (letters === "upper") return "CONNECT";
  if (letters === "lower") return "connect";
  throw invalid(`case must be "upper" or "lower", not ${JSON.stringify(letters)}`);
}
