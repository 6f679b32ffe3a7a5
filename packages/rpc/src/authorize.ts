// May this caller make this call? The hook that decides before interceptors and handlers run. Denies whatever it is not
// clearly told to allow. Knows no certificate and no token: the hook looks at the peer.
import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "./code.js";
import type { HandlerContext, Peer } from "./handler-context.js";
import { isPromise } from "./is-promise.js";
import { type Idempotency, idempotencyOf, type MethodKind, methodPath } from "./method.js";
import { RpcError } from "./rpc-error.js";

/** A served method as access rules see it. Its names are the schema's, never a peer's text. */
export interface ServedMethod {
  /** As `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** The service's full name, as `arcbox.v1.MachineService`. */
  readonly service: string;
  /** The method's bare name, as `Inspect`. */
  readonly name: string;
  /** Who streams. */
  readonly kind: MethodKind;
  /** Whether the schema says that it only reads, or may be repeated. */
  readonly idempotency: Idempotency;
}

/**
 * Decides whether a call may go on. Runs before interceptors and before a message of a stream is read.
 *
 * Only `true` allows. `false` answers `PermissionDenied`; a thrown `RpcError` is the answer itself; anything else that it
 * throws or returns answers `Internal` with a text that tells the caller nothing of it.
 *
 * @param peer The other end, with its identity where it showed a verified certificate.
 * @param method What it calls.
 * @param context The rest of what is known of the call: metadata, deadline, signal, values for the handler.
 *
 * @example
 * const authorize: Authorize = (peer, { idempotency }) =>
 *   idempotency === "no_side_effects" || (peer.identity?.subject["OU"]?.includes("admin") ?? false);
 */
export type Authorize = (peer: Peer, method: ServedMethod, context: HandlerContext) => boolean | Promise<boolean>;

/** Resolves, or returns `undefined` at once, when the call may go on; throws or rejects when not. */
export type Admission = (context: HandlerContext) => Promise<void> | undefined;

/**
 * The hooks of a method as one step; all of them must allow. Made once for each method.
 *
 * @param hooks In the order in which they are asked.
 * @returns `undefined` where there is no hook.
 * @throws {RpcError} Code.InvalidArgument when one is no function.
 */
export function admissionOf(method: DescMethod, hooks: readonly (Authorize | undefined)[]): Admission | undefined {
  const given = hooks.filter((hook) => hook !== undefined);
  for (const hook of given) {
    if (typeof hook !== "function") {
      throw new RpcError(Code.InvalidArgument, "authorize is not a function; write (peer, method, context) => …");
    }
  }
  if (given.length === 0) return undefined;
  const served = servedMethod(method);
  return (context) => ask(given, 0, served, context);
}

function servedMethod(method: DescMethod): ServedMethod {
  return Object.freeze({
    path: methodPath(method),
    service: method.parent.typeName,
    name: method.name,
    kind: method.methodKind,
    idempotency: idempotencyOf(method),
  });
}

function ask(
  hooks: readonly Authorize[],
  from: number,
  method: ServedMethod,
  context: HandlerContext,
): Promise<void> | undefined {
  for (let i = from; i < hooks.length; i++) {
    let decision: unknown;
    try {
      decision = (hooks[i] as Authorize)(context.peer, method, context);
    } catch (error) {
      throw refusal(error, method);
    }
    if (isPromise(decision)) return askLater(decision, hooks, i + 1, method, context);
    check(decision, method);
  }
  return undefined;
}

async function askLater(
  decision: PromiseLike<unknown>,
  hooks: readonly Authorize[],
  next: number,
  method: ServedMethod,
  context: HandlerContext,
): Promise<void> {
  let made: unknown;
  try {
    made = await decision;
  } catch (error) {
    throw refusal(error, method);
  }
  check(made, method);
  // Nobody waits any more: the handler has nothing to begin.
  if (context.signal.aborted) throw context.signal.reason;
  await ask(hooks, next, method, context);
}

function check(decision: unknown, { path }: ServedMethod): void {
  if (decision === true) return;
  if (decision === false) throw new RpcError(Code.PermissionDenied, `the caller may not call ${path}`);
  // A forgotten `return` must neither let everybody in nor look like a decision.
  throw new RpcError(Code.Internal, `authorize gave neither true nor false for ${path}`);
}

/** What a hook throws may hold anything, so only what is meant for callers reaches them. */
function refusal(error: unknown, { path }: ServedMethod): RpcError {
  if (error instanceof RpcError) return error;
  return new RpcError(Code.Internal, `it could not be decided whether the caller may call ${path}`, { cause: error });
}
