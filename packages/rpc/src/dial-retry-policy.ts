// How long to try, how long one attempt may take and how long to pause: as data, with the habits of known runtimes.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/** Times that grow from attempt to attempt. */
export interface DialSteps {
  /** The first, in milliseconds; above 0. */
  readonly initialMs: number;
  /** The longest, in milliseconds. */
  readonly maxMs: number;
  /** What each is multiplied with for the next. Default 2. */
  readonly factor?: number;
}

/** When to try, and for how long. */
export interface DialPolicy {
  /** How long all attempts and pauses may take together, in milliseconds; 0 and Infinity: no limit. */
  readonly timeoutMs: number;
  /** How long one attempt may take; the next step follows an attempt that used all of its time. */
  readonly attempt: DialSteps;
  /** The pause after a failed attempt; `"rest"`: until the time of the failed attempt would have been up. */
  readonly pause: DialSteps | "rest";
  /**
   * The share of a pause, 0 to 1, of which a random part is left out, so that many clients do not come at once. Default
   * 0.
   */
  readonly jitter?: number;
}

/**
 * For whom nothing else is said: 2 s an attempt (the kernel's own limit for vsock), pauses of 25 ms to 1 s, 10 s in
 * all.
 */
export const defaultDial: DialPolicy = {
  timeoutMs: 10_000,
  attempt: { initialMs: 2000, maxMs: 2000 },
  pause: { initialMs: 25, maxMs: 1000 },
  jitter: 0.2,
};

/** spinbox, dialing a guest that was ready before: 2 s in all, pauses of 20 to 500 ms. */
export const spinboxDial: DialPolicy = {
  timeoutMs: 2000,
  attempt: { initialMs: 2000, maxMs: 2000 },
  pause: { initialMs: 20, maxMs: 500 },
};

/** spinbox's task client: as {@link spinboxDial}, but 1 s in all. */
export const spinboxTaskDial: DialPolicy = { ...spinboxDial, timeoutMs: 1000 };

/** spinbox, opening a raw stream (port 1026): 1 s in all, pauses of 5 to 100 ms. */
export const spinboxStreamDial: DialPolicy = {
  timeoutMs: 1000,
  attempt: { initialMs: 1000, maxMs: 1000 },
  pause: { initialMs: 5, maxMs: 100 },
};

/** spinbox, reading events again after the stream broke: 2 s in all, pauses of 50 to 500 ms less up to 20 %. */
export const spinboxEventsDial: DialPolicy = {
  timeoutMs: 2000,
  attempt: { initialMs: 2000, maxMs: 2000 },
  pause: { initialMs: 50, maxMs: 500 },
  jitter: 0.2,
};

/**
 * kata's Go runtime: windows of 25 ms, doubling to 10 s, 30 s in all. Each holds one attempt with its handshake, and
 * the next attempt comes with the next window. It finds the moment when a guest that answers nothing begins to answer.
 */
export const kataDial: DialPolicy = {
  timeoutMs: 30_000,
  attempt: { initialMs: 25, maxMs: 10_000 },
  pause: "rest",
};

/** kata's Rust runtime with its defaults: every 30 ms, 3 s in all. */
export const kataRustDial: DialPolicy = {
  timeoutMs: 3000,
  attempt: { initialMs: 3000, maxMs: 3000 },
  pause: { initialMs: 30, maxMs: 30 },
};

/** ArcBox's host, waiting for its agent: every 100 ms, 5 s an attempt, 30 s in all. */
export const arcboxDial: DialPolicy = {
  timeoutMs: 30_000,
  attempt: { initialMs: 5000, maxMs: 5000 },
  pause: { initialMs: 100, maxMs: 100 },
};

/** ArcBox's host, waiting for the runtime in the guest: pauses of 120 ms to 1.2 s, growing by half, 60 s in all. */
export const arcboxRuntimeDial: DialPolicy = {
  timeoutMs: 60_000,
  attempt: { initialMs: 5000, maxMs: 5000 },
  pause: { initialMs: 120, maxMs: 1200, factor: 1.5 },
};

/** The step after so many failures in a row, in milliseconds. */
export function stepMs(steps: DialSteps, failures: number): number {
  return Math.min(steps.initialMs * (steps.factor ?? 2) ** failures, steps.maxMs);
}

/**
 * Checks a policy.
 *
 * @param name What the option with it is called. Default `policy`.
 * @throws {RpcError} Code.InvalidArgument naming the part of the policy that is wrong.
 */
export function checkDialPolicy(policy: DialPolicy, name: string = "policy"): void {
  if (typeof policy !== "object" || policy === null) throw wrong(name, "a policy", policy);
  const { timeoutMs, attempt, pause } = policy;
  if (!(timeoutMs >= 0)) throw wrong(`${name}.timeoutMs`, "a number of milliseconds from 0 on", timeoutMs);
  checkSteps(`${name}.attempt`, attempt);
  if (pause !== "rest") checkSteps(`${name}.pause`, pause);
  const { jitter = 0 } = policy;
  if (!(jitter >= 0 && jitter <= 1)) throw wrong(`${name}.jitter`, "a number from 0 to 1", jitter);
}

function checkSteps(name: string, steps: DialSteps): void {
  if (typeof steps !== "object" || steps === null) throw wrong(name, "an object with initialMs and maxMs", steps);
  const { initialMs, maxMs, factor = 2 } = steps;
  // Without a pause the loop would keep the process busy.
  if (!(initialMs > 0)) throw wrong(`${name}.initialMs`, "a number of milliseconds above 0", initialMs);
  if (!(maxMs >= initialMs)) throw wrong(`${name}.maxMs`, `a number from initialMs (${initialMs}) on`, maxMs);
  if (!(factor >= 1)) throw wrong(`${name}.factor`, "a number from 1 on", factor);
}

function wrong(name: string, what: string, value: unknown): RpcError {
  return new RpcError(Code.InvalidArgument, `${name} must be ${what}, not ${String(value)}`);
}
