// Worlds that once broke a promise: run by every test, so that they never do again. A seed is shorter, but a change of
// plan.ts or script.ts makes another world of it; what was found in the product is therefore kept as a plan.
import type { Plan } from "./plan.js";

/** Seeds that found something, and what it was. */
export const regressionSeeds: readonly { readonly seed: number; readonly found: string }[] = [
  { seed: 13, found: "planted: a late connection that nobody closes" },
  { seed: 41, found: "planted: a closing server that takes new calls" },
  { seed: 56, found: "planted: a closing server that ends a connection one call early" },
  { seed: 62, found: "a hello that takes the last id" },
  { seed: 401, found: "planted: a closing channel that waits for its whole grace" },
  { seed: 1565, found: "planted: the end of an old connection makes the channel forget the present one" },
  { seed: 6629, found: "late data on more streams than a server with low limits remembers (no mistake)" },
];

const never = Number.POSITIVE_INFINITY;

/** Worlds that found something in the product, and what it was. */
export const regressionWorlds: readonly { readonly plan: Plan; readonly found: string }[] = [
  {
    found: "a hello that takes the last id: the call behind it went out with id 4294967297, which is 1",
    plan: {
      seed: 112,
      servers: 1,
      control: true,
      channels: [
        {
          server: 0,
          waitForReady: true,
          connectTimeoutMs: 5000,
          initialMs: 20,
          maxMs: 1000,
          firstId: 4_294_967_295,
          control: true,
          keepalive: undefined,
        },
      ],
      limits: { messageBytes: 12_000 },
      link: { capacity: 64, latencyMs: 20, chunkBytes: 2048, cuts: 0, immediate: false },
      scripts: { messageBytes: 12_000, large: 0, stuck: false, pauseMs: 200 },
      finalGraceMs: 1,
      operations: [
        {
          at: 112,
          seed: 1,
          do: "call",
          channel: 0,
          script: {
            kind: "split",
            timeoutMs: undefined,
            cancelAfterMs: undefined,
            sharedSignal: true,
            metadata: true,
            requests: { sizes: [1], pauseMs: 0, end: "done", plain: false },
            reader: { startMs: 0, pauseMs: 69, leaveAfter: never },
            handler: {
              sizes: [0, 59, 8],
              pauseMs: 153,
              end: "ok",
              readPauseMs: 0,
              readAtMost: never,
              obeys: false,
              plain: false,
              late: false,
            },
          },
        },
      ],
    },
  },
];
