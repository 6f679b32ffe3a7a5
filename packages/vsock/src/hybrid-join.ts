// Joins two streams both ways: back-pressure, half-close, and one end for both. It knows nothing of vsock.
import type { Duplex } from "node:stream";

/** Pipes both ways until both directions have ended. Either stream's failure or early close destroys the other. */
export function joinStreams(a: Duplex, b: Duplex): void {
  // An end that closes its own other direction would cut the answer off.
  a.allowHalfOpen = true;
  b.allowHalfOpen = true;
  follow(a, b);
  follow(b, a);
  a.pipe(b);
  b.pipe(a);
}

function follow(stream: Duplex, other: Duplex): void {
  stream.on("error", () => other.destroy());
  stream.on("close", () => {
    // After both directions ended well the other one still has to write what it holds.
    if (!stream.readableEnded || !stream.writableFinished) other.destroy();
  });
}
