// The callers of a soak on one road: start calls at the pace that is given, see how each ends, and remember what was wrong.
import { getEventListeners } from "node:events";
import { type CallOptions, type Channel, createClient } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { EchoService } from "../echo/index.js";
import { SimRandom } from "../sim/random.js";
import { type CallTerms, dueAt, hangMs, judge, lateMs } from "./judge.js";
import type { LoopStall } from "./loop-stall.js";
import { type EchoClient, type Operation, operations } from "./operations.js";
import type { Profile } from "./profiles.js";

// A handler that hangs may outlive its call for as long as its own deadline.
const endlessMs = 1500;
// Where nothing else ends a call, more time would only mean fewer calls.
const silentMs = 2000;
const mostAtOnce = 24;
const weights = operations.reduce((sum, { weight }) => sum + weight, 0);

/** What became of a road's calls since it was last asked. */
export interface RoadCounts {
  ok: number;
  failed: number;
  deadline: number;
  canceled: number;
}

/** All callers of one road. */
export class Load {
  readonly profile: Profile;
  counts: RoadCounts = { ok: 0, failed: 0, deadline: 0, canceled: 0 };
  /** What was wrong, first things first. */
  readonly problems: string[] = [];
  readonly #address: string;
  readonly #random: SimRandom;
  readonly #stall: LoopStall;
  readonly #channel: Channel;
  readonly #client: EchoClient;
  readonly #running = new Set<CallTerms>();
  // One signal for most calls, for as long as the soak takes.
  readonly #signal: AbortSignal = new AbortController().signal;
  #hung = new WeakSet<CallTerms>();

  constructor(profile: Profile, address: string, seed: number, stall: LoopStall) {
    this.profile = profile;
    this.#address = address;
    this.#random = new SimRandom(seed);
    this.#stall = stall;
    this.#channel = connect(address, profile.options);
    this.#client = createClient(EchoService, this.#channel);
  }

  /** Calls under way. */
  get running(): number {
    return this.#running.size;
  }

  /** Starts a call, unless there are many. */
  begin(): void {
    if (this.#running.size >= mostAtOnce) return;
    if (this.#random.chance(0.01)) void this.#visit();
    else void this.#call(this.#client, this.#pick());
  }

  /** Looks for calls that should have ended. */
  look(): void {
    const now = performance.now();
    for (const call of this.#running) {
      const due = dueAt(call);
      if (now < due + lateMs + 500 || now < due + lateMs + 500 + this.#stall.since(due) || this.#hung.has(call))
        continue;
      this.#hung.add(call);
      this.#wrong(call.name, `goes on ${(now - due).toFixed(0)} ms after its time`);
    }
  }

  /** Waits until all calls have ended, and checks that they left nothing with the signal. */
  async quiet(): Promise<void> {
    const until = performance.now() + hangMs + 5000;
    while (this.#running.size > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      this.look();
    }
    const names = [...this.#running].map(({ name }) => name);
    if (names.length > 0) this.#wrong("end", `calls that never end: ${names.join(", ")}`);
    const listeners = getEventListeners(this.#signal, "abort").length;
    if (names.length === 0 && listeners > 0) this.#wrong("end", `${listeners} listeners are left on the signal`);
  }

  /** Closes the channel. */
  close(): Promise<void> {
    return this.#channel.close();
  }

  #pick(): Operation {
    let at = this.#random.next() * weights;
    for (const operation of operations) {
      at -= operation.weight;
      if (at < 0) return operation;
    }
    return operations[0] as Operation;
  }

  async #call(client: EchoClient, operation: Operation, leaving?: AbortSignal): Promise<void> {
    const random = new SimRandom(this.#random.seed());
    const short = operation.endless === true || random.chance(0.2);
    const free = !this.profile.needsDeadline && random.chance(0.3);
    const long = this.profile.needsDeadline ? silentMs : 20_000;
    const timeoutMs = short ? random.int(1, endlessMs) : free ? Number.POSITIVE_INFINITY : long;
    const call: CallTerms = {
      name: operation.name,
      profile: this.profile,
      startedAt: performance.now(),
      timeoutMs,
      pausesMs: operation.pausesMs ?? 0,
      abortedAt: undefined,
    };
    this.#running.add(call);
    const control = random.chance(0.1) ? new AbortController() : undefined;
    const abort = (): void => {
      call.abortedAt ??= performance.now();
    };
    control?.signal.addEventListener("abort", abort);
    leaving?.addEventListener("abort", abort);
    const timer = control && setTimeout(() => control.abort(), random.int(0, 100));
    const options: CallOptions = {
      ...(Number.isFinite(timeoutMs) && { timeoutMs }),
      signal: control?.signal ?? this.#signal,
    };
    let error: unknown;
    try {
      await operation.run(client, options, random);
    } catch (thrown) {
      error = thrown;
    }
    clearTimeout(timer);
    leaving?.removeEventListener("abort", abort);
    this.#running.delete(call);
    const problem = judge(call, error, performance.now(), (since) => this.#stall.since(since));
    if (problem !== undefined) this.#wrong(call.name, problem);
    this.#count(error);
  }

  /** A channel that is opened for some calls and closed while they run. */
  async #visit(): Promise<void> {
    const random = new SimRandom(this.#random.seed());
    const channel = connect(this.#address, this.profile.options);
    const client = createClient(EchoService, channel);
    const leaving = new AbortController();
    const calls = Array.from({ length: random.int(1, 4) }, () => this.#call(client, this.#pick(), leaving.signal));
    await new Promise((resolve) => setTimeout(resolve, random.int(0, 40)));
    leaving.abort();
    await channel.close();
    await Promise.all(calls);
  }

  #count(error: unknown): void {
    const reason = (error as { reason?: string } | undefined)?.reason;
    if (error === undefined) this.counts.ok++;
    else if (reason === "deadline") this.counts.deadline++;
    else if (reason === "canceled") this.counts.canceled++;
    else this.counts.failed++;
  }

  #wrong(name: string, text: string): void {
    if (this.problems.length < 50) this.problems.push(`${this.profile.name}: ${name} ${text}`);
  }
}
