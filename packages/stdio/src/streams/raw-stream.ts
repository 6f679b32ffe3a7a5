// What both ends of a raw stream share: its name on the open connection, and the four bytes that begin it.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import { streamUrl } from "./stream-ids.js";

/** An open raw stream: the connection itself, with its id. */
export type RawStream<T extends Duplex = Socket> = T & {
  /** The id that both ends know it by. */
  readonly id: number;
  /** How requests name it: `stream://7`. */
  readonly url: string;
};

const idBytes = 4;

/** Names a connection. */
export function named<T extends Duplex>(stream: T, id: number): RawStream<T> {
  // Defined, not assigned: some streams have an `id` of their own that cannot be set.
  return Object.defineProperties(stream, {
    id: { value: id, configurable: true },
    url: { value: streamUrl(id), configurable: true },
  }) as RawStream<T>;
}

/** The bytes that begin a stream. */
export function encodeId(id: number): Buffer {
  const bytes = Buffer.alloc(idBytes);
  bytes.writeUInt32BE(id);
  return bytes;
}

/**
 * Reads the four bytes at the beginning of a stream. What follows them stays in the stream.
 *
 * @param signal Ends the reading; the stream stays open.
 * @returns The id; how many bytes there were where the stream ended before.
 * @throws {RpcError} Code.InvalidArgument when the stream does not carry bytes. @throws the stream's error; the signal's reason.
 */
export function readId(stream: Duplex, signal: AbortSignal): Promise<{ id: number } | { endedAfter: number }> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      stream.off("readable", look).off("end", ended).off("close", closed).off("error", failed);
      signal.removeEventListener("abort", stop);
      act();
    };
    const failed = (error: Error): void => settle(() => reject(error));
    const stop = (): void => settle(() => reject(signal.reason));
    const ended = (): void => settle(() => resolve({ endedAfter: 0 }));
    const closed = (): void => failed(new Error("the connection was closed"));
    const look = (): void => {
      // All four or nothing; at the end what there is.
      const bytes: unknown = stream.read(idBytes);
      if (bytes === null) return;
      if (!Buffer.isBuffer(bytes)) {
        failed(new RpcError(Code.InvalidArgument, "a raw stream needs a connection that carries bytes"));
      } else if (bytes.length === idBytes) {
        settle(() => resolve({ id: bytes.readUInt32BE() }));
      } else {
        settle(() => resolve({ endedAfter: bytes.length }));
      }
    };
    if (signal.aborted) return reject(signal.reason);
    if (stream.readableEnded) return resolve({ endedAfter: 0 });
    if (stream.destroyed) return reject(stream.errored ?? new Error("the connection was closed"));
    signal.addEventListener("abort", stop);
    stream.on("readable", look).on("end", ended).on("close", closed).on("error", failed);
    look();
  });
}
