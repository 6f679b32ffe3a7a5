// Streams that a user's function gives: checked, and waited for while they still connect. Opens nothing itself.
import { Duplex } from "node:stream";
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/**
 * Takes a stream from a user's function. One that still connects, as a socket of `net.connect()`, is waited for, so that its
 * failure is one of connecting: it may be tried again, and is in time.
 *
 * @param caller What took the function, for errors: "connect()".
 * @param signal Gives up; the stream is destroyed.
 * @throws {RpcError} Code.InvalidArgument when it is no Duplex.
 * @throws {Error} what the function throws; the stream's own error, `ECONNRESET` when it was closed without one; the signal's reason.
 */
export async function givenStream<T extends Duplex>(
  open: (signal: AbortSignal) => T | Promise<T>,
  caller: string,
  signal: AbortSignal,
): Promise<T> {
  const stream = await open(signal);
  if (!(stream instanceof Duplex)) {
    throw new RpcError(Code.InvalidArgument, `the function given to ${caller} did not return a Duplex`);
  }
  if ((stream as { readonly connecting?: unknown }).connecting === true) await connected(stream, signal);
  return stream;
}

function connected(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      stream.off("connect", opened).off("error", failed).off("close", closed);
      signal.removeEventListener("abort", stop);
    };
    const opened = (): void => {
      settle();
      resolve();
    };
    const failed = (error: Error): void => {
      settle();
      reject(error);
    };
    const closed = (): void =>
      failed(Object.assign(new Error("it was closed before it was connected"), { code: "ECONNRESET" }));
    const stop = (): void => {
      failed(signal.reason);
      // What it still says must not end the process.
      stream.on("error", () => {}).destroy();
    };
    if (signal.aborted) return stop();
    stream.on("connect", opened).on("error", failed).on("close", closed);
    signal.addEventListener("abort", stop);
  });
}
