// otel(): the interceptors for both sides. They put a call under observation and its context around it.
import { type CallNext, type InterceptedCall, type InterceptedReply, type Interceptor, RpcError } from "@guestwire/rpc";
import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { type CallNames, callNames } from "./call-names.js";
import { metadataGetter, metadataSetter } from "./carrier.js";
import { left, Observation } from "./observation.js";
import { watched } from "./observed-stream.js";
import { type OtelOptions, type Settings, type Side, settingsOf } from "./options.js";
import { TelemetrySource } from "./telemetry.js";
import type { Message, Method } from "./types.js";

/** Interceptors for clients and servers. */
export interface Otel {
  /** For channels and clients. Put it first, so that it sees the call as its caller does, retries included. */
  readonly client: Interceptor;
  /** For servers and routers. Put it first, so that it sees what other interceptors refuse. */
  readonly server: Interceptor;
}

/**
 * Traces and measures calls with OpenTelemetry: a span for each call, the trace carried on in metadata, the span active in
 * handlers and in what they call, and the duration as a metric. Without an SDK it passes calls on.
 *
 * @param options See {@link OtelOptions}.
 * @throws {TypeError} when the conventions are none.
 *
 * @example
 * const telemetry = otel();
 * const server = serve({ interceptors: [telemetry.server] });
 * const channel = connect("unix:///run/agent.sock", { interceptors: [telemetry.client] });
 */
export function otel(options: OtelOptions = {}): Otel {
  const settings = settingsOf(options);
  return { client: interceptor("client", settings), server: interceptor("server", settings) };
}

function interceptor(side: Side, settings: Settings): Interceptor {
  const source = new TelemetrySource(settings, side);
  const { ignore } = settings;
  return (next) => {
    const namesOf = nameTable(settings);
    return (call) => {
      const telemetry = source.inForce();
      if (telemetry === undefined || ignore?.(call.path) === true) return next(call);
      const outer = side === "client" ? context.active() : ROOT_CONTEXT;
      const parent = side === "client" ? outer : telemetry.propagator.extract(outer, call.metadata, metadataGetter);
      const observation = new Observation(telemetry, side, call, namesOf(call), settings, parent);
      if (side === "client") telemetry.propagator.inject(observation.context, call.metadata, metadataSetter);
      return side === "client" ? observeClient(observation, next, call, outer) : observeServer(observation, next, call);
    };
  };
}

/** The names of the methods that one channel, client or route has to do with. */
function nameTable(settings: Settings): (call: InterceptedCall) => CallNames {
  const known = new Map<Method, { readonly from: unknown; readonly names: CallNames }>();
  return ({ method, channel, context: served }) => {
    const from = channel ?? served?.protocol;
    const found = known.get(method);
    if (found !== undefined && found.from === from) return found.names;
    const system = channel?.protocol ?? served?.protocol ?? settings.system;
    const names = callNames(method, system, channel?.target, settings);
    known.set(method, { from, names });
    return names;
  };
}

function observeClient(
  observation: Observation,
  next: CallNext,
  call: InterceptedCall,
  callers: typeof ROOT_CONTEXT,
): Promise<InterceptedReply> {
  if (!call.stream) return answered(observation, next, call);
  // The requests are the caller's own code, which runs in the caller's context.
  const messages = watched(call.messages, {
    ...unheard,
    message: (message: Message) => observation.request(message),
    within: (step) => context.with(callers, step),
  });
  return answered(observation, next, { ...call, messages }, () => leaving(observation, call.signal));
}

function observeServer(observation: Observation, next: CallNext, call: InterceptedCall): Promise<InterceptedReply> {
  // A handler that does not look at its signal may go on for ever after nobody waits for it.
  const { signal } = call;
  const abort = (): void => observation.fail(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  if (!call.stream) return answered(observation, next, call);
  const messages = watched(call.messages, {
    ...unheard,
    message: (message: Message) => observation.request(message),
    within: (step) => step(),
  });
  return answered(observation, next, { ...call, messages }, () => leaving(observation, signal));
}

const unheard = { done(): void {}, failed(): void {}, left(): void {} };

/** Runs the call and observes its answer. @param leave The reader of the answer left. */
async function answered(
  observation: Observation,
  next: CallNext,
  call: InterceptedCall,
  leave?: () => void,
): Promise<InterceptedReply> {
  try {
    if (!call.stream) observation.request(call.message);
    const reply = await context.with(observation.context, next, undefined, call);
    if (!reply.stream) {
      observation.response(reply.message);
      observation.end();
      return reply;
    }
    const messages = watched(reply.messages, {
      message: (message) => observation.response(message),
      done: () => observation.end(),
      failed: (error) => observation.fail(error),
      left: leave ?? (() => observation.end(left)),
      // A handler's generator runs where it is asked for the next message, not where it was made.
      within: (step) => context.with(observation.context, step),
    });
    return { ...reply, messages };
  } catch (error) {
    observation.fail(error);
    throw error;
  }
}

/** The reader left by itself, or the call was ended around it: the signal tells, but only after this turn. */
function leaving(observation: Observation, signal: AbortSignal): void {
  queueMicrotask(() => {
    const reason: unknown = signal.aborted ? signal.reason : undefined;
    // Somebody's signal or a deadline has a cause or another code; `break` has neither.
    const asked = !(reason instanceof RpcError) || (reason.reason === "canceled" && reason.cause === undefined);
    if (asked) observation.end(left);
    else observation.fail(reason);
  });
}
