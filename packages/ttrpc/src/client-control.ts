// What a client's connection says by guestwire.control.v1: which calls were canceled, what it can take, whether the server is
// still there. A server that does not know the service is not asked again. No I/O, no frames.
import { Code, RpcError } from "@guestwire/rpc";
import { controlMethods, Feature, type Features } from "./control-protocol.js";
import type { Clock, Timer } from "./link.js";
import type { PreparedMethod } from "./prepared-method.js";

/** When to ask whether the server is still there. */
export interface KeepaliveOptions {
  /** How long nothing may have come before the server is asked, in milliseconds. */
  readonly intervalMs: number;
  /** How long the answer may take, in milliseconds; then the connection is closed. Default 20,000, as gRPC has it. */
  readonly timeoutMs?: number;
  /** Whether to ask also while no call is under way. Default false: a connection that nobody uses may be dead for long. */
  readonly whenIdle?: boolean;
  /**
   * Which servers are asked: `ours` (default), which know the question; or `any`, as other ttrpc servers answer it too, with
   * an error, which shows that they live.
   */
  readonly peers?: "ours" | "any";
}

/** What the control side of a connection asks of its session. */
export interface ControlHome {
  /** Whether a call is under way. */
  readonly calls: number;
  /** Whether the session itself does not read for the moment. */
  readonly paused: boolean;
  /** Makes a call of the service; false where the connection cannot take one now. */
  ask(method: PreparedMethod, request: object, done: (error: RpcError | undefined, response?: object) => void): boolean;
  /** The server is gone. */
  dead(message: string): void;
}

// Cancellations that wait for the first answer: more than may run at a time there never are for long.
const waitingCancels = 1024;
// These say nothing about whether the server knows the service.
const passing: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.ResourceExhausted,
  Code.Canceled,
  Code.DeadlineExceeded,
]);

/** One connection's side of guestwire.control.v1. */
export class ClientControl {
  readonly #home: ControlHome;
  // `undefined` until the server has answered once.
  #known: boolean | undefined;
  #asking = false;
  #greeted = false;
  #sendsMetadata = false;
  readonly #canceled: number[] = [];

  /** @param enabled Whether to speak of it at all. */
  constructor(home: ControlHome, enabled: boolean) {
    this.#home = home;
    if (!enabled) this.#known = false;
  }

  /** Whether the server knows the service; `undefined` until it was asked. */
  get known(): boolean | undefined {
    return this.#known;
  }

  /** Whether the server has said that it sends metadata with its responses. */
  get sendsMetadata(): boolean {
    return this.#sendsMetadata;
  }

  /** Tells the server that nobody waits for a call any more. */
  cancel(streamId: number): void {
    if (this.#known === false) return;
    // The first question goes alone: a server that does not know the service should get one, not a thousand.
    if (this.#known === undefined && this.#asking) {
      if (this.#canceled.length < waitingCancels) this.#canceled.push(streamId);
      return;
    }
    this.#ask(controlMethods.cancel, { streamId });
  }

  /** Tells the server what this side can take; once, in front of the first call that wants it. */
  hello(): void {
    if (this.#greeted || this.#known === false) return;
    this.#greeted = this.#ask(controlMethods.hello, { features: [Feature.ResponseMetadata] }, (answer) => {
      this.#sendsMetadata = (answer as Features).features.includes(Feature.ResponseMetadata);
    });
  }

  /** Asks whether the server is there. */
  ping(): void {
    this.#ask(controlMethods.ping, {});
  }

  #ask(method: PreparedMethod, request: object, answered: (response: object) => void = () => {}): boolean {
    const first = this.#known === undefined;
    if (first) this.#asking = true;
    const asked = this.#home.ask(method, request, (error, response) => {
      if (error === undefined) {
        this.#known = true;
        answered(response as object);
      } else if (!passing.has(error.code)) this.#known = false;
      if (first) this.#answered();
    });
    if (first && !asked) this.#asking = false;
    return asked;
  }

  /** The first question has its answer: what waited for it goes, or is dropped. */
  #answered(): void {
    this.#asking = false;
    const canceled = this.#canceled.splice(0);
    if (this.#known === true) for (const id of canceled) this.cancel(id);
  }
}

/** Finds out that a server is gone although nobody says so. */
export class Keepalive {
  readonly #home: ControlHome;
  readonly #control: ClientControl;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #whenIdle: boolean;
  readonly #any: boolean;
  #heardAt: number;
  #askedAt: number | undefined;
  #timer: Timer | undefined;

  constructor(home: ControlHome, control: ClientControl, clock: Clock, options: KeepaliveOptions) {
    this.#home = home;
    this.#control = control;
    this.#clock = clock;
    this.#intervalMs = options.intervalMs;
    this.#timeoutMs = options.timeoutMs ?? 20_000;
    this.#whenIdle = options.whenIdle ?? false;
    this.#any = options.peers === "any";
    this.#heardAt = clock.now();
    this.#wait(this.#intervalMs);
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
    if (quietMs < this.#intervalMs) return this.#wait(this.#intervalMs - quietMs);
    if (!this.#any && this.#control.known === false) return;
    if (!this.#whenIdle && this.#home.calls === 0) return this.#wait(this.#intervalMs);
    this.#askedAt = now;
    this.#control.ping();
    this.#waitForAnswer(this.#timeoutMs);
  }

  /** No longer than until the next question would be due: the answer is not waited for, only looked for. */
  #waitForAnswer(leftMs: number): void {
    this.#wait(Math.min(leftMs, this.#intervalMs));
  }
}

/** @throws {RpcError} Code.InvalidArgument naming the option that is wrong. */
export function checkKeepalive(options: KeepaliveOptions | undefined): KeepaliveOptions | undefined {
  if (options === undefined) return undefined;
  const { intervalMs, timeoutMs = 1, peers = "ours" } = options;
  for (const [name, value] of [
    ["intervalMs", intervalMs],
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
