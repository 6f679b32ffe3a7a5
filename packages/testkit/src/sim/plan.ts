// What happens in one simulated world, made up from its seed: how it is built, and a list of operations with their times.
// The list can be shortened and run again, which is how a failure gets small.

import type { LinkTraits } from "./link.js";
import type { Limits } from "./product.js";
import { SimRandom } from "./random.js";
import { type CallScript, makeScript, type ScriptTraits } from "./script.js";

/** What can be done to a connection. */
export type LinkFault = "reset" | "half-close" | "stall" | "silence";

/** Something that happens at a time. */
export type Operation = { readonly at: number; readonly seed: number } & (
  | { readonly do: "call"; readonly channel: number; readonly script: CallScript }
  | {
      readonly do: "link";
      readonly fault: LinkFault;
      readonly channel: number;
      readonly ms: number;
      readonly toServer: boolean;
    }
  | { readonly do: "crash"; readonly server: number; readonly downMs: number }
  | { readonly do: "replace"; readonly server: number; readonly graceMs: number }
  | { readonly do: "refuse"; readonly server: number; readonly times: number; readonly how: DialFault }
  | { readonly do: "close"; readonly channel: number; readonly graceMs: number }
  | { readonly do: "jump"; readonly ms: number }
);

/** How an attempt to connect goes wrong. */
export type DialFault = "refused" | "silent" | "dead" | "forbidden";

/** How one channel is made. */
export interface ChannelPlan {
  readonly server: number;
  readonly waitForReady: boolean;
  readonly connectTimeoutMs: number;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly firstId: number;
  /** Whether it says what guestwire.control.v1 has words for. */
  readonly control: boolean;
  /** Whether it asks if the server is there, and for which servers; `undefined` for not at all. */
  readonly keepalive: KeepalivePlan | undefined;
}

/** When a channel asks whether its server is there. */
export interface KeepalivePlan {
  readonly timeMs: number;
  readonly timeoutMs: number;
  readonly withoutCalls: boolean;
  readonly peers: "ours" | "any";
}

/** A whole world. */
export interface Plan {
  readonly seed: number;
  readonly servers: number;
  /** Whether the servers know guestwire.control.v1. */
  readonly control: boolean;
  readonly channels: readonly ChannelPlan[];
  readonly limits: Partial<Limits>;
  readonly link: LinkTraits;
  readonly scripts: ScriptTraits;
  /** How the channels and servers are closed at the end. */
  readonly finalGraceMs: number;
  readonly operations: readonly Operation[];
}

const anHour = 3_600_000;
const lastFirstId = 0xffff_ffff;

/** Makes up a world. The same seed, the same world. */
export function makePlan(seed: number): Plan {
  const random = new SimRandom(seed);
  const servers = random.pick([1, 1, 2]);
  const control = random.chance(0.8);
  const channels: ChannelPlan[] = [];
  const channelCount = random.pick([1, 1, 2, 3]);
  for (let i = 0; i < channelCount; i++) channels.push(makeChannel(random, i % servers));
  const limits = makeLimits(random);
  const messageBytes = limits.messageBytes as number;
  const spanMs = random.pick([30, 300, 2000]);
  const scripts: ScriptTraits = {
    messageBytes,
    large: random.pick([0, 0, 0.05, 0.3]),
    stuck: random.chance(0.1),
    pauseMs: random.pick([3, 30, 200]),
  };
  const link: LinkTraits = {
    capacity: random.pick([64, 1024, 4096, 65_536]),
    latencyMs: random.pick([0, 1, 5, 20]),
    chunkBytes: random.pick([256, 2048, 4096]),
    cuts: random.pick([0, 0.1, 0.5]),
    immediate: random.chance(0.15),
  };
  const faults = random.pick([0, 0.1, 0.25, 0.5]);
  const operations: Operation[] = [];
  const length = random.pick([6, 16, 16, 32, 32, 80]);
  for (let i = 0; i < length; i++) {
    const at = Math.floor(random.next() * spanMs);
    operations.push(
      makeOperation(new SimRandom(random.seed()), at, { servers, channels: channelCount, faults, scripts }),
    );
  }
  operations.sort((a, b) => a.at - b.at);
  return {
    seed,
    servers,
    control,
    channels,
    limits,
    link,
    scripts,
    finalGraceMs: random.pick([0, 1, 200, 5000, 50_000]),
    operations,
  };
}

function makeChannel(random: SimRandom, server: number): ChannelPlan {
  return {
    server,
    waitForReady: random.chance(0.5),
    connectTimeoutMs: random.pick([50, 5000]),
    initialMs: random.pick([1, 20]),
    maxMs: random.pick([20, 1000]),
    firstId: random.chance(0.15) ? lastFirstId - 2 * random.int(0, 6) : 1,
    control: random.chance(0.7),
    keepalive: random.chance(0.25)
      ? {
          timeMs: random.pick([20, 100, 500]),
          timeoutMs: random.pick([50, 500, 20_000]),
          withoutCalls: random.chance(0.5),
          peers: random.pick(["ours", "any"]),
        }
      : undefined,
  };
}

function makeLimits(random: SimRandom): Partial<Limits> {
  const messageBytes = random.pick([200, 1000, 1000, 12_000]);
  return {
    messageBytes,
    connectionCalls: random.pick([1, 2, 8, 64, 1024]),
    serverCalls: random.pick([2, 10_000, 10_000, 10_000]),
    waitingCalls: random.pick([2, 65_536, 65_536]),
    connections: random.chance(0.1) ? 1 : 1024,
    deadlineMs: random.chance(0.1) ? 100 : 24 * anHour,
    streamMessages: random.pick([1, 2, 4, 64]),
    streamBytes: random.pick([messageBytes, 4 << 20]),
    receiveBytes: random.pick([128 << 10, 1 << 20]),
    stallMs: random.pick([5, 50, 1000]),
    streamSendBytes: random.pick([1, 500, 256 << 10]),
    sendBytes: random.pick([1, 2000, 16 << 20]),
    sendLimitBytes: random.chance(0.1) ? 8000 : 64 << 20,
    frameMs: random.pick([40, 30_000, 30_000]),
    framesPerTurn: random.pick([1, 3, 1000, 1000]),
  };
}

interface OperationTraits {
  readonly servers: number;
  readonly channels: number;
  readonly faults: number;
  readonly scripts: ScriptTraits;
}

function makeOperation(random: SimRandom, at: number, traits: OperationTraits): Operation {
  const base = { at, seed: random.seed() };
  const channel = random.int(0, traits.channels - 1);
  const server = random.int(0, traits.servers - 1);
  if (!random.chance(traits.faults))
    return { ...base, do: "call", channel, script: makeScript(random, traits.scripts) };
  const draw = random.next();
  if (draw < 0.55) {
    const fault = random.pick(["reset", "half-close", "stall", "stall", "stall", "silence"] as const);
    return { ...base, do: "link", fault, channel, ms: random.pick([1, 30, 300]), toServer: random.chance(0.5) };
  }
  if (draw < 0.65) return { ...base, do: "crash", server, downMs: random.pick([0, 20, 500]) };
  if (draw < 0.73) return { ...base, do: "replace", server, graceMs: random.pick([0, 10, 200, 5000, 100_000]) };
  if (draw < 0.87) {
    const how = random.pick(["refused", "refused", "silent", "dead", "forbidden"] as const);
    return { ...base, do: "refuse", server, times: random.int(1, 6), how };
  }
  if (draw < 0.92) return { ...base, do: "close", channel, graceMs: random.pick([0, 5, 100, 5000, 100_000]) };
  return { ...base, do: "jump", ms: random.pick([7, 100, 2000, 60_000]) };
}
