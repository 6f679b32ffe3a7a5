// Bearer tokens in the call's metadata, on both sides. Knows no kind of token: who makes and who checks them is given.
import type { ChannelInfo } from "./channel.js";
import { Code } from "./code.js";
import { type ContextKey, createContextKey } from "./context-values.js";
import type { HandlerContext } from "./handler-context.js";
import type { Interceptor } from "./interceptor.js";
import { leavesMachine } from "./loopback.js";
import { RpcError } from "./rpc-error.js";

const key = "authorization";

/** What a function that gives tokens is told. */
export interface TokenRequest {
  /** The token that a server has just refused; `undefined` where a call begins. */
  readonly rejected: string | undefined;
}

/** A token, or a function that gives one. The function is asked for every call and keeps the token itself. */
export type TokenSource = string | ((request: TokenRequest) => string | Promise<string>);

/** How a client sends tokens. */
export interface BearerTokenOptions {
  /**
   * Whether the token may also be sent where others may read it: without TLS to another machine, or over a channel that
   * does not say where it leads. Default false.
   */
  readonly allowPlaintext?: boolean;
}

/**
 * A client's interceptor that sends `authorization: Bearer …` with every call. A call that has such metadata of its own
 * keeps it. A function is asked once more when a unary call was answered `Unauthenticated`; if it then gives another
 * token, the call is made again, once.
 *
 * @param source The token, or a function that gives it. What the function throws ends the call: an `RpcError` as it is,
 * anything else as `Unauthenticated`.
 * @throws {RpcError} Code.InvalidArgument when the source is neither, or the token is no visible ASCII text; calls fail with
 * Code.FailedPrecondition when the token would go over the network in plain text.
 */
export function bearerToken(source: TokenSource, options: BearerTokenOptions = {}): Interceptor {
  if (typeof source !== "function") checkToken(source, Code.InvalidArgument);
  const allowPlaintext = options.allowPlaintext === true;
  return (next) => async (call) => {
    if (call.metadata.has(key)) return next(call);
    if (!allowPlaintext) refuseInClear(call.channel);
    const token = typeof source === "string" ? source : await ask(source, undefined);
    call.metadata.set(key, `Bearer ${token}`);
    if (typeof source === "string" || call.stream) return next(call);
    try {
      return await next(call);
    } catch (error) {
      if (RpcError.from(error).code !== Code.Unauthenticated) throw error;
      const fresh = await ask(source, token);
      if (fresh === token) throw error;
      call.metadata.set(key, `Bearer ${fresh}`);
      return next(call);
    }
  };
}

async function ask(source: Exclude<TokenSource, string>, rejected: string | undefined): Promise<string> {
  let token: string;
  try {
    token = await source({ rejected });
  } catch (error) {
    if (error instanceof RpcError) throw error;
    throw new RpcError(Code.Unauthenticated, "no bearer token could be had", { cause: error });
  }
  checkToken(token, Code.Unauthenticated);
  return token;
}

/** Never shows the token, which may be nearly right. */
function checkToken(token: unknown, code: Code): void {
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return;
  const fault =
    typeof token === "string" ? (token === "" ? "empty" : "not visible ASCII text") : `of type ${typeof token}`;
  throw new RpcError(code, `the bearer token is ${fault}`);
}

function refuseInClear(channel: ChannelInfo | undefined): void {
  if (channel === undefined || channel.secure === true || !leavesMachine(channel.target)) return;
  throw new RpcError(
    Code.FailedPrecondition,
    `a bearer token would go to ${channel.target} in plain text; use TLS, or bearerToken(…, { allowPlaintext: true })`,
  );
}

/** Who a bearer token was found to stand for, where `requireBearer` was given no key of its own; `undefined` before. */
export const bearerIdentity: ContextKey<unknown> = createContextKey<unknown>(undefined, { description: "bearer" });

/**
 * Says whom a token stands for. `undefined`, `null`, `false` and throwing refuse it: an `RpcError` is the answer itself,
 * anything else answers `Unauthenticated` with a text that tells nothing of it.
 */
export type VerifyBearer<T> = (
  token: string,
  context: HandlerContext,
) => T | undefined | null | false | Promise<T | undefined | null | false>;

/** How a server asks for tokens. */
export interface RequireBearerOptions<T> {
  /** Where handlers find the identity: `context.values.get(key)`. Default {@link bearerIdentity}. */
  readonly key?: ContextKey<T | undefined>;
  /** Calls that need no token, by their paths; as for health checks. Default none. */
  readonly except?: (path: string) => boolean;
}

/**
 * A server's interceptor that lets only calls with a good bearer token through, and leaves in `context.values` whom the
 * token stands for. Everything else is answered `Unauthenticated`, with a text that says what is missing.
 *
 * @param verify Looks the token up. Compare tokens with {@link equalTokens}, never with `===`.
 * @throws {RpcError} Code.InvalidArgument when `verify` is no function.
 *
 * @example
 * const users = createContextKey<string | undefined>(undefined);
 * const server = serve({
 *   interceptors: [requireBearer((token) => (equalTokens(token, secret) ? "ci" : undefined), { key: users })],
 * });
 */
export function requireBearer<T>(verify: VerifyBearer<T>, options: RequireBearerOptions<T> = {}): Interceptor {
  if (typeof verify !== "function") {
    throw new RpcError(Code.InvalidArgument, "requireBearer() takes a function (token, context) => identity");
  }
  const place = (options.key ?? bearerIdentity) as ContextKey<T | undefined>;
  const { except } = options;
  return (next) => async (call) => {
    const { context } = call;
    if (context === undefined) throw new RpcError(Code.Internal, "requireBearer() is for servers, not for channels");
    if (except?.(call.path) === true) return next(call);
    context.values.set(place, await identify(verify, tokenOf(context), context));
    return next(call);
  };
}

function tokenOf({ metadata }: HandlerContext): string {
  const given = metadata.getAll(key);
  if (given.length === 0) throw unauthenticated("the call needs a bearer token");
  // Two might be checked here and used elsewhere.
  if (given.length > 1) throw unauthenticated("the call has more than one authorization");
  const text = (given[0] as string).trim();
  const scheme = text.split(" ", 1)[0] as string;
  if (scheme.toLowerCase() !== "bearer") throw unauthenticated("the call's authorization is not a bearer token");
  const token = text.slice(scheme.length).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) throw unauthenticated("the bearer token is malformed");
  return token;
}

async function identify<T>(verify: VerifyBearer<T>, token: string, context: HandlerContext): Promise<T> {
  let found: T | undefined | null | false;
  try {
    found = await verify(token, context);
  } catch (error) {
    if (error instanceof RpcError) throw error;
    throw unauthenticated("the bearer token was refused", error);
  }
  if (found === undefined || found === null || found === false) throw unauthenticated("the bearer token was refused");
  return found;
}

function unauthenticated(message: string, cause?: unknown): RpcError {
  return new RpcError(Code.Unauthenticated, message, cause === undefined ? {} : { cause });
}

/**
 * Whether two tokens are the same, in a time that tells nothing of where they differ or how long the expected one is.
 *
 * @param given What the caller sent.
 * @param expected The secret.
 */
export function equalTokens(given: string, expected: string): boolean {
  // Loaded when it is first needed: most programs that make calls compare no tokens.
  const { hash, timingSafeEqual } = process.getBuiltinModule("node:crypto");
  return timingSafeEqual(hash("sha256", given, "buffer"), hash("sha256", expected, "buffer"));
}
