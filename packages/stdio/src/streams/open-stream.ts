// The host's end of a raw stream: connects, says the id, hears it back. Carries no bytes afterwards; the caller does.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import {
  checkKnown,
  type DialPolicy,
  dialWithRetry,
  formatAddress,
  optionNames,
  parseAddress,
  spinboxStreamDial,
} from "@guestwire/rpc/transport";
import { encodeId, named, type RawStream, readId } from "./raw-stream.js";
import { checkId, createStreamIds, type StreamIds } from "./stream-ids.js";
import { within } from "./within.js";

/** Makes one attempt to connect. The signal fires when nobody wants it any more; what comes afterwards is destroyed. */
export type StreamDialer<T extends Duplex = Duplex> = (signal: AbortSignal) => T | Promise<T>;

/** How a raw stream is opened. */
export interface OpenStreamOptions {
  /**
   * The stream's id, or where it comes from. Default: a count from 1 on that all streams of this process share. Another process
   * that opens streams of the same guest needs ids of its own.
   */
  readonly id?: number | StreamIds;
  /** Gives up: what was opened so far is closed. Default never. */
  readonly signal?: AbortSignal;
  /** How long connecting and the guest's echo may take together, in milliseconds; 0 or Infinity for no limit. Default 5,000. */
  readonly timeoutMs?: number;
  /** When to try to connect again, after failures that pass. Default as spinbox: for 1 s, with pauses of 5 to 100 ms. */
  readonly policy?: DialPolicy;
  /** Whether this end stays writable when the guest ends its own, as with sockets of `node:net`. Default false. */
  readonly allowHalfOpen?: boolean;
}

const known = optionNames<OpenStreamOptions>({
  id: true,
  signal: true,
  timeoutMs: true,
  policy: true,
  allowHalfOpen: true,
});

const ids = createStreamIds();

/**
 * Opens a raw stream of a guest. Name its `url` in a Task.Create or Task.Exec afterwards.
 *
 * @param target The address (`vsock://3:1026`, `hvsock:///run/vm.sock:1026`, `unix:///…`), or a function that connects.
 * @returns The connection, past the guest's echo; bytes that came with the echo are in it. It is the caller's to end.
 * @throws {RpcError} Code.AlreadyExists when the guest closed the connection in place of the echo, which it does for an id
 * in use; Code.Unavailable when nobody was there for the policy's time, or when the connection broke; Code.DeadlineExceeded
 * when `timeoutMs` was over; Code.Internal for a wrong echo; Code.Canceled; Code.InvalidArgument for a wrong address or option.
 *
 * @example
 * const stdin = await openStream("vsock://3:1026");
 * await task.exec({ id: "web", execId: "load", stdin: stdin.url, spec });
 * stdin.end("all of it\n");
 */
export function openStream(target: string, options?: OpenStreamOptions): Promise<RawStream<Socket>>;
export function openStream<T extends Duplex>(
  target: StreamDialer<T>,
  options?: OpenStreamOptions,
): Promise<RawStream<T>>;
export async function openStream(
  target: string | StreamDialer,
  options: OpenStreamOptions = {},
): Promise<RawStream<Duplex>> {
  checkKnown("openStream()", options, known);
  const { id: wanted = ids, signal, timeoutMs = 5000, policy = spinboxStreamDial, allowHalfOpen } = options;
  const peer = nameOf(target);
  const id = nextOf(wanted);
  return within({ signal, timeoutMs }, `opening stream ${id} of ${peer}`, async (given) => {
    const stream = await connect(target, policy, given);
    // One that breaks on the way tells so by the reading; later ones are the caller's to hear.
    const silence = (): void => {};
    stream.on("error", silence);
    try {
      if (allowHalfOpen !== undefined) stream.allowHalfOpen = allowHalfOpen;
      stream.write(encodeId(id));
      checkEcho(await readId(stream, given), id, peer);
    } catch (error) {
      stream.destroy();
      throw failedHandshake(error, id, peer);
    }
    stream.off("error", silence);
    return named(stream, id);
  });
}

function nextOf(wanted: number | StreamIds): number {
  if (typeof wanted !== "number" && typeof wanted?.next !== "function") {
    const text = `id must be a number or what createStreamIds() gave, not ${JSON.stringify(wanted) ?? typeof wanted}`;
    throw new RpcError(Code.InvalidArgument, text);
  }
  const id = typeof wanted === "number" ? wanted : wanted.next();
  checkId(id);
  return id;
}

function nameOf(target: string | StreamDialer): string {
  if (typeof target === "function") return "duplex:";
  if (typeof target === "string") return formatAddress(parseAddress(target));
  throw new RpcError(Code.InvalidArgument, "openStream() takes an address or a function that opens a Duplex");
}

async function connect(target: string | StreamDialer, policy: DialPolicy, signal: AbortSignal): Promise<Duplex> {
  // The limit of all is the caller's; the policy says for how long it is tried.
  const options = { policy, signal };
  try {
    return await (typeof target === "string" ? dialWithRetry(target, options) : dialWithRetry(target, options));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // The time that was over is the policy's, of which the caller may know nothing.
    if (!(error instanceof RpcError) || error.reason !== "deadline") throw error;
    const { rawMessage, cause } = error;
    throw new RpcError(Code.Unavailable, rawMessage, { reason: "connect_failed", cause });
  }
}

function checkEcho(read: Awaited<ReturnType<typeof readId>>, id: number, peer: string): void {
  if ("id" in read) {
    if (read.id === id) return;
    const message = `${peer} echoed ${read.id} for stream ${id}: it does not serve raw streams`;
    throw new RpcError(Code.Internal, message, { peer, reason: "protocol" });
  }
  if (read.endedAfter > 0) {
    const message = `${peer} closed stream ${id} after ${read.endedAfter} of the 4 bytes of its echo`;
    throw new RpcError(Code.Unavailable, message, { peer, reason: "connection_closed" });
  }
  const message = `${peer} closed stream ${id} in place of echoing its id: a guest does that for an id in use, and when it ends`;
  throw new RpcError(Code.AlreadyExists, message, { peer });
}

function failedHandshake(error: unknown, id: number, peer: string): RpcError {
  if (error instanceof RpcError) return error;
  const message = `stream ${id} of ${peer} broke before its id was echoed: ${(error as Error).message}`;
  return new RpcError(Code.Unavailable, message, { peer, reason: "connection_closed", cause: error });
}
