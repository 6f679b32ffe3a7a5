// Reads a stream's first line, bounded. The bytes after it stay in the stream, which is left as new: not flowing, no listeners.
import type { Duplex } from "node:stream";

/** A first line as far as it came. */
export interface FirstLine {
  /** What came of the line, without its end; never more than the limit. */
  readonly received: Buffer;
  /**
   * Waits for the end of the line.
   *
   * - `line`: it is complete.
   * - `long`: the limit was reached without an end.
   * - `closed`: the stream ended or failed before, with `cause` when it failed.
   *
   * It rejects with the signal's reason only. The caller destroys the stream unless it is `line`.
   */
  read(signal: AbortSignal): Promise<{ readonly is: "line" | "long" | "closed"; readonly cause?: Error }>;
}

/** @param limit Bytes, with the newline. */
export function firstLine(stream: Duplex, limit: number): FirstLine {
  let received: Buffer = Buffer.alloc(0);

  function take(): "line" | "long" | undefined {
    while (stream.readableLength > 0) {
      // Exactly what is there: a read() without a size would also tell of the end, before its new owner can listen.
      const chunk: Buffer | null = stream.read(stream.readableLength);
      if (chunk === null) return undefined;
      const room = limit - received.length;
      const newline = chunk.subarray(0, room).indexOf(0x0a);
      if (newline >= 0) {
        received = Buffer.concat([received, chunk.subarray(0, newline)]);
        if (newline + 1 < chunk.length) stream.unshift(chunk.subarray(newline + 1));
        return "line";
      }
      received = Buffer.concat([received, chunk.subarray(0, room)]);
      if (received.length === limit) return "long";
    }
    return undefined;
  }

  return {
    get received() {
      return received;
    },
    read: (signal) =>
      new Promise((resolve, reject) => {
        const settle = (): void => {
          stream.removeListener("readable", onReadable);
          stream.removeListener("end", onClosed);
          stream.removeListener("close", onClosed);
          stream.removeListener("error", onError);
          signal.removeEventListener("abort", onAbort);
        };
        const onReadable = (): void => {
          const is = take();
          if (is !== undefined) {
            settle();
            resolve({ is });
          } else {
            // Tells of the end, if that is what came.
            stream.read(0);
          }
        };
        const onClosed = (): void => {
          settle();
          resolve({ is: "closed" });
        };
        const onError = (cause: Error): void => {
          settle();
          resolve({ is: "closed", cause });
        };
        const onAbort = (): void => {
          settle();
          reject(signal.reason);
        };
        if (signal.aborted) return reject(signal.reason);
        if (stream.destroyed) return resolve({ is: "closed" });
        stream.on("readable", onReadable);
        stream.on("end", onClosed);
        stream.on("close", onClosed);
        stream.on("error", onError);
        signal.addEventListener("abort", onAbort);
      }),
  };
}
