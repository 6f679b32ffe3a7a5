// The simulated network: servers that can crash and come back, ways to them that can fail, and the connections between,
// with the reasons that each one had to end.
import type { SimClock } from "./clock.js";
import { type LinkTraits, SimEnd } from "./link.js";
import type { DialFault } from "./plan.js";
import type { Dialer, Limits, Link, TtrpcServer } from "./product.js";
import { SimRandom } from "./random.js";
import { WireTap } from "./wire-tap.js";

/** A connection, from its making to its end. */
export interface Connection {
  readonly number: number;
  readonly channel: number;
  readonly server: SimServer;
  readonly client: SimEnd;
  readonly serving: SimEnd;
  readonly tap: WireTap;
  /** What gives it the right to end. */
  readonly causes: string[];
}

/** One server object; a crash or a replacement makes another one in its place. */
export interface SimServer {
  readonly number: number;
  readonly place: number;
  readonly instance: TtrpcServer;
  /** When it was told to close; Infinity while it serves. */
  closingAt: number;
  graceMs: number;
  closed: boolean;
}

/** A way to servers: where they listen. */
interface Place {
  server: SimServer | undefined;
  downUntil: number;
  readonly faults: DialFault[];
}

/** What the network tells the world. */
export interface NetWatcher {
  note(what: string, a: number, b: number): void;
  violated(invariant: string, what: string): unknown;
  connectionOver(connection: Connection, end: SimEnd): void;
}

/** All servers and connections of a world. */
export class SimNet {
  readonly connections: Connection[] = [];
  readonly servers: SimServer[] = [];
  /** When an attempt to connect failed last, by channel. */
  readonly dialFailedAt: Map<number, number> = new Map<number, number>();
  pendingDials = 0;
  readonly #places: Place[] = [];
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  readonly #traits: LinkTraits;
  readonly #limits: Limits;
  readonly #watcher: NetWatcher;

  constructor(clock: SimClock, seed: number, traits: LinkTraits, limits: Limits, watcher: NetWatcher) {
    this.#clock = clock;
    this.#random = new SimRandom(seed);
    this.#traits = traits;
    this.#limits = limits;
    this.#watcher = watcher;
  }

  /** Puts a server where clients find it. */
  place(place: number, make: (number: number) => TtrpcServer): SimServer {
    const number = this.servers.length;
    const server: SimServer = {
      number,
      place,
      instance: make(number),
      closingAt: Number.POSITIVE_INFINITY,
      graceMs: 0,
      closed: false,
    };
    this.servers.push(server);
    this.#at(place).server = server;
    return server;
  }

  /** The server at a place. */
  serverAt(place: number): SimServer | undefined {
    return this.#at(place).server;
  }

  /** The server at a place is gone with all its connections; nobody is there for a while. */
  crash(place: number, downMs: number): void {
    const at = this.#at(place);
    at.downUntil = this.#clock.now() + downMs;
    const { server } = at;
    for (const connection of this.connections) {
      if (connection.server === server && !connection.serving.destroyed) this.reset(connection, 0, "crash");
    }
  }

  /** Makes the next attempts to connect to a place fail. */
  refuse(place: number, how: DialFault, times: number): void {
    for (let i = 0; i < times; i++) this.#at(place).faults.push(how);
  }

  /** Breaks a connection; each end hears of it in its own time. */
  reset(connection: Connection, withinMs: number, why: string): void {
    connection.causes.push(why);
    const broken = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    connection.client.breakOff(broken(), this.#random.next() * withinMs);
    connection.serving.breakOff(broken(), this.#random.next() * withinMs);
  }

  /** All that hinders is taken away. */
  heal(): void {
    for (const place of this.#places) {
      place.faults.length = 0;
      place.downUntil = 0;
    }
    for (const { client, serving } of this.connections) {
      client.heal();
      serving.heal();
    }
  }

  /** A way to a place, for one channel. */
  dialer(channel: number, place: number, firstId: number): Dialer {
    return {
      target: `sim:${place}`,
      dial: (signal) =>
        new Promise((resolve, reject) => {
          this.pendingDials++;
          this.#watcher.note("dial", channel, place);
          const fault = this.#at(place).faults.shift();
          const settle = (result: () => void): void => {
            this.pendingDials--;
            signal.removeEventListener("abort", stop);
            result();
          };
          const fail = (error: unknown): void => {
            this.dialFailedAt.set(channel, this.#clock.now());
            settle(() => reject(error));
          };
          // A dialer may be deaf to the signal and come late with a connection.
          const deaf = fault !== "silent" && this.#random.chance(0.3);
          const stop = (): void => {
            if (deaf) return this.#dialFails(channel);
            timer?.cancel();
            fail(signal.reason);
          };
          signal.addEventListener("abort", stop);
          const timer =
            fault === "silent"
              ? undefined
              : this.#clock.happen(this.#random.next() * this.#traits.latencyMs, () => {
                  const error = this.#dialError(place, fault);
                  if (error !== undefined) fail(error);
                  else settle(() => resolve(this.#connect(channel, place, firstId, fault === "dead")));
                });
        }),
    };
  }

  #dialFails(channel: number): void {
    this.dialFailedAt.set(channel, this.#clock.now());
  }

  #dialError(place: number, fault: DialFault | undefined): Error | undefined {
    const { server, downUntil } = this.#at(place);
    const down = server === undefined || downUntil > this.#clock.now();
    const code = fault === "forbidden" ? "EACCES" : fault === "refused" || down ? "ECONNREFUSED" : undefined;
    return code === undefined ? undefined : Object.assign(new Error(`connect ${code}`), { code });
  }

  #connect(channel: number, place: number, firstId: number, dead: boolean): Link {
    const number = this.connections.length;
    const server = this.#at(place).server as SimServer;
    const { messageBytes, connectionCalls } = this.#limits;
    const tap = new WireTap(firstId, messageBytes, connectionCalls, (what) =>
      this.#watcher.violated("I7", `connection ${number}: ${what}`),
    );
    const end = (name: string): SimEnd =>
      new SimEnd(name, `connection:${number}`, this.#clock, new SimRandom(this.#random.seed()), this.#traits, {
        wrote: (from, bytes) => {
          this.#watcher.note(from === client ? "client wrote" : "server wrote", number, bytes.length);
          tap.wrote(from === client, bytes);
        },
        over: (from) => this.#watcher.connectionOver(connection, from),
      });
    const client = end("client");
    const serving = end("server");
    client.other = serving;
    serving.other = client;
    const connection: Connection = { number, channel, server, client, serving, tap, causes: [] };
    this.connections.push(connection);
    this.#watcher.note("connected", channel, number);
    if (dead) {
      this.#dialFails(channel);
      this.reset(connection, 0, "dead from the beginning");
    }
    server.instance.attachLink(serving);
    return client;
  }

  #at(place: number): Place {
    this.#places[place] ??= { server: undefined, downUntil: 0, faults: [] };
    return this.#places[place];
  }
}
