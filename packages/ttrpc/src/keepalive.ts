// Finds out that a server is gone although its connection stays open: asks when nothing has come for a while. No I/O.
import { Code, RpcError } from "@guestwire/rpc";
import type { ClientControl, ControlHome } from "./client-control.js";
import type { Clock, Timer } from "./link.js";

/** When to ask whether the server is still there. */
export interface KeepaliveOptions {
  /** How long nothing may have come before the server is asked, in milliseconds. */
  readonly timeMs: number;
  /** How long the answer may take, in milliseconds; then the connection is closed. Default 20,000, as gRPC has it. */
  readonly timeoutMs?: number;
  /** Whether to ask also while no call is under way. Default false: a connection that nobody uses may be dead for long. */
  readonly withoutCalls?: boolean;
  /**
   * Which servers are asked: `ours` (default), which know the question; or `any`, as other ttrpc servers answer it too, with
   * an error, which shows that they live.
   */
  readonly peers?: "ours" | "any";
}

/** Finds out that a server is gone although nobody says so. */
export class Keepalive {
  readonly #home: ControlHome;
  readonly #control: ClientControl;
  readonly #clock: Clock;
  readonly #timeMs: number;
  readonly #timeoutMs: number;
  readonly #withoutCalls: boolean;
  readonly #any: boolean;
  #heardAt: number;
  #askedAt: number | undefined;
  #timer: Timer | undefined;

  constructor(home: ControlHome, control: ClientControl, clock: Clock, options: KeepaliveOptions) {
    this.#home = home;
    this.#control = control;
    this.#clock = clock;
    this.#timeMs = options.timeMs;
    this.#timeoutMs = options.timeoutMs ?? 20_000;
    this.#withoutCalls = options.withoutCalls ?? false;
    this.#any = options.peers === "any";
    this.#heardAt = clock.now();
    this.#wait(this.#timeMs);
  }

  /** Something came: the server is there. */
  heard(): void {
    this.#heardAt = this.#clock.now();
    this.#askedAt = undefined;
  }

  /** Asks nothing more. */
  stop(): void {
    this.#timer?.cancel();
  }

  #wait(ms: number): void {
    this.#timer = this.#clock.after(ms, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.now();
    // Unread bytes may be waiting: silence says nothing while this side does not listen.
    if (this.#home.paused) this.heard();
    const quietMs = now - this.#heardAt;
    if (this.#askedAt !== undefined) {
      const leftMs = this.#askedAt + this.#timeoutMs - now;
      if (leftMs > 0) return this.#waitForAnswer(leftMs);
      return this.#home.dead(`the server has not answered a ping within ${this.#timeoutMs} ms`);
    }
    if (quietMs < this.#timeMs) return this.#wait(this.#timeMs - quietMs);
    if (!this.#any && this.#control.known === false) return;
    if (!this.#withoutCalls && this.#home.calls === 0) return this.#wait(this.#timeMs);
    this.#askedAt = now;
    this.#control.ping();
    this.#waitForAnswer(this.#timeoutMs);
  }

  /** No longer than until the next question would be due: the answer is not waited for, only looked for. */
  #waitForAnswer(leftMs: number): void {
    this.#wait(Math.min(leftMs, this.#timeMs));
  }
}

/** @throws {RpcError} Code.InvalidArgument naming the option that is wrong. */
export function checkKeepalive(options: KeepaliveOptions | undefined): KeepaliveOptions | undefined {
  if (options === undefined) return undefined;
  const { timeMs, timeoutMs = 1, peers = "ours" } = options;
  for (const [name, value] of [
    ["timeMs", timeMs],
    ["timeoutMs", timeoutMs],
  ] as const) {
    if (typeof value === "number" && value > 0 && Number.isFinite(value)) continue;
    throw new RpcError(
      Code.InvalidArgument,
      `keepalive.${name} must be a number of milliseconds above 0, not ${value}`,
    );
  }
  if (peers === "ours" || peers === "any") return options;
  throw new RpcError(Code.InvalidArgument, `keepalive.peers must be "ours" or "any", not ${JSON.stringify(peers)}`);
}
