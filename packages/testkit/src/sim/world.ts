// One simulated world: the real channels and servers on a virtual clock and a network of faults, the calls of its plan, and
// what is noted of them. What must hold is in invariants.ts; the order of things in run.ts.
import { getEventListeners } from "node:events";
import { type Channel, type Client, createClient, type HandlerContext } from "@guestwire/rpc";
import { defaultLimits } from "@guestwire/ttrpc";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { type CallOutcome, type HandlerRecord, SimCall } from "./call.js";
import { makeCall } from "./caller.js";
import { SimClock } from "./clock.js";
import { simHandlers } from "./handlers.js";
import { describe, type ModelWorld, wrongEnd } from "./model.js";
import { type Connection, SimNet, type SimServer } from "./net.js";
import type { ChannelPlan, Plan } from "./plan.js";
import type { Limits, Product } from "./product.js";
import { SimRandom } from "./random.js";
import type { Trace } from "./trace.js";

const serverCloses = "the server closes";

/** A promise that does not hold. */
export class Violation extends Error {
  /** Which one: I1 to I9, or `error` for an error that nobody caught. */
  readonly invariant: string;

  constructor(invariant: string, what: string) {
    super(what);
    this.invariant = invariant;
  }

  override get name(): string {
    return "Violation";
  }
}

/** A channel and what is known of it. */
export interface SimChannel {
  readonly number: number;
  readonly plan: ChannelPlan;
  readonly channel: Channel;
  readonly client: Client<typeof EchoService>;
  closedAt: number;
  graceMs: number;
  closed: boolean;
  connectionEndedAt: number;
  /** How many calls have not ended, the most there ever were, and when the last one ended. */
  calls: number;
  mostCalls: number;
  idleAt: number;
}

/** A world while it runs. */
export class World {
  readonly plan: Plan;
  readonly limits: Limits;
  readonly clock: SimClock;
  readonly net: SimNet;
  readonly channels: SimChannel[] = [];
  readonly calls: SimCall[] = [];
  /** Calls that have not ended, and those whose handlers still run. */
  readonly live: Set<SimCall> = new Set();
  readonly ownSignals: AbortSignal[] = [];
  /** Resolves when the world is over. */
  readonly never: Promise<never>;
  /** When the clock jumped last. */
  jumpedAt: number = Number.NEGATIVE_INFINITY;
  violation: Violation | undefined;
  readonly #shared = new AbortController();
  readonly #trace: Trace;
  readonly #product: Product;
  readonly #random: SimRandom;
  readonly #mostRunning = new Map<number, number>();
  readonly #release: (() => void)[] = [];

  constructor(plan: Plan, product: Product, trace: Trace) {
    this.plan = plan;
    this.limits = { ...defaultLimits, ...plan.limits };
    this.#product = product;
    this.#trace = trace;
    this.#random = new SimRandom(plan.seed ^ 0x5eed);
    this.clock = new SimClock(new SimRandom(this.#random.seed()), (error) => this.caught(error));
    this.net = new SimNet(this.clock, this.#random.seed(), plan.link, this.limits, this);
    this.never = new Promise((_, reject) => this.#release.push(() => reject(new Error("the world is over"))));
    this.never.catch(() => {});
    for (let place = 0; place < plan.servers; place++) this.addServer(place);
    for (const channel of plan.channels) this.#addChannel(channel);
  }

  /** A signal that calls share. */
  get sharedSignal(): AbortSignal {
    return this.#shared.signal;
  }

  /** How many listeners there are on the signals that calls were given. */
  get listeners(): number {
    let count = 0;
    for (const signal of [this.sharedSignal, ...this.ownSignals]) count += getEventListeners(signal, "abort").length;
    return count;
  }

  /** Writes down what happens. */
  note(what: string, a = 0, b = 0): void {
    this.#trace.add(this.clock.now(), what, a, b);
  }

  /** A promise does not hold. The first one counts. */
  violated(invariant: string, what: string): Violation {
    const violation = new Violation(invariant, what);
    this.violation ??= violation;
    return violation;
  }

  /** Something threw that nobody caught. */
  caught(error: unknown): void {
    if (error instanceof Violation) return;
    this.violated("error", `nobody caught ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }

  /** A new server at a place. */
  addServer(place: number): SimServer {
    return this.net.place(place, (number) =>
      new this.#product.TtrpcServer({ limits: this.plan.limits, control: this.plan.control }, this.clock).service(
        EchoService,
        simHandlers(this, number),
      ),
    );
  }

  /** Begins a call. */
  call(channelNumber: number, script: SimCall["script"]): void {
    const channel = this.channels[channelNumber] as SimChannel;
    const call = new SimCall(this.calls.length, channelNumber, script, this.clock.now());
    this.calls.push(call);
    this.live.add(call);
    channel.calls++;
    channel.mostCalls = Math.max(channel.mostCalls, channel.calls);
    this.note(`call ${script.kind}`, call.id, channelNumber);
    makeCall(this, call, channel.client);
  }

  /** A call has ended on the caller's side. */
  ended(call: SimCall, outcome: CallOutcome): void {
    if (call.outcome !== undefined) {
      this.violated("I1", `call ${call.id} ended a second time`);
      return;
    }
    call.outcome = outcome;
    const channel = this.channels[call.channel] as SimChannel;
    channel.calls--;
    channel.idleAt = this.clock.now();
    this.note(outcome.is === "error" ? `failed: ${describe(outcome.error)}` : outcome.is, call.id);
    const wrong = wrongEnd(call, this.#modelWorld(call));
    if (wrong !== undefined) this.violated("I1", `call ${call.id} (${call.script.kind}): ${wrong}`);
  }

  /** A handler begins. */
  handlerBegins(call: SimCall, server: number, context: HandlerContext): HandlerRecord {
    const now = this.clock.now();
    this.note("handler begins", call.id, server);
    call.handlerStarts++;
    if (call.handlerStarts > 1) this.violated("I3", `a handler runs twice for call ${call.id}`);
    const { closingAt } = this.net.servers[server] as SimServer;
    if (closingAt <= now) this.violated("I9", `server ${server} took call ${call.id} while it closes`);
    const left = context.timeRemainingMs();
    // What was under way took time that the server knows nothing of.
    if (left > call.deadlineAt - call.startedAt + 0.001) {
      this.violated("I4", `the handler of call ${call.id} has ${left} ms, the caller gave ${call.script.timeoutMs}`);
    }
    const record: HandlerRecord = {
      server,
      connection: Number(context.peer.address.slice("connection:".length)),
      startedAt: now,
      deadlineAt: now + left,
      signal: undefined,
      queue: undefined,
      got: 0,
      sawEnd: false,
      given: 0,
      ended: undefined,
    };
    call.handler = record;
    const running = (this.net.servers[server] as SimServer).instance.runningCalls;
    this.#mostRunning.set(server, Math.max(running, this.#mostRunning.get(server) ?? 0));
    return record;
  }

  /** A handler saw its requests end as if all of them had come. */
  sawEndOfRequests(call: SimCall): void {
    if (call.source === "done" && call.handler?.got === call.sent) return;
    const got = `${call.handler?.got} of ${call.sent} requests`;
    this.violated(
      "I2",
      `the handler of call ${call.id} saw a regular end after ${got}; their source is ${call.source}`,
    );
  }

  connectionOver(connection: Connection, end: { readonly name: string }): void {
    const { number, channel, causes, server, tap } = connection;
    this.note(`${end.name} over`, number);
    const owner = this.channels[channel] as SimChannel;
    owner.connectionEndedAt = this.clock.now();
    if (causes.length > 0) return;
    if (!connection.serving.started && this.limits.connections <= 1) causes.push("one connection too many");
    else if (owner.closedAt <= this.clock.now()) causes.push("the channel closes");
    else if (end.name === "client" && this.#mayMissPing(owner, connection)) causes.push("perhaps an unanswered ping");
    else if (server.closingAt <= this.clock.now()) causes.push(serverCloses);
    else if (tap.exhausted) causes.push("no more ids");
    else if (this.#lowSendLimit) causes.push("perhaps too much to send");
    else if (this.#slowFrames) causes.push("perhaps a slow frame");
    else this.violated("I8", `connection ${number} ended at the ${end.name} without a reason`);
  }

  /** Whether both ends of a channel's connections can and may use guestwire.control.v1 at any time. */
  speaksControl({ plan }: SimChannel): boolean {
    // A question is not asked while the connection is full, nor when ids run out.
    return this.plan.control && plan.control && plan.firstId === 1 && this.limits.sendBytes > 1 << 20;
  }

  /** Waits; ends early with the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.clock.happen(ms, done);
      signal?.addEventListener("abort", done);
    });
  }

  /** Waits for the signal, or for the end of the world. */
  until(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.#release.push(resolve);
      if (signal?.aborted) resolve();
      else signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** Lets all go who would wait for ever. */
  release(): void {
    for (const release of this.#release.splice(0)) release();
  }

  /** Whether a frame may take longer than it has. */
  get #slowFrames(): boolean {
    const { operations } = this.plan;
    const { frameMs } = this.limits;
    return frameMs < 1000 || operations.some((operation) => operation.do === "jump" && operation.ms >= frameMs);
  }

  /** Whether an answer to a ping may have taken too long: nothing but a fault takes as long as the longest time for it. */
  #mayMissPing({ plan }: SimChannel, { client, serving }: Connection): boolean {
    if (plan.keepalive === undefined) return false;
    const silent = Math.max(client.stalledUntil, serving.stalledUntil) === Number.POSITIVE_INFINITY;
    return plan.keepalive.timeoutMs < 20_000 || silent || this.jumpedAt > 0;
  }

  /** Whether a closing server, within its grace, cut a call whose handler was at work. */
  #closedTooEarly({ handler }: SimCall): boolean {
    if (handler === undefined || this.#slowFrames || this.#lowSendLimit) return false;
    const { server, causes, client, serving } = this.net.connections[handler.connection] as Connection;
    if (causes.some((cause) => cause !== serverCloses) || client.rude || serving.rude) return false;
    const now = this.clock.now();
    if (
      handler.startedAt > server.closingAt ||
      now >= Math.min(server.closingAt + server.graceMs, handler.deadlineAt)
    ) {
      return false;
    }
    return handler.ended === undefined || handler.ended === "aborted";
  }

  /** Whether the connection that brought a call to its handler is as it was. */
  #stillConnected({ handler }: SimCall): boolean {
    if (handler === undefined) return false;
    const { client } = this.net.connections[handler.connection] as Connection;
    return !client.destroyed && !client.told;
  }

  get #lowSendLimit(): boolean {
    return this.limits.sendLimitBytes < 1 << 20;
  }

  #addChannel(plan: ChannelPlan): void {
    const number = this.channels.length;
    const { waitForReady, connectTimeoutMs, initialMs, maxMs, firstId, server, control, keepalive } = plan;
    const random = new SimRandom(this.#random.seed());
    const channel = this.#product.openChannel(
      this.net.dialer(number, server, firstId),
      {
        waitForReady,
        connectTimeoutMs,
        backoff: { initialMs, maxMs },
        limits: this.plan.limits,
        control,
        ...(keepalive !== undefined && { keepalive }),
      },
      this.clock,
      firstId,
      () => random.next(),
    );
    this.channels.push({
      number,
      plan,
      channel,
      client: createClient(EchoService, channel),
      closedAt: Number.POSITIVE_INFINITY,
      graceMs: 0,
      closed: false,
      connectionEndedAt: Number.NEGATIVE_INFINITY,
      calls: 0,
      mostCalls: 0,
      idleAt: Number.NEGATIVE_INFINITY,
    });
  }

  #modelWorld(call: SimCall): ModelWorld {
    const channel = this.channels[call.channel] as SimChannel;
    const { limits } = this;
    const servers = this.net.servers.filter(({ place }) => place === channel.plan.server);
    return {
      now: this.clock.now(),
      messageBytes: limits.messageBytes,
      channelClosedAt: channel.closedAt,
      channelGraceEndsAt: channel.closedAt + channel.graceMs,
      waitForReady: channel.plan.waitForReady,
      connectionEndedAt: this.#stillConnected(call) ? Number.NEGATIVE_INFINITY : channel.connectionEndedAt,
      closedTooEarly: this.#closedTooEarly(call),
      metadataDue: this.speaksControl(channel),
      dialFailedAt: this.net.dialFailedAt.get(channel.number) ?? Number.NEGATIVE_INFINITY,
      serverClosingAt: Math.min(...servers.map(({ closingAt }) => closingAt)),
      mostRunning: Math.max(0, ...servers.map(({ number }) => this.#mostRunning.get(number) ?? 0)),
      mostHandlers: Math.min(limits.connectionCalls, limits.serverCalls),
      deadlineMs: limits.deadlineMs,
      waitingCalls: limits.waitingCalls,
      lowSendLimit: this.#lowSendLimit,
      slowFrames: this.#slowFrames,
      mostCalls: channel.mostCalls,
    };
  }
}
