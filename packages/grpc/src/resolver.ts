// The name resolver behind every channel of ours. It gives our addresses to grpc-js as they are, has gRPC's own names
// resolved by gRPC, and adds what grpc-js has no option for: sockets that end with their channel, retries by method.
import { experimental } from "@grpc/grpc-js";
import type { Endpoint, Target } from "./target.js";

/** What a channel of ours hands to its resolver. */
export interface Route {
  readonly target: Target;
  readonly attempts: Attempts;
  /** Decides what each call is given; `undefined` for the rules of gRPC's service config. */
  readonly selector: experimental.ConfigSelector | undefined;
}

/** Of how many addresses that left the last attempt is kept in mind. */
const leftAttempts = 64;

/** The newest attempt to connect to each address of a channel, so that it can be ended: grpc-js has no way to. */
export class Attempts {
  readonly #controllers = new Map<string, AbortController>();
  // Of addresses that are no longer used: their connections may still serve a call, or be coming.
  readonly #left: AbortController[] = [];

  /** The same addresses, each of which notes an attempt when one is made. */
  watched(endpoints: experimental.Endpoint[]): experimental.Endpoint[] {
    const known = new Set<string>();
    const watched = endpoints.map(({ addresses }) => ({
      addresses: addresses.map((address) => {
        const name = experimental.subchannelAddressToString(address);
        known.add(name);
        return this.#watch(address, name);
      }),
    }));
    for (const [name, controller] of this.#controllers) {
      if (known.has(name)) continue;
      this.#controllers.delete(name);
      if (this.#left.push(controller) > leftAttempts) this.#left.shift();
    }
    return watched;
  }

  /** Ends whatever is being connected. */
  abort(): void {
    for (const controller of [...this.#controllers.values(), ...this.#left]) controller.abort();
    this.#controllers.clear();
    this.#left.length = 0;
  }

  /**
   * grpc-js hands an address to `net.connect` as it is, which reads a signal from it. One for each attempt, as sockets
   * keep listening to theirs for ever; an address has one attempt at a time.
   */
  #watch(address: Endpoint, name: string): Endpoint {
    return Object.defineProperty({ ...address }, "signal", {
      enumerable: true,
      get: () => {
        const controller = new AbortController();
        this.#controllers.set(name, controller);
        return controller.signal;
      },
    });
  }
}

const scheme = "guestwire";
// With this prefix grpc-js keeps an option from the connections, which would be compared by it.
const routeKey = `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.guestwire_route`;

let registered = false;

/** What grpc-js' channel is made with, to have its name resolved here. */
export function routed(route: Route): { readonly target: string; readonly options: Readonly<Record<string, unknown>> } {
  if (!registered) {
    registered = true;
    experimental.registerResolver(scheme, RouteResolver);
  }
  const { authority, path } = route.target;
  return { target: `${scheme}:${uriOf(authority, path)}`, options: { [routeKey]: route } };
}

class RouteResolver implements experimental.Resolver {
  readonly #route: Route;
  readonly #listener: experimental.ResolverListener;
  readonly #inner: experimental.Resolver | undefined;
  #given = false;
  #forget: (() => void) | undefined;

  constructor(_uri: experimental.GrpcUri, listener: experimental.ResolverListener, options: Record<string, unknown>) {
    this.#route = options[routeKey] as Route;
    this.#listener = listener;
    const { resolve } = this.#route.target;
    if (resolve === undefined) return;
    this.#inner = experimental.createResolver(
      resolve,
      (endpoints, attributes, serviceConfig, note) => {
        const list = endpoints.ok
          ? experimental.statusOrFromValue(this.#route.attempts.watched(endpoints.value))
          : endpoints;
        return listener(list, { ...this.#attributes(), ...attributes }, serviceConfig, note);
      },
      options,
    );
  }

  updateResolution(): void {
    if (this.#inner !== undefined) return this.#inner.updateResolution();
    // Asked again whenever a connection is lost; the answer stays the same, or is given when it changes.
    if (this.#given) return;
    this.#given = true;
    const give = (): void => {
      if (this.#given) this.#give();
    };
    this.#forget = this.#route.target.changes?.(give);
    process.nextTick(give);
  }

  /** Nobody asks any more, for good or until the channel has calls again. */
  destroy(): void {
    this.#given = false;
    this.#forget?.();
    this.#inner?.destroy();
  }

  static getDefaultAuthority({ authority, path }: experimental.GrpcUri): string {
    return authority === undefined || authority === "" ? path : authority;
  }

  #give(): void {
    const endpoints = (this.#route.target.endpoints ?? []).map((address) => ({ addresses: [address] }));
    const list = experimental.statusOrFromValue(this.#route.attempts.watched(endpoints));
    this.#listener(list, this.#attributes(), null, "");
  }

  #attributes(): Record<string, unknown> {
    const { selector } = this.#route;
    return selector === undefined ? {} : { [experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY]: selector };
  }
}

// An HTTP proxy is asked for the path, so that it is the bare host and port wherever there is one.
function uriOf(authority: string, path: string): string {
  return authority === path ? `///${path}` : `//${authority}/${path}`;
}
