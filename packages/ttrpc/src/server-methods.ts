// Finds the method of a request by its first bytes: clients send the same service and method again and again, so the
// bytes are compared before any string is made (a third of a microsecond a call).
import type { Router } from "@guestwire/rpc";
import { type Codec, codecFor } from "@guestwire/rpc/codec";
import type { MethodRoute } from "@guestwire/rpc/transport";
import { requestPrefix } from "./envelope.js";

/** A route with what this wire needs beside it. */
export interface ServerMethod extends MethodRoute {
  readonly input: Codec;
  readonly output: Codec;
  /** How a request of this method begins. */
  readonly prefix: Buffer;
}

const recentMethods = 8;

/** The methods of a router, the recently called ones first. One per connection, as its calls resemble each other. */
export class ServerMethods {
  readonly #router: Router;
  readonly #known: WeakMap<MethodRoute, ServerMethod>;
  readonly #recent: ServerMethod[] = [];

  /** @param known Shared by all connections of a server, so that a method is prepared once. */
  constructor(router: Router, known: WeakMap<MethodRoute, ServerMethod>) {
    this.#router = router;
    this.#known = known;
  }

  /** The method with which `bytes[start..end)` begins, if it was called lately. */
  recent(bytes: Buffer, start: number, end: number): ServerMethod | undefined {
    const recent = this.#recent;
    for (let i = 0; i < recent.length; i++) {
      const method = recent[i] as ServerMethod;
      if (!beginsWith(bytes, start, end, method.prefix)) continue;
      if (i > 0) {
        recent[i] = recent[i - 1] as ServerMethod;
        recent[i - 1] = method;
      }
      return method;
    }
    return undefined;
  }

  /** The method of these exact names. @throws {RpcError} Code.Unimplemented where there is none. */
  find(service: string, method: string): ServerMethod {
    const route = this.#router.find(service, method);
    if (route === undefined) throw this.#router.missing(service, method);
    let found = this.#known.get(route);
    if (found === undefined) {
      found = {
        ...route,
        input: codecFor(route.method.input),
        output: codecFor(route.method.output),
        prefix: requestPrefix(service, method),
      };
      this.#known.set(route, found);
    }
    if (!this.#recent.includes(found)) {
      if (this.#recent.length === recentMethods) this.#recent.pop();
      this.#recent.push(found);
    }
    return found;
  }
}

/** Compares from the end, where the methods of one service differ. */
function beginsWith(bytes: Buffer, start: number, end: number, prefix: Buffer): boolean {
  const { length } = prefix;
  if (end - start < length) return false;
  for (let i = length - 1; i >= 0; i--) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}
