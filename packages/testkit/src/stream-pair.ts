// Two streams that are each other's other end, as the ends of a socket are. No sockets.
import { type Duplex, duplexPair } from "node:stream";

/**
 * Node's `duplexPair`, with one thing added that Node 22's lacks: when one end is destroyed, the other one's readable side
 * ends after what was written, and that end is destroyed as well.
 */
export function streamPair(): [Duplex, Duplex] {
  const pair = duplexPair() as [Duplex, Duplex];
  const [a, b] = pair;
  for (const [gone, other] of [
    [a, b],
    [b, a],
  ] as const) {
    gone.once("close", () => {
      if (other.destroyed) return;
      if (other.readableEnded) other.destroy();
      else {
        other.once("end", () => other.destroy());
        if (!endOf(other)) other.push(null);
      }
    });
  }
  return pair;
}

/** Whether the end was pushed already, as newer Nodes do it by themselves. */
function endOf(stream: Duplex): boolean {
  return (stream as unknown as { _readableState: { ended: boolean } })._readableState.ended;
}
