// Which servers of several take calls: watches the health of each and keeps a list of those that serve. Makes no calls but
// these, and does not choose among the addresses of the list: that is the balancing of the channel that uses it.
import { setTimeout as pause } from "node:timers/promises";
import { type CallOptions, type Channel, Code, RpcError } from "@guestwire/rpc";
import { type ServiceName, ServingStatus, serviceName } from "./serving-status.js";
import { checkedBackoff, type HealthState, type WatchBackoff, watchHealth } from "./watch.js";

/** What is told which addresses to use, as `createAddressList()` of `@guestwire/grpc` gives it. */
export interface FleetList {
  update(addresses: readonly string[]): void;
}

/** Options of {@link watchFleet}. */
export interface WatchFleetOptions extends Pick<CallOptions, "metadata"> {
  /** All servers, in the form that `connect` and `list` take. */
  readonly addresses: readonly string[];
  /**
   * Opens the channel over which a server is asked; it is closed when the server is not asked any more. Give it a
   * `keepalive`, or a host that vanishes without a word is noticed only when TCP gives up.
   */
  readonly connect: (address: string) => Channel;
  /** Has the addresses to use; a `createAddressList()` that calls are made on. */
  readonly list: FleetList;
  /** The service that has to be healthy, by name or descriptor. Default `""`, the server as a whole. */
  readonly service?: ServiceName;
  /** Pauses before a server that could not be asked is asked again. Default from 100 ms to 2,000 ms. */
  readonly backoff?: WatchBackoff;
  /** Called after every change of a state, once the list has followed. Default nothing. */
  readonly onChange?: (states: ReadonlyMap<string, HealthState>) => void;
}

/** Servers that are watched. */
export interface Fleet extends AsyncDisposable {
  /** How each server is, by address; `UNKNOWN` without an error where it has not answered yet. */
  readonly states: ReadonlyMap<string, HealthState>;
  /**
   * Replaces the servers that are watched. Those that stay are not asked anew.
   *
   * @throws What `connect` throws, and then nothing has changed.
   */
  update(addresses: readonly string[]): void;
  /** Ends all watching. The list stays as it is. */
  close(): Promise<void>;
}

/**
 * Watches `grpc.health.v1` of several servers and keeps those addresses in a list that say `SERVING`. A server that shuts down in
 * order, by `health.shutdown()`, leaves the list before it goes; one whose connection breaks leaves at once; each returns
 * when it says `SERVING` again. A server without a health service counts as serving, and is asked again now and then.
 *
 * While none is `SERVING`, the list has those that nothing is known of: not asked yet, or not to be reached. To leave them out
 * would fail calls that may yet succeed. What says itself that it is not serving is believed, so the list may be empty.
 *
 * @throws {RpcError} Code.InvalidArgument for a bad option; whatever `connect` and `list.update` throw.
 *
 * @example
 * const list = createAddressList();
 * await using fleet = watchFleet({ addresses, list, connect: (address) => connect(address, { tls }) });
 * await using channel = connect(list, { tls, loadBalancing: "round_robin", retries: true });
 */
export function watchFleet(options: WatchFleetOptions): Fleet {
  return new WatchedFleet(options);
}

/** A server that is watched. */
interface Member {
  readonly address: string;
  readonly channel: Channel;
  readonly end: AbortController;
  state: HealthState;
  /** Resolves when nothing of it is left. */
  ended: Promise<void>;
}

const notAsked: HealthState = { status: ServingStatus.UNKNOWN, error: undefined };

class WatchedFleet implements Fleet {
  readonly #options: WatchFleetOptions;
  readonly #service: string;
  readonly #backoff: Required<WatchBackoff>;
  readonly #ending = new Set<Promise<void>>();
  #members: ReadonlyMap<string, Member> = new Map();
  #closed = false;

  constructor(options: WatchFleetOptions) {
    if (typeof options?.connect !== "function") throw wrong("connect must be a function that opens a channel");
    if (typeof options.list?.update !== "function") throw wrong("list must have a method update(addresses)");
    this.#options = options;
    this.#service = serviceName(options.service ?? "");
    this.#backoff = checkedBackoff({ maxMs: 2000, ...options.backoff });
    try {
      this.update(options.addresses);
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  get states(): ReadonlyMap<string, HealthState> {
    return new Map([...this.#members].map(([address, { state }]) => [address, state]));
  }

  update(addresses: readonly string[]): void {
    if (this.#closed) throw new RpcError(Code.Unavailable, "the fleet is closed");
    if (!Array.isArray(addresses)) throw wrong(`addresses must be an array, not ${typeof addresses}`);
    const before = this.#members;
    const added: Member[] = [];
    const members = new Map<string, Member>();
    try {
      for (const address of addresses) {
        if (members.has(address)) continue;
        const member = before.get(address) ?? this.#open(address);
        if (!before.has(address)) added.push(member);
        members.set(address, member);
      }
    } catch (error) {
      for (const { channel } of added) void channel.close();
      throw error;
    }
    this.#members = members;
    for (const [address, member] of before) if (!members.has(address)) this.#leave(member);
    for (const member of added) member.ended = this.#follow(member);
    this.#publish();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const member of this.#members.values()) this.#leave(member);
    await Promise.all(this.#ending);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(address: string): Member {
    const channel = this.#options.connect(address);
    return { address, channel, end: new AbortController(), state: notAsked, ended: Promise.resolve() };
  }

  #leave(member: Member): void {
    if (member.end.signal.aborted) return;
    member.end.abort();
    const gone = member.ended.then(() => member.channel.close()).finally(() => this.#ending.delete(gone));
    this.#ending.add(gone);
  }

  /** Asks a server for as long as it belongs to the fleet. */
  async #follow(member: Member): Promise<void> {
    for await (const state of this.#ask(member)) {
      if (member.end.signal.aborted) return;
      const before = member.state;
      // A server that still has no health service.
      if (state.error !== undefined && state.error.code === before.error?.code) continue;
      member.state = state;
      this.#publish();
      this.#options.onChange?.(this.states);
    }
  }

  async *#ask({ channel, end: { signal } }: Member): AsyncGenerator<HealthState> {
    const { metadata } = this.#options;
    const options = { signal, backoff: this.#backoff, ...(metadata !== undefined && { metadata }) };
    while (!signal.aborted) {
      try {
        yield* watchHealth(channel, this.#service, options);
      } catch (thrown) {
        const error = RpcError.from(thrown);
        const { UNKNOWN, SERVING } = ServingStatus;
        yield { status: error.code === Code.Unimplemented ? SERVING : UNKNOWN, error };
        await pause(this.#backoff.maxMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  #publish(): void {
    const all = [...this.#members.values()];
    const serving = all.filter(({ state }) => state.status === ServingStatus.SERVING);
    const doubtful = (): Member[] => all.filter(({ state }) => state === notAsked || state.error !== undefined);
    const chosen = serving.length > 0 ? serving : doubtful();
    this.#options.list.update(chosen.map(({ address }) => address));
  }
}

function wrong(message: string): RpcError {
  return new RpcError(Code.InvalidArgument, message);
}
