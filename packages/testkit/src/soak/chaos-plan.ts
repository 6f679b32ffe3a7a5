// What goes wrong with one connection of the chaos proxy: decided by the seed, before the first byte. No sockets.
import type { SimRandom } from "../sim/random.js";

/** A way in which a network, or a peer, misbehaves. */
export type Fault =
  | "latency"
  | "pieces"
  | "stall"
  | "slow"
  | "silence"
  | "cut"
  | "half-close"
  | "reset"
  | "refused"
  | "away";

/** How one direction of a connection ends before its time. */
export interface Ending {
  /** After so many bytes of this direction. */
  readonly afterBytes: number;
  /** `cut`: both sides are closed. `half-close`: this direction ends alone. `reset`: both sides are reset. */
  readonly how: "cut" | "half-close" | "reset";
}

/** What happens to the bytes of one direction. */
export interface DirectionPlan {
  /** How long what has arrived waits, at most, in milliseconds; what arrives meanwhile is merged with it. 0 for not at all. */
  readonly latencyMs: number;
  /** The longest pieces that are written, in bytes; 0 for as they come. Each gets a turn of the event loop. */
  readonly pieceBytes: number;
  /** Nothing moves, and nothing is read, for a while. */
  readonly stall: { readonly afterBytes: number; readonly ms: number } | undefined;
  /** How fast this direction is read, in bytes per millisecond; 0 for as fast as it comes. */
  readonly bytesPerMs: number;
  readonly ending: Ending | undefined;
}

/** What happens to a connection. */
export interface ConnectionPlan {
  /** Closed as soon as it was accepted. */
  readonly refused: boolean;
  readonly toServer: DirectionPlan;
  readonly toClient: DirectionPlan;
}

/** A connection on which all is well. */
export const calmDirection: DirectionPlan = Object.freeze({
  latencyMs: 0,
  pieceBytes: 0,
  stall: undefined,
  bytesPerMs: 0,
  ending: undefined,
});

// As a dead network: far longer than a keepalive waits, and still bounded, so that the proxy gets rid of it.
const silenceMs = 8000;

/** Decides what happens to a connection. The same numbers, the same plan. */
export function planConnection(random: SimRandom, faults: ReadonlySet<Fault>): ConnectionPlan {
  const has = (fault: Fault, probability: number): boolean => faults.has(fault) && random.chance(probability);
  const refused = has("refused", 0.3);
  // Of what ends a connection, or makes it useless, there is one for each connection; some have none.
  const grave = (["stall", "silence", "cut", "half-close", "reset"] as const).filter((fault) => faults.has(fault));
  const chosen = grave.length > 0 && random.chance(0.85) ? random.pick(grave) : undefined;
  const toServerHasIt = random.chance(0.5);
  const afterBytes = Math.floor(10 ** (random.next() * 5.5));
  const direction = (mine: boolean): DirectionPlan => {
    const bytesPerMs = has("slow", 0.2) ? random.pick([500, 2000]) : 0;
    const pieceBytes = has("pieces", 0.6) ? random.pick([1, 7, 60, 1000, 9000]) : 0;
    const common = {
      latencyMs: has("latency", 0.6) ? random.int(1, 15) : 0,
      // A slow reader takes pieces of its own size.
      pieceBytes: bytesPerMs > 0 ? 0 : pieceBytes,
      bytesPerMs,
    };
    const fault = mine ? chosen : undefined;
    if (fault === "stall") return { ...common, stall: { afterBytes, ms: random.int(50, 1500) }, ending: undefined };
    if (fault === "silence") return { ...common, stall: { afterBytes, ms: silenceMs }, ending: undefined };
    return { ...common, stall: undefined, ending: fault === undefined ? undefined : { afterBytes, how: fault } };
  };
  return { refused, toServer: direction(toServerHasIt), toClient: direction(!toServerHasIt) };
}
