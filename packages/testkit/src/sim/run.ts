// Runs one world from its beginning to its end: the plan's operations, then everything is healed and must come to an end,
// then everything is closed and nothing may be left.
import { atRest, checkEnd, checkHandlers, checkRest, checkStep, stuckChannels } from "./invariants.js";
import { makePlan, type Operation, type Plan } from "./plan.js";
import type { Product } from "./product.js";
import { SimRandom } from "./random.js";
import { Trace } from "./trace.js";
import { type SimChannel, type Violation, World } from "./world.js";

/** What came of a world. */
export interface RunResult {
  readonly seed: number;
  readonly steps: number;
  readonly events: number;
  readonly calls: number;
  readonly hash: string;
  readonly violation: Violation | undefined;
  /** What happened, one event a line; empty where it was not to be kept. */
  readonly lines: readonly string[];
}

// More than the slowest script takes; virtual time costs nothing.
const restMs = 120_000;
// Calls that wait for ever may hold up others; more time does not help those.
const stuckRestMs = 5000;
const endMs = 120_000;
// A world that never comes to rest goes round in circles.
const mostSteps = 200_000;

/** Runs the world of a seed. */
export function runSeed(product: Product, seed: number, keep = false): Promise<RunResult> {
  return runPlan(product, makePlan(seed), keep);
}

/** Runs a world. @param keep Whether to keep the text of what happened. */
export async function runPlan(product: Product, plan: Plan, keep = false): Promise<RunResult> {
  const trace = new Trace(keep);
  const world = new World(plan, product, trace);
  const caught = (error: unknown): void => world.caught(error);
  process.on("unhandledRejection", caught);
  process.on("uncaughtException", caught);
  const runner = new Runner(world);
  try {
    await runner.run();
  } finally {
    world.release();
    await turn();
    process.off("unhandledRejection", caught);
    process.off("uncaughtException", caught);
  }
  const { violation } = world;
  return {
    seed: plan.seed,
    steps: runner.steps,
    events: trace.events,
    calls: world.calls.length,
    hash: trace.hash,
    violation,
    lines: trace.lines,
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Runner {
  readonly world: World;
  steps = 0;

  constructor(world: World) {
    this.world = world;
  }

  async run(): Promise<void> {
    const { world } = this;
    const { clock, plan } = world;
    const startedAt = clock.now();
    let lastAt = 0;
    for (const operation of plan.operations) {
      lastAt = operation.at;
      clock.happen(operation.at, () => this.#operate(operation));
    }
    if (!(await this.#until(startedAt + lastAt))) return;
    world.note("healed");
    world.net.heal();
    if (!(await this.#until(clock.now() + stuckRestMs, () => atRest(world, new Set())))) return;
    if (!(await this.#until(clock.now() + restMs, () => atRest(world, stuckChannels(world))))) return;
    checkRest(world);
    if (world.violation !== undefined) return;
    world.note("closing");
    for (const channel of world.channels) this.#closeChannel(channel, plan.finalGraceMs);
    for (const { number } of world.net.servers) this.#closeServer(number, plan.finalGraceMs);
    if (!(await this.#until(clock.now() + endMs))) return;
    checkEnd(world);
    world.release();
    if (await this.#until(clock.now() + endMs)) checkHandlers(world);
  }

  /** @returns Whether all promises held. */
  async #until(until: number, done: () => boolean = () => false): Promise<boolean> {
    const { world } = this;
    await turn();
    while (world.violation === undefined && !done()) {
      const task = world.clock.take(until);
      if (task === undefined) break;
      if (++this.steps > mostSteps) world.violated("I6", `the world does not rest within ${mostSteps} steps`);
      try {
        task();
      } catch (error) {
        world.caught(error);
      }
      // Everything that follows from it, promises and all, before anything else happens.
      await turn();
      checkStep(world);
    }
    return world.violation === undefined;
  }

  #operate(operation: Operation): void {
    const { world } = this;
    const { net, clock } = world;
    const random = new SimRandom(operation.seed);
    switch (operation.do) {
      case "call":
        return world.call(operation.channel, operation.script);
      case "link":
        return this.#linkFault(operation, random);
      case "crash":
        world.note("crash", operation.server, operation.downMs);
        net.crash(operation.server, operation.downMs);
        this.#closeServer(net.serverAt(operation.server)?.number ?? -1, 0);
        return void world.addServer(operation.server);
      case "replace":
        world.note("replace", operation.server, operation.graceMs);
        this.#closeServer(net.serverAt(operation.server)?.number ?? -1, operation.graceMs);
        return void world.addServer(operation.server);
      case "refuse":
        world.note(`refuse ${operation.how}`, operation.server, operation.times);
        return net.refuse(operation.server, operation.how, operation.times);
      case "close":
        return this.#closeChannel(world.channels[operation.channel] as SimChannel, operation.graceMs);
      case "jump":
        world.note("jump", operation.ms);
        clock.jump(operation.ms);
        world.jumpedAt = clock.now();
        return;
    }
  }

  #linkFault(operation: Operation & { do: "link" }, random: SimRandom): void {
    const { world } = this;
    const open = world.net.connections.filter(
      ({ channel, client, serving }) => channel === operation.channel && !client.destroyed && !serving.destroyed,
    );
    if (open.length === 0) return;
    const connection = random.pick(open);
    const end = operation.toServer ? connection.serving : connection.client;
    world.note(`${operation.fault} at the ${end.name}`, connection.number, operation.ms);
    if (operation.fault === "reset") world.net.reset(connection, operation.ms, "reset");
    else if (operation.fault === "silence") {
      // The other side is gone, and nobody says so.
      connection.serving.stalledUntil = Number.POSITIVE_INFINITY;
      connection.client.stalledUntil = Number.POSITIVE_INFINITY;
    } else if (operation.fault === "stall") end.stalledUntil = world.clock.now() + operation.ms;
    else {
      connection.causes.push("half-closed");
      end.halfClose();
    }
  }

  #closeChannel(channel: SimChannel, graceMs: number): void {
    if (channel.closedAt !== Number.POSITIVE_INFINITY) return;
    channel.closedAt = this.world.clock.now();
    channel.graceMs = graceMs;
    this.world.note("close channel", channel.number, graceMs);
    void channel.channel.close({ graceMs }).then(() => {
      channel.closed = true;
      this.world.note("channel closed", channel.number);
    });
  }

  #closeServer(number: number, graceMs: number): void {
    const server = this.world.net.servers[number];
    if (server === undefined || server.closingAt !== Number.POSITIVE_INFINITY) return;
    server.closingAt = this.world.clock.now();
    server.graceMs = graceMs;
    this.world.note("close server", number, graceMs);
    void server.instance.close({ graceMs }).then(() => {
      server.closed = true;
      this.world.note("server closed", number);
    });
  }
}
