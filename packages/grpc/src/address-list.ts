// A list of addresses that changes while channels use it. Knows what is in it and who wants to hear of changes; connecting
// is the channels' affair.
import { Code, RpcError } from "@guestwire/rpc";
import { type Endpoint, parseAddresses, type Target } from "./target.js";

/** Addresses for `connect()` that may change at any time. One list may serve several channels. */
export interface AddressList {
  /** The present addresses, as they were given, none of them twice. */
  readonly addresses: readonly string[];
  /**
   * Replaces the addresses. From here on calls go to those that are in the list, and connections are made to new ones.
   * Calls that run on an address that left come to their end; its connection is closed after that, and after no more than
   * 10 seconds if it is idle. While the list is empty calls fail with `Unavailable`; with `waitForReady` they wait.
   *
   * @param addresses Addresses of ours, of any kind; an empty array is fine.
   * @throws {RpcError} Code.InvalidArgument naming the address that is wrong. The list stays as it was then.
   */
  update(addresses: readonly string[]): void;
}

/**
 * Makes a list of addresses for `connect()`: for your own discovery, or for `watchFleet()` of `@guestwire/health`, which
 * keeps those in it that are healthy.
 *
 * With TLS, and as `:authority`, servers are known by the host of the address that was the first when the channel was made.
 * Give the channel `authority`, or `tls.serverName`, where that is not a name that all of them have.
 *
 * @param addresses What is in it at first. Default nothing.
 * @throws {RpcError} As {@link AddressList.update}.
 *
 * @example
 * const list = createAddressList(["tcp://10.0.0.1:8443", "tcp://10.0.0.2:8443"]);
 * await using channel = connect(list, { loadBalancing: "round_robin" });
 * list.update(["tcp://10.0.0.2:8443", "tcp://10.0.0.3:8443"]);
 */
export function createAddressList(addresses: readonly string[] = []): AddressList {
  return new ChangingList(addresses);
}

/** Where a channel on this list leads. */
export function listTarget(list: AddressList): Target {
  if (list instanceof ChangingList) return list.target();
  throw new RpcError(Code.InvalidArgument, "connect() takes an address, several, or what createAddressList() gave");
}

class ChangingList implements AddressList {
  readonly #users = new Set<() => void>();
  #addresses: readonly string[] = [];
  #endpoints: readonly Endpoint[] = [];
  #names: readonly string[] = [];
  #authority = "localhost";

  constructor(addresses: readonly string[]) {
    this.update(addresses);
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  update(addresses: readonly string[]): void {
    if (!Array.isArray(addresses)) {
      throw new RpcError(Code.InvalidArgument, `an address list takes an array of addresses, not ${typeof addresses}`);
    }
    const { names, endpoints, authority } = parseAddresses(addresses);
    const first = names.map((name, at) => names.indexOf(name) === at);
    const present = names.filter((_, at) => first[at]);
    const same = present.length === this.#names.length && present.every((name, at) => name === this.#names[at]);
    this.#names = present;
    this.#addresses = Object.freeze(addresses.filter((_, at) => first[at]));
    this.#endpoints = endpoints.filter((_, at) => first[at]);
    this.#authority = authority ?? this.#authority;
    if (!same) for (const changed of [...this.#users]) changed();
  }

  target(): Target {
    const endpoints = (): readonly Endpoint[] => this.#endpoints;
    const name = (): string => (this.#names.length === 0 ? "an address list" : this.#names.join(","));
    return {
      get name() {
        return name();
      },
      get endpoints() {
        return endpoints();
      },
      authority: this.#authority,
      path: name(),
      resolve: undefined,
      changes: (changed) => {
        this.#users.add(changed);
        return () => void this.#users.delete(changed);
      },
    };
  }
}
