// What one call does on both of its ends: decided before it begins, so that the model knows what may come of it.
import type { SimRandom } from "./random.js";

/** The four kinds of calls, named as the echo service names them. */
export type CallKind = "echo" | "split" | "join" | "chat";

/** How a handler ends. */
export type HandlerEnd = "ok" | "error" | "throws" | "never";

/** A call from beginning to end. */
export interface CallScript {
  readonly kind: CallKind;
  readonly timeoutMs: number | undefined;
  /** When the caller's signal fires, after the call began; `undefined` for never. */
  readonly cancelAfterMs: number | undefined;
  /** Whether the signal is one that all calls of the world share; it fires at the world's end, if at all. */
  readonly sharedSignal: boolean;
  /** Whether the handler sends metadata with its response, and the caller listens for them. */
  readonly metadata: boolean;
  readonly requests: RequestScript;
  readonly reader: ReaderScript;
  readonly handler: HandlerScript;
}

/** The caller's requests. */
export interface RequestScript {
  /** The payload of each, in bytes. */
  readonly sizes: readonly number[];
  readonly pauseMs: number;
  /** How the stream of requests ends after them. */
  readonly end: "done" | "throws" | "never";
  /** Whether it is a plain iterable instead of an async one; then there are no pauses and a regular end. */
  readonly plain: boolean;
}

/** How the caller reads the responses. */
export interface ReaderScript {
  readonly startMs: number;
  readonly pauseMs: number;
  /** Leaves after so many; Infinity for never. */
  readonly leaveAfter: number;
}

/** What the handler does. */
export interface HandlerScript {
  /** The payload of each response, in bytes; the first one is the answer of calls with one. */
  readonly sizes: readonly number[];
  readonly pauseMs: number;
  readonly end: HandlerEnd;
  /** The pause before each request is read. */
  readonly readPauseMs: number;
  /** Stops reading requests after so many and goes on; Infinity for never. */
  readonly readAtMost: number;
  /** Whether it ends when its signal fires. */
  readonly obeys: boolean;
  /** Whether it is a plain function that answers at once. */
  readonly plain: boolean;
  /** Whether it looks at the metadata only after a pause. */
  readonly late: boolean;
}

/** What the scripts of one world may do. */
export interface ScriptTraits {
  readonly messageBytes: number;
  /** How often a payload is near or over the limit, from 0 to 1. */
  readonly large: number;
  /** Whether some calls wait for ever for something outside. */
  readonly stuck: boolean;
  /** The longest pause, in milliseconds. */
  readonly pauseMs: number;
}

const kinds: readonly CallKind[] = ["echo", "echo", "split", "join", "chat"];
const anHour = 3_600_000;

/** Makes up a call. */
export function makeScript(random: SimRandom, traits: ScriptTraits): CallScript {
  const kind = random.pick(kinds);
  const pause = (often: number): number => (random.chance(often) ? random.int(0, traits.pauseMs) : 0);
  const manyRequests = kind === "join" || kind === "chat";
  // Small responses then: the metadata travel in the same frame as the response.
  const metadata = random.chance(0.15);
  const requests: RequestScript = {
    sizes: sizes(random, traits, manyRequests ? count(random) : 1),
    pauseMs: pause(0.3),
    end: random.chance(0.08) ? "throws" : random.chance(0.05) ? "never" : "done",
    plain: random.chance(0.25),
  };
  const reader: ReaderScript = {
    startMs: pause(0.15),
    pauseMs: pause(0.25),
    leaveAfter: random.chance(0.12) ? random.int(0, 5) : Number.POSITIVE_INFINITY,
  };
  const handler: HandlerScript = {
    sizes: sizes(
      random,
      metadata ? { ...traits, large: 0 } : traits,
      kind === "split" || kind === "chat" ? count(random) : 1,
    ),
    pauseMs: pause(0.4),
    end: random.chance(0.1) ? "error" : random.chance(0.05) ? "throws" : random.chance(0.07) ? "never" : "ok",
    readPauseMs: pause(0.25),
    readAtMost: random.chance(0.1) ? random.int(0, 4) : Number.POSITIVE_INFINITY,
    obeys: random.chance(0.7),
    plain: kind === "echo" && random.chance(0.4),
    late: random.chance(0.3),
  };
  const endless =
    (handler.end === "never" && !handler.plain) || (manyRequests && requests.end === "never" && !requests.plain);
  const canceled = random.chance(0.15) || (endless && !traits.stuck && random.chance(0.5));
  const limited = random.chance(0.35) || (endless && !traits.stuck && !canceled);
  return {
    kind,
    timeoutMs: limited
      ? random.pick([random.int(1, 20), random.int(1, 500), random.int(1, 500), ...(endless ? [] : [anHour])])
      : undefined,
    cancelAfterMs: canceled ? random.pick([0, random.int(0, 10), random.int(0, 300)]) : undefined,
    sharedSignal: !canceled && random.chance(0.2),
    metadata,
    requests,
    reader,
    handler,
  };
}

function count(random: SimRandom): number {
  return random.pick([0, 1, 2, 3, random.int(0, 8), random.int(0, 30)]);
}

function sizes(random: SimRandom, { messageBytes, large }: ScriptTraits, length: number): readonly number[] {
  const made: number[] = [];
  for (let i = 0; i < length; i++) {
    if (random.chance(large)) made.push(messageBytes - random.int(-20, 40));
    else made.push(random.chance(0.2) ? 0 : random.int(0, random.pick([8, 64, messageBytes >> 1])));
  }
  return made;
}
