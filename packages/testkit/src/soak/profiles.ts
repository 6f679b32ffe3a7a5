// The roads that calls take in a soak, what goes wrong on each, and which errors that excuses. Data only.
import type { FailureReason } from "@guestwire/rpc";
import type { ConnectOptions } from "@guestwire/ttrpc";
import type { Fault } from "./chaos-plan.js";

/** A road from the client to a server. */
export interface Profile {
  readonly name: string;
  /** Which server is at its end: one that lives on, or one that is stopped and killed again and again. */
  readonly server: "steady" | "mortal";
  /** What the proxy does; `undefined` for no proxy. */
  readonly faults: readonly Fault[] | undefined;
  /** Whether the proxy listens on TCP, where connections can be reset. */
  readonly tcp: boolean;
  readonly options: ConnectOptions;
  /** Why calls may fail that asked for nothing of the kind. `deadline`: also such as had plenty of time. */
  readonly excuses: readonly FailureReason[];
  /** Whether every call needs a deadline, as nothing else ends it when the server falls silent. */
  readonly needsDeadline: boolean;
}

const base = { server: "steady", tcp: false, needsDeadline: false } as const;
const lost = ["connection_closed", "connect_failed"] as const;

/** All roads. */
export const profiles: readonly Profile[] = [
  { ...base, name: "direct", faults: undefined, options: {}, excuses: [] },
  { ...base, name: "calm", faults: ["latency", "pieces"], options: { limits: { connectionCalls: 8 } }, excuses: [] },
  {
    ...base,
    name: "stalls",
    faults: ["latency", "pieces", "stall", "slow"],
    options: { waitForReady: true },
    excuses: ["deadline"],
  },
  { ...base, name: "cuts", tcp: true, faults: ["pieces", "cut", "half-close", "reset"], options: {}, excuses: lost },
  {
    ...base,
    name: "refusing",
    faults: ["latency", "refused", "away"],
    options: { waitForReady: true },
    excuses: ["connection_closed", "deadline"],
  },
  {
    ...base,
    name: "silence",
    faults: ["silence", "latency"],
    options: { waitForReady: true, keepalive: { timeMs: 200, timeoutMs: 500 } },
    excuses: ["connection_closed", "deadline"],
  },
  {
    ...base,
    name: "all",
    tcp: true,
    faults: ["latency", "pieces", "stall", "slow", "silence", "cut", "half-close", "reset", "refused", "away"],
    options: { control: false },
    excuses: [...lost, "deadline"],
    needsDeadline: true,
  },
  {
    ...base,
    name: "mortal",
    server: "mortal",
    faults: undefined,
    options: { waitForReady: true, keepalive: { timeMs: 200, timeoutMs: 500 } },
    excuses: ["connection_closed", "deadline"],
  },
];
